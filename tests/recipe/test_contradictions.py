"""Settings of which one would be ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.errors import RecipeError
from quire.recipe.bases import Advice
from quire.recipe.load import load_recipe
from quire.recipe.resolved import Decided, ResolvedRecipe


def load(train: dict[str, object], **by_hand: object) -> None:
    load_recipe({"shelf": ["a.txt"], "train": train}, {f"train.{key}": value for key, value in by_hand.items()})


@pytest.mark.parametrize("limit", ["steps", "samples"])
def test_epochs_that_would_be_ignored_are_refused(limit: str) -> None:
    for train, by_hand in (({limit: 9, "epochs": 3}, {}), ({}, {limit: 9, "epochs": 3}), ({limit: 9}, {"epochs": 3})):
        with pytest.raises(RecipeError, match=r"train\.epochs.*: give steps, samples or epochs, not two"):
            load(train, **by_hand)


def test_flags_overrule_the_recipe() -> None:
    load({"epochs": 5}, steps=9)
    load({"steps": 9}, steps=None, epochs=5)
    load({"effective_batch": 8}, batch=4, accumulate=4)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"effective_batch": 8, "batch": 4, "accumulate": 4}, "batch 4 and accumulate 4 make 16 rows a step"),
        ({"effective_batch": 8, "batch": 16}, "batch 16 make at least 16 rows a step"),
        ({"effective_batch": 8, "accumulate": 9}, "accumulate 9 make at least 9 rows a step"),
    ],
)
def test_an_effective_batch_that_cannot_be_had_is_refused(train: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load(train)


@pytest.mark.parametrize("train", [{"batch": 4, "accumulate": 2}, {"batch": 3}, {"accumulate": 4}, {}])
def test_an_effective_batch_that_can_be_had_or_neared_is_taken(train: dict[str, object]) -> None:
    load({"effective_batch": 8, **train})


def test_advice_and_defaults_contradict_nobody() -> None:
    advice = {"train.effective_batch": Advice(4, "it is small"), "train.epochs": Advice(5, "it is short")}
    load_recipe({"shelf": ["a.txt"], "train": {"batch": 16, "steps": 3}}, advice=advice)


def test_recipe_of_a_run_holds_every_key_and_is_read_back(tmp_path: Path) -> None:
    recipe = load_recipe({"shelf": ["a.txt"], "train": {"steps": 9, "batch": 16}}).recipe
    path = tmp_path / "recipe.yaml"
    path.write_text(ResolvedRecipe(recipe=recipe, decided=Decided(base="embedded")).to_yaml(), encoding="utf-8")
    assert load_recipe(path).recipe == recipe
    with pytest.raises(RecipeError, match="not two"):
        load_recipe(path, {"train.epochs": 2})


def test_overlap_as_context_needs_windows_that_overlap() -> None:
    for stride in (None, 64):
        with pytest.raises(RecipeError, match=r"train: overlap: context needs a stride smaller.*train\.stride=32"):
            load({"overlap": "context", "window": 64, "stride": stride})
    load({"overlap": "context", "window": 64, "stride": 63})


@pytest.mark.parametrize("name", ["English", "fr-FR", "EN", "e", ""])
def test_language_is_a_code(name: str) -> None:
    with pytest.raises(RecipeError, match="language: must be the code of a language, such as en or fr"):
        load_recipe({"shelf": ["a.txt"], "language": name})
