"""What the recipe's sections make of the short forms, and what they refuse."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from quire.recipe.fresh import FreshBase
from quire.recipe.keys import walk
from quire.recipe.method import Lora, Method
from quire.recipe.schema import (
    PLAIN_STAGE,
    BaseChoice,
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
        ("qlora", "qlora", 16),
        ({"qlora": {"rank": 4}}, "qlora", 4),
        ("inherit", "inherit", None),
    ],
)
def test_the_method_in_all_its_forms(written: object, kind: str, rank: int | None) -> None:
    method = Method.model_validate(written)
    assert method.kind == kind
    assert (method.adapter.rank if method.adapter else None) == rank
    assert Method.model_validate(method.model_dump()) == method


@pytest.mark.parametrize(
    "written", ["mlora", "LoRA", {"full": True, "lora": {}}, {"full": False, "lora": None, "x": 1}]
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
        ({"optimizer": "sgd"}, "adamw_8bit"),
        ({"method": "full", "precision": "int8"}, "weights in int8 cannot learn"),
        ({"method": "qlora", "precision": "bf16"}, "the base of qlora is in int8 or nf4"),
        ({"method": {"lora": {"dora": True}}, "onto": "stack"}, "adapters that add up"),
        ({"method": {"lora": {"dora": True, "init": "pissa"}}}, "pissa goes neither"),
        ({"method": {"lora": {"targets": []}}}, "names no layer"),
        ({"method": {"qlora": {"targets": ""}}}, "names no layer"),
        ({"method": {"lora": {"targets": ["q_proj", ""]}}}, "names no layer"),
        ({"replay": "100%"}, "less than everything"),
        ({"replay": 0}, "more than nothing"),
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


@pytest.mark.parametrize(
    "settings", [{"seed": -1}, {"seed": 2**53}, {"write": {"seed": -1}}, {"write": {"seed": 2**63}}]
)
def test_a_seed_is_a_number_that_every_draw_can_begin_with(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"greater than or equal to 0|less than"):
        Recipe.model_validate(settings)


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Lora().rank = 4


def test_every_key_has_a_help_that_ends_as_a_sentence() -> None:
    helps = {key.dotted: key.help for key in walk()}
    assert len(helps) > 80
    assert [name for name, text in helps.items() if not text or text[-1] not in ".?"] == []


CURRICULUM = {
    "shelf": ["book.txt"],
    "train": {"window": 512},
    "stages": [
        {"name": "wide", "method": "full", "shelf": [{"path": "corpus.jsonl", "stream": True}]},
        {"name": "narrow", "method": {"qlora": {"rank": 8}}},
        {"name": "imprint", "method": "inherit"},
    ],
}


def test_a_recipe_without_stages_is_a_curriculum_of_one() -> None:
    recipe = Recipe.model_validate({"shelf": ["book.txt"], "train": {"epochs": 2}})
    (stage,) = recipe.curriculum
    assert (stage.name, stage.epochs, stage.shelf) == (PLAIN_STAGE, 2, recipe.shelf)
    assert stage.model_dump(exclude={"name", "shelf"}) == recipe.train.model_dump()


def test_a_stage_without_a_shelf_has_that_of_the_recipe() -> None:
    recipe = Recipe.model_validate(CURRICULUM)
    assert [stage.shelf[0].path for stage in recipe.curriculum] == ["corpus.jsonl", "book.txt", "book.txt"]
    assert recipe.as_plain(0).shelf == recipe.stages[0].shelf
    assert recipe.as_plain(1).curriculum[0].method == recipe.stages[1].method


def test_a_stage_that_inherits_is_carried_out_by_the_method_before_it() -> None:
    recipe = Recipe.model_validate(CURRICULUM)
    assert [recipe.carried_out(number).method.kind for number in range(3)] == ["full", "qlora", "qlora"]
    assert recipe.curriculum[2].method.kind == "inherit"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"stages": [{"name": "a", "method": "full"}, {"name": "a"}]}, "two stages are called a"),
        ({"stages": [{"name": "a", "method": "inherit"}]}, "nothing to inherit"),
        ({"stages": [{"name": "A Stage"}]}, "small letters"),
        ({"stages": [{"name": "3"}]}, "small letters"),
        ({"stages": [{"name": "a" * 65}]}, "at most 64 letters"),
        ({"train": {"method": "inherit"}, "stages": []}, "name it with from:"),
        (
            {"stages": [{"name": "a", "method": "full"}, {"name": "b", "method": "inherit", "precision": "int8"}]},
            "stage b inherits weights that all learn",
        ),
        (
            {"stages": [{"name": "a", "method": {"lora": {"dora": True}}}, {"name": "b", "onto": "stack"}]},
            "stage b cannot be put onto: stack .* has dora",
        ),
        (
            {
                "stages": [
                    {"name": "a", "method": {"lora": {"bias": "all"}}},
                    {"name": "b", "method": "inherit"},
                    {"name": "c", "onto": "stack"},
                ]
            },
            "stage c .* has biases",
        ),
        ({"from": "runs/first", "base": "embedded"}, "brings its own base"),
        ({"train": {"replay": "10%"}}, "name that run with from:"),
    ],
)
def test_curricula_that_cannot_be(changes: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Recipe.model_validate(CURRICULUM | changes)


def test_what_a_stage_leaves_may_go_on_in_another_form() -> None:
    stages = [{"name": "a", "method": {"lora": {"dora": True}}}, {"name": "b"}, {"name": "c", "onto": "stack"}]
    Recipe.model_validate(CURRICULUM | {"stages": stages})  # merged by b, so that c lies on a plain adapter
    stages = [{"name": "a", "method": "qlora"}, {"name": "b", "method": "inherit", "precision": "bf16"}]
    Recipe.model_validate(CURRICULUM | {"stages": stages})


def test_an_earlier_voice_can_be_inherited() -> None:
    recipe = Recipe.model_validate({"from": "runs/first", "shelf": ["b.txt"], "train": {"method": "inherit"}})
    assert recipe.earlier == "runs/first"
    assert recipe.method_of(0) is None


def curriculum_of(*stages: dict[str, object], **recipe: object) -> Recipe:
    named = [{"name": f"stage-{number}", **stage} for number, stage in enumerate(stages)]
    return Recipe.model_validate({"shelf": ["a.txt"], "stages": named, **recipe})


def adapter_of(recipe: Recipe, number: int, earlier: Method | None = None) -> tuple[int, float, object]:
    adapter = recipe.carried_out(number, earlier).method.adapter
    assert adapter is not None
    return adapter.rank, adapter.alpha, adapter.targets


def test_what_goes_on_with_an_earlier_voice_is_of_its_method() -> None:
    earlier = Method(lora=Lora(rank=64, alpha=8, lr_ratio=4))
    recipe = curriculum_of({"method": "inherit"}, {"method": "inherit"}, **{"from": "runs/first"})
    assert [recipe.method_of(number, earlier) for number in (0, 1)] == [earlier, earlier]
    assert recipe.carried_out(1, Method(full=True, lora=None)).method.kind == "full"
    assert recipe.method_of(1) is None
    assert curriculum_of({"method": "full"}, **{"from": "runs/first"}).carried_out(0, earlier).method.kind == "full"


def test_adapters_that_were_saved_as_one_go_on_with_the_ranks_of_all() -> None:
    inherit = {"method": "inherit"}
    pissa = {"method": {"lora": {"rank": 4, "init": "pissa", "lr_ratio": 16}}}
    assert adapter_of(curriculum_of(pissa, inherit), 0) == (4, 32, "all-linear")
    assert adapter_of(curriculum_of(pissa, inherit), 1) == (8, 8, "all-linear")
    method = curriculum_of(pissa, inherit).carried_out(1).method
    assert method.adapter is not None
    assert method.adapter.lr_ratio == 16
    query = {"method": {"lora": {"rank": 4, "targets": ["q_proj"]}}}
    value = {"method": {"lora": {"rank": 2, "targets": "v_proj"}}}
    stacked = curriculum_of(query, value | {"onto": "stack"}, inherit, inherit)
    assert adapter_of(stacked, 1) == (2, 32, "v_proj")
    assert adapter_of(stacked, 2) == adapter_of(stacked, 3) == (4, 4, ["q_proj", "v_proj"])
    again = curriculum_of(query, {**query, "onto": "stack"}, inherit)
    assert adapter_of(again, 2) == (8, 8, ["q_proj"])
    assert adapter_of(curriculum_of(query, value, inherit), 2) == (2, 32, "v_proj"), "the first was melted in"
    assert adapter_of(curriculum_of({"method": "full"}, value | {"onto": "stack"}, inherit), 2) == (2, 32, "v_proj")
    second = curriculum_of({"method": {"lora": {"rank": 2}}, "onto": "stack"}, inherit, **{"from": "runs/first"})
    assert adapter_of(second, 1, Method(lora=Lora(rank=16))) == (18, 18, "all-linear")


def test_what_melts_is_an_adapter_under_what_is_not_stacked_on_it() -> None:
    stages = [
        {"name": "a"},
        {"name": "b", "method": "inherit"},
        {"name": "c", "onto": "stack"},
        {"name": "d", "method": "qlora"},
        {"name": "e", "method": "full"},
        {"name": "f"},
    ]
    recipe = Recipe.model_validate(CURRICULUM | {"stages": stages})
    assert [recipe.melts(number) for number in range(6)] == [False, False, False, True, True, False]
    again = Recipe.model_validate({"from": "runs/first", "shelf": ["b.txt"]})
    assert [again.melts(0, earlier) for earlier in (None, Method(), Method(full=True, lora=None))] == [
        False,
        True,
        False,
    ]
