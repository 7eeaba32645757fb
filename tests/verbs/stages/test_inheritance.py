from __future__ import annotations

from pathlib import Path

import pytest

from quire.planner.bases import BaseFiles
from quire.recipe.schema import Recipe
from quire.training.learner import Start
from quire.verbs.stages.inheritance import inherited, start_from

FILES = BaseFiles("a/base", Path("base"), "", "hub")


def recipe(*methods: object, **second: object) -> Recipe:
    stages = [{"name": f"stage-{number}", "method": method} for number, method in enumerate(methods)]
    stages[-1] |= second
    return Recipe.model_validate({"shelf": ["a.txt"], "stages": stages})


@pytest.mark.parametrize(
    ("methods", "onto", "adapter", "said"),
    [
        (("full", "full"), "merge", False, "its weights go on learning"),
        (("full", "inherit"), "merge", False, "its weights go on learning"),
        (("full", "lora"), "merge", False, "its weights, under a new adapter"),
        (("lora", "inherit"), "merge", True, "its adapter goes on learning"),
        (("lora", "qlora"), "merge", True, "its adapter, melted into the base, under a new one"),
        (("lora", "lora"), "stack", True, "its adapter, kept, frozen, under a new one"),
        (("lora", "full"), "merge", True, "its adapter, melted into the base, of which all weights learn"),
    ],
)
def test_what_becomes_of_what_was_learned_before(methods: tuple[str, str], onto: str, adapter: bool, said: str) -> None:
    start = Start(FILES, Path("voice") if adapter else None)
    assert inherited(recipe(*methods, onto=onto), 1, start)["from"] == f"stage-0: {said}"


def test_what_a_stage_does_otherwise_is_told_with_both_values() -> None:
    told = inherited(recipe("lora", "inherit", window=2048, stride=512, learning_rate=1e-5), 1, Start(FILES))
    assert told["overrides"] == {"window": "1024 → 2048", "stride": "– → 512", "learning_rate": "0.0002 → 1e-05"}
    assert (told["stages"], told["number"], told["method"]) == (2, 2, "inherit")
    assert "from" not in inherited(recipe("full", "lora"), 0, Start(FILES))


def overrides(*methods: object, **second: object) -> object:
    return inherited(recipe(*methods, **second), 1, Start(FILES))["overrides"]


def test_another_text_is_told_by_its_name_and_otherwise_by_what_changed() -> None:
    several = [f"books/{name}.txt" for name in "bcde"]
    assert overrides("full", "inherit", shelf=several) == {"shelf": "a.txt → b.txt, c.txt, d.txt and 1 more"}
    assert overrides("full", "inherit", shelf=["sample:tale"]) == {"shelf": "a.txt → sample:tale"}
    assert overrides("full", "inherit", shelf=[{"path": "a.txt", "weight": 2}]) == {"shelf.0.weight": "1.0 → 2.0"}


def test_another_method_is_told_in_short_and_otherwise_by_what_changed() -> None:
    assert overrides("full", {"lora": {"rank": 8}}) == {"method": "full → lora of rank 8"}
    assert overrides("lora", "full") == {"method": "lora of rank 16 → full"}
    changed = {"method.lora.rank": "16 → 8", "method.lora.alpha": "32.0 → 4.0"}
    assert overrides("lora", {"lora": {"rank": 8, "alpha": 4}}) == changed
    third = inherited(recipe("lora", "inherit", {"lora": {"rank": 8}}), 2, Start(FILES))
    assert third["overrides"] == {"method.lora.rank": "16 → 8"}, "against what was inherited"


def test_an_earlier_voice_is_named_as_the_recipe_names_it() -> None:
    second = Recipe.model_validate({"from": "runs/first", "shelf": ["b.txt"], "train": {"method": "inherit"}})
    assert inherited(second, 0, Start(FILES, Path("voice")))["from"] == "runs/first: its adapter goes on learning"


def test_a_voice_brings_the_base_that_was_changed_for_it(tmp_path: Path) -> None:
    whole, adapter, on_changed = (tmp_path / name for name in ("whole", "adapter", "changed"))
    for folder in (whole, adapter, on_changed / "base"):
        folder.mkdir(parents=True)
    for folder in (adapter, on_changed):
        (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    assert start_from(whole, FILES) == Start(BaseFiles(str(whole), whole, "", "run"))
    assert start_from(adapter, FILES) == Start(FILES, adapter)
    own = on_changed / "base"
    assert start_from(on_changed, FILES) == Start(BaseFiles(str(own), own, "", "run"), on_changed)
