from __future__ import annotations

from pathlib import Path

import pytest

from quire.errors import RecipeError
from quire.recipe.load import load_recipe, recipe_for
from quire.recipe.resolved import Decided, ResolvedRecipe, StageDecided, changed_sources, differences, load_resolved


def resolved() -> ResolvedRecipe:
    recipe = load_recipe({"shelf": ["/novel.txt"], "train": {"learning_rate": 5e-5}}).recipe
    stage = StageDecided(precision="bf16", batch=8, accumulate=1, precision_reason="fast: 2×")
    decided = Decided(base="embedded", threads=2, stages=(stage,), prompts=("He went",))
    return ResolvedRecipe(
        recipe=recipe, decided=decided, versions={"quire": "0.1.0", "torch": "2.13.0"}, sources={"/novel.txt": "1e10"}
    )


def test_resolved_recipe_is_read_back_as_the_same(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(resolved().to_yaml(), encoding="utf-8")
    assert load_resolved(tmp_path / "recipe.yaml") == resolved()


def test_resolved_recipe_is_a_recipe_as_well(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(resolved().to_yaml(), encoding="utf-8")
    assert recipe_for(tmp_path / "recipe.yaml").recipe == resolved().recipe


def test_plain_recipe_is_no_runs_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("shelf: [a]\n")
    with pytest.raises(RecipeError, match="no run's recipe"):
        load_resolved(tmp_path / "recipe.yaml")


@pytest.mark.parametrize(
    "block", ["quire: {}\ndecided: {}", "quire: {x: 1}\ndecided: {base: a}", "quire: 3\ndecided: {base: a}"]
)
def test_damaged_block_is_told(tmp_path: Path, block: str) -> None:
    (tmp_path / "recipe.yaml").write_text(f"shelf: [a]\n{block}\n")
    with pytest.raises(RecipeError, match="is damaged"):
        load_resolved(tmp_path / "recipe.yaml")


def test_differences_name_key_old_and_new() -> None:
    old = load_recipe({"shelf": ["/a"], "train": {"warmup": 5}}).recipe
    new = load_recipe(
        {"shelf": ["/a", "/b"], "train": {"warmup": "5%", "method": "full"}, "write": {"top_k": 3}}
    ).recipe
    found = {difference.key: (difference.old, difference.new) for difference in differences(old, new, ignore=["write"])}
    assert found["train.warmup"] == (5, "5%")
    assert found["train.method.full"] == (False, True)
    assert found["train.method.lora.rank"] == (16, None)
    assert found["shelf.1.path"] == (None, "/b")
    assert not [key for key in found if key.startswith("write")]
    assert str(differences(old, new)[0]) == "shelf.1.path: None → /b"
    assert differences(old, old) == []


def test_changed_sources_are_named() -> None:
    assert changed_sources({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "x", "d": "4"}) == ["b", "c", "d"]


def test_what_a_run_decided_before_there_were_stages_is_that_of_its_only_stage() -> None:
    old = {"base": "embedded", "device": "cpu", "threads": 2, "precision": "bf16", "batch": 8, "packs": True}
    decided = Decided.model_validate(old)
    assert (decided.base, decided.threads) == ("embedded", 2)
    assert decided.stages == (StageDecided(precision="bf16", batch=8, packs=True),)


def test_what_one_stage_finds_out_leaves_the_others_alone() -> None:
    decided = Decided(base="embedded", stages=(StageDecided(batch=1), StageDecided(batch=2), StageDecided(batch=3)))
    changed = decided.with_stage(1, StageDecided(batch=9))
    assert [stage.batch for stage in changed.stages] == [1, 9, 3]
