"""What the recipe's sections make of the short forms, and what they refuse."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from quire.recipe.keys import walk
from quire.recipe.method import Lora, Method
from quire.recipe.schema import (
    BaseChoice,
    FreshBase,
    Recipe,
    ShelfItem,
    TrainSettings,
    WriteSettings,
)
from quire.units import Warmup


@pytest.mark.parametrize(
    ("written", "kind", "rank"),
    [
        ("lora", "lora", 16),
        ("full", "full", None),
        ({"lora": {"rank": 8}}, "lora", 8),
        ({"lora": None}, "lora", 16),
        ({"full": True}, "full", None),
        ({}, "lora", 16),
    ],
)
def test_the_method_in_all_its_forms(written: object, kind: str, rank: int | None) -> None:
    method = Method.model_validate(written)
    assert method.kind == kind
    assert (method.lora.rank if method.lora else None) == rank
    assert Method.model_validate(method.model_dump()) == method


@pytest.mark.parametrize(
    "written", ["qlora", "LoRA", {"full": True, "lora": {}}, {"full": False, "lora": None, "x": 1}]
)
def test_methods_that_there_are_not(written: object) -> None:
    with pytest.raises(ValidationError):
        Method.model_validate(written)


def test_a_source_is_a_path_a_sample_or_a_data_set() -> None:
    assert ShelfItem.model_validate("novel.epub") == ShelfItem(path="novel.epub")
    assert ShelfItem.model_validate("sample:tale") == ShelfItem(sample="tale")
    with pytest.raises(ValidationError, match="exactly one of path, hub, sample"):
        ShelfItem.model_validate({"path": "a", "sample": "tale"})
    streamed = ShelfItem.model_validate({"hub": "owner/name", "stream": True, "split": "train"})
    assert streamed.name == "hub:owner/name"
    assert ShelfItem.model_validate("hub:owner/name@main") == ShelfItem(hub="owner/name@main")
    with pytest.raises(ValidationError, match="split is for hub data sets"):
        ShelfItem.model_validate({"path": "a.jsonl", "split": "train"})
    with pytest.raises(ValidationError, match="stream is for tables"):
        ShelfItem.model_validate({"sample": "poems", "stream": True})
    with pytest.raises(ValidationError, match="leave nothing to train on"):
        ShelfItem.model_validate({"path": "a", "validation": "60%", "test": "40%"})


def test_shares_and_warmup_are_written_as_people_write_them() -> None:
    item = ShelfItem.model_validate({"path": "a", "test": "12.5%"})
    assert item.test == 0.125
    assert item.model_dump()["test"] == "12.5%"
    assert TrainSettings.model_validate({"warmup": 100}).warmup == Warmup(steps=100)
    assert TrainSettings.model_validate({"warmup": "5%"}).warmup == Warmup(share=0.05)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"window": 64, "stride": 65}, "text between windows would be lost"),
        ({"steps": 1, "samples": 1}, "steps or samples"),
        ({"chunk": {"sentences": 2}, "stride": 8}, "chunk and stride exclude each other"),
        ({"batch": 0}, "at least 1"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"optimizer": "adafactor"}, "not yet"),
    ],
)
def test_settings_of_the_training_that_contradict_each_other(settings: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        TrainSettings.model_validate(settings)


def test_no_more_candidates_than_beams() -> None:
    assert WriteSettings(num_beams=3, num_return_sequences=3).num_return_sequences == 3
    with pytest.raises(ValidationError, match="cannot exceed num_beams"):
        WriteSettings(num_beams=2, num_return_sequences=3)
    assert WriteSettings(num_return_sequences=3).num_beams == 1


def test_a_base_is_a_name_a_choice_or_made_from_nothing() -> None:
    assert Recipe.model_validate({"base": "embedded"}).base == "embedded"
    assert Recipe.model_validate({"base": {"gpu": "a", "cpu": "b"}}).base == BaseChoice(gpu="a", cpu="b")
    assert isinstance(Recipe.model_validate({"base": {"fresh": {}}}).base, FreshBase)


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Lora().rank = 4


def test_every_key_has_a_help_that_ends_as_a_sentence() -> None:
    helps = {key.dotted: key.help for key in walk()}
    assert len(helps) > 80
    assert [name for name, text in helps.items() if not text or text[-1] not in ".?"] == []
