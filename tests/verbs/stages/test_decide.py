from __future__ import annotations

from pathlib import Path

import pytest
import torch

from quire.errors import RecipeError
from quire.model.machine import device_name, measure_machine
from quire.planner.bases import FRESH, BasePick
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe
from quire.run.atomic import hash_file
from quire.training.learner import Start
from quire.verbs.stages.decide import OWN_BASE, base_files, decide, load_learner
from quire.verbs.texts.material import Material, gather
from toy import toy_book

FRESH_SHAPE = {"hidden": 16, "layers": 1, "heads": 2, "key_value_heads": 1, "intermediate": 16, "vocabulary": 300}
PICK = BasePick("a-base", "because", False)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    book = toy_book(tmp_path_factory.mktemp("books") / "river.md")
    return gather(load_recipe({"shelf": [str(book)], "base": {"fresh": FRESH_SHAPE}}, {"train.method": "full"}).recipe)


def recipe_with(**settings: object) -> Recipe:
    given = {key.replace("__", "."): value for key, value in settings.items()}
    return load_recipe({"shelf": ["sample:tale"]}, given).recipe


def test_each_choice_comes_with_its_reason() -> None:
    decided = decide(recipe_with(), PICK)
    assert (decided.base, decided.base_reason, decided.download) == ("a-base", "because", False)
    assert decided.threads in (1, torch.get_num_threads())
    assert decided.device == device_name()
    (stage,) = decided.stages
    assert (stage.batch, stage.accumulate) == (1, 8)
    assert "1024" in stage.batch_reason
    if measure_machine().gpu is None:
        assert stage.precision == ("bf16" if "bf16" in measure_machine().native else "fp32")
        assert "GFLOP/s" in stage.precision_reason


def test_every_stage_is_decided_for_itself() -> None:
    stages = [{"name": "wide", "method": "full", "window": 256, "precision": "fp32"}, {"name": "narrow"}]
    stages += [{"name": "low", "method": "qlora"}, {"name": "book", "method": "inherit"}]
    recipe = load_recipe({"shelf": ["sample:tale"], "stages": stages}).recipe
    wide, narrow, low, book = decide(recipe, PICK).stages
    assert (wide.batch, narrow.batch) == (2, 1)
    assert wide.precision == "fp32"
    assert narrow.precision != low.precision == book.precision, "what goes on with qlora stays in few bits"
    if measure_machine().gpu is None:
        assert low.precision == "int8"


def test_what_the_recipe_says_is_obeyed() -> None:
    decided = decide(
        recipe_with(train__batch=3, train__accumulate=5, train__precision="fp32", train__checkpointing=True), PICK
    )
    (stage,) = decided.stages
    assert (stage.batch, stage.accumulate, stage.precision, stage.checkpointing) == (3, 5, "fp32", True)
    assert stage.precision_reason == stage.batch_reason == "as the recipe says"


def test_a_precision_that_this_machine_cannot_compute_in_is_refused() -> None:
    if measure_machine().gpu is not None:
        pytest.skip("this machine has a GPU")
    with pytest.raises(RecipeError, match="fp16"):
        decide(recipe_with(train__precision="fp16"), PICK)


def test_a_fresh_base_is_made_once_from_training_text_alone(material: Material, tmp_path: Path) -> None:
    decided = decide(material.recipe, BasePick(FRESH, "made", False))
    files = base_files(material.recipe, decided, material.training_texts, tmp_path, resumes=False)
    assert files.path == tmp_path / OWN_BASE
    before = {path: hash_file(path) for path in files.path.iterdir()}
    for path in files.path.glob("*.safetensors"):
        path.touch()
    again = base_files(material.recipe, decided, material.training_texts, tmp_path, resumes=True)
    assert again == files
    assert {path: hash_file(path) for path in files.path.iterdir()} == before
    assert not [path for path in tmp_path.iterdir() if path != files.path]


def test_the_learner_is_made_as_was_decided(material: Material, tmp_path: Path) -> None:
    decided = decide(material.recipe, BasePick(FRESH, "made", False))
    decided = decided.with_stage(0, decided.stages[0].model_copy(update={"precision": "bf16"}))
    decided = decided.model_copy(update={"threads": 1})
    files = base_files(material.recipe, decided, material.training_texts, tmp_path, resumes=False)
    recipe = material.recipe.model_copy(update={"train": material.recipe.train.model_copy(update={"window": 64})})
    before = torch.get_num_threads()
    try:
        learner = load_learner(Start(files), recipe.curriculum[0], decided, 0, 7, tmp_path / "bases")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert learner.computation.autocast is torch.bfloat16
    assert learner.trainable == learner.parameters


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ({"window": 512}, r"stages\.last\.window: the base holds at most 256"),
        ({"method": {"lora": {"targets": ["c_attn"]}}}, "no layer named c_attn"),
    ],
)
def test_what_a_later_stage_cannot_do_on_this_base_is_said_before_the_first_one(
    last: dict[str, object], why: str, tiny_base: Path, tmp_path: Path
) -> None:
    stages = [{"name": "wide", "window": 64}, {"name": "last", "window": 64} | last]
    recipe = load_recipe({"shelf": ["sample:tale"], "base": str(tiny_base), "stages": stages}).recipe
    decided = decide(recipe, BasePick(str(tiny_base), "said", False))
    with pytest.raises(RecipeError, match=why):
        base_files(recipe, decided, lambda: (), tmp_path, resumes=False)


def test_four_bits_that_a_later_stage_wants_on_a_gpu_are_asked_for_before_the_first_one(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = [{"name": "wide", "window": 64}, {"name": "last", "window": 64, "method": "qlora"}]
    recipe = load_recipe({"shelf": ["sample:tale"], "base": str(tiny_base), "stages": stages}).recipe
    decided = decide(recipe, BasePick(str(tiny_base), "said", False))
    four = decided.with_stage(1, decided.stages[1].model_copy(update={"precision": "nf4"}))
    monkeypatch.setattr("quire.planner.precision.find_spec", lambda _name: None)
    with pytest.raises(RecipeError, match="needs bitsandbytes"):
        base_files(recipe, four.model_copy(update={"device": "cuda"}), lambda: (), tmp_path, resumes=False)
