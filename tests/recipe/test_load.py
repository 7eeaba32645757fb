from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.errors import BookError, RecipeError
from quire.recipe.bases import Advice
from quire.recipe.fresh import FreshBase
from quire.recipe.load import DEFAULT, Loaded, dump_recipe, load_recipe, parse_setting, recipe_for
from quire.recipe.schema import BaseChoice
from quire.recipe.yaml_text import parse_yaml
from quire.units import Warmup

SHELF = {"shelf": ["novel.txt"]}


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(data: Mapping[str, Any], overrides: Mapping[str, object] | None = None) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(SHELF | dict(data), overrides)
    lines = caught.value.what.splitlines()
    return [line.strip().removesuffix(";") for line in lines[1:]] or [lines[0].removeprefix("the recipe: ")]


def test_a_book_needs_no_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "novel.txt").write_text("")
    loaded = recipe_for("novel.txt")
    assert loaded.recipe.shelf[0].path == str(tmp_path / "novel.txt")
    assert loaded.recipe.train.epochs == 3
    assert loaded.provenance["shelf.0.path"] == "novel.txt"
    assert loaded.provenance["train.epochs"] == "default"


def test_defaults_then_advice_then_recipe_then_flags(tmp_path: Path) -> None:
    path = write(tmp_path, "shelf: [novel.txt]\ntrain:\n  window: 512\n  epochs: 5\n")
    advice = {
        "train.learning_rate": Advice(1e-3, "it is small"),
        "train.window": Advice(128, "not taken"),
        "train.method.lora.rank": Advice(32, "it is narrow"),
    }
    loaded = load_recipe(path, {"train.epochs": 1, "train.warmup": "10%"}, advice)
    train = loaded.recipe.train
    assert (train.window, train.epochs, train.learning_rate) == (512, 1, 1e-3)
    assert train.method.lora is not None
    assert train.method.lora.rank == 32
    assert loaded.provenance["train.window"] == "recipe.yaml, line 3"
    assert loaded.provenance["train.epochs"] == "set by hand"
    assert loaded.provenance["train.learning_rate"] == "advice: it is small"
    assert loaded.provenance["train.schedule"] == "default"


def test_advice_for_an_adapter_is_not_forced_on_a_full_training() -> None:
    advice = {"train.method.lora.rank": Advice(32, "narrow")}
    assert load_recipe(SHELF | {"train": {"method": "full"}}, advice=advice).recipe.train.method.kind == "full"


def test_exponents_without_a_point_are_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "shelf: [a]\ntrain: {learning_rate: 5e-5}\n")
    assert load_recipe(path).recipe.train.learning_rate == 5e-5
    key, value = parse_setting("train.learning_rate=1e-4")
    assert load_recipe(path, {key: value}).recipe.train.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("train.method.lora.targets=[q_proj, v_proj]", ("train.method.lora.targets", ["q_proj", "v_proj"])),
        ("write.prompt=a = b", ("write.prompt", "a = b")),
        ("name=", ("name", None)),
    ],
)
def test_setting_by_hand_is_a_yaml_value(text: str, pair: tuple[str, object]) -> None:
    assert parse_setting(text) == pair


@pytest.mark.parametrize("text", ["train.epochs", "=3"])
def test_setting_by_hand_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="not key=value"):
        parse_setting(text)


def test_paths_of_a_recipe_start_from_the_recipe_and_others_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipes" / "mybase").mkdir(parents=True)
    path = write(tmp_path / "recipes", "base: mybase\nshelf: [../books/a.txt, {path: /b.txt}, sample:poems]\n")
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(path).recipe
    assert [item.path for item in recipe.shelf] == [str(tmp_path / "books" / "a.txt"), "/b.txt", None]
    assert recipe.base == str(tmp_path / "recipes" / "mybase")
    by_hand = load_recipe(path, {"shelf": ["c.txt"], "base": "mybase"}).recipe
    assert by_hand.shelf[0].path == str(tmp_path / "c.txt")
    assert by_hand.base == "mybase"


def test_item_of_the_shelf_is_set_by_its_number(tmp_path: Path) -> None:
    path = write(tmp_path, "shelf: [a.txt, b.txt]\n")
    loaded = load_recipe(path, {"shelf.1.test": "20%"})
    assert [item.test for item in loaded.recipe.shelf] == [0.1, 0.2]
    assert loaded.provenance["shelf.1.test"] == "set by hand"
    assert loaded.provenance["shelf.1.path"] == "recipe.yaml, line 1"
    with pytest.raises(RecipeError, match="no such item"):
        load_recipe(path, {"shelf.2.test": "20%"})


def test_a_column_of_the_filter_is_set_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, "shelf: [{path: a.jsonl, where: {type: Love}}, b.txt]\n")
    loaded = load_recipe(path, {"shelf.0.where.age": "Renaissance", "shelf.1.where.dc.date": ["1600", "1601"]})
    assert loaded.recipe.shelf[0].where == {"type": "Love", "age": "Renaissance"}
    assert loaded.recipe.shelf[1].where == {"dc.date": ["1600", "1601"]}
    assert loaded.provenance["shelf.0.where"] == "set by hand"
    assert load_recipe(path).provenance["shelf.0.where"] == "recipe.yaml, line 1"


def test_short_form_of_the_method_can_be_refined_by_hand() -> None:
    loaded = load_recipe(SHELF | {"train": {"method": "lora"}}, {"train.method.lora.rank": 4})
    assert loaded.recipe.train.method.lora is not None
    assert loaded.recipe.train.method.lora.rank == 4
    assert load_recipe(SHELF, {"train.method": "full"}).recipe.train.method.kind == "full"


def test_base_may_be_a_choice_or_made_from_scratch() -> None:
    assert load_recipe(SHELF | {"base": {"gpu": "a", "cpu": "b"}}).recipe.base == BaseChoice(gpu="a", cpu="b")
    assert isinstance(load_recipe(SHELF | {"base": {"fresh": {"layers": 2}}}).recipe.base, FreshBase)
    assert mistakes({"base": {"gpu": "a"}}) == ["base.cpu: is missing"]
    assert mistakes({"base": {"fresh": {"layer": 2}}}) == [
        "base.fresh.layer: unknown key; did you mean base.fresh.layers?"
    ]


def test_all_mistakes_of_all_sections_are_told_together() -> None:
    found = mistakes(
        {
            "lr": 3,
            "base": {"gpu": "x"},
            "shelf": [{"path": "a", "pth": 1, "format": "conversations"}, {"stream": True, "sample": "tale"}, {}],
            "train": {
                "learnig_rate": 3, "epochs": -1, "window": "wide", "stride": 2.5, "batch": "many", "goldfish": 1,
                "warmup": "soon", "method": {"lora": {"r": 8, "init": "warm"}, "full": True}, "steps": 1, "samples": 1,
            },
            "stages": [{}],
            "write": {"temperatur": 1, "num_return_sequences": 3, "num_beams": 2, "top_p": 0},
        },
        {"train.lora.rank": 8, "judge.words": 3},
    )  # fmt: skip
    assert sorted(found) == sorted([
        "lr: unknown key; did you mean train.learning_rate?",
        "base.cpu: is missing",
        "shelf.0.pth: unknown key; did you mean shelf.0.path?",
        "shelf.1: stream is for tables and hub data sets",
        "shelf.2: give exactly one of path, hub, sample",
        "train.learnig_rate: unknown key; did you mean train.learning_rate?",
        "train.epochs: must be more than 0 (it is -1)",
        "train.epochs: give steps, samples or epochs, not two",
        "train.window: must be a whole number (it is wide)",
        "train.stride: must be a whole number (it is 2.5)",
        "train.batch: must be a whole number or auto (it is many)",
        "train.goldfish: must be at least 2 (it is 1)",
        "train.warmup: expected a share such as 10% or 0.1 (it is soon)",
        "train.method.lora.r: unknown key; did you mean train.method.lora.rank?",
        "train.method.lora.init: must be default, gaussian or pissa (it is warm)",
        "train.method: give exactly one of lora, qlora, full, inherit",
        "train: give steps or samples, not both",
        "stages.0.name: is missing",
        "write.temperatur: unknown key; did you mean write.temperature?",
        "write.top_p: must be more than 0 (it is 0)",
        "write: num_return_sequences cannot exceed num_beams",
        "train.lora.rank: unknown key; did you mean train.method.lora.rank?",
        "judge.words: not yet: words is planned but not built",
    ])  # fmt: skip


def test_one_mistake_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    path = write(tmp_path, "shelf: [a]\ntrain:\n  epoch: 3\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert caught.value.what == f"{path}: train.epoch (line 3): unknown key; did you mean train.epochs?"
    assert caught.value.then == "write train.epochs instead of train.epoch"


def test_mistakes_on_one_line_are_told_apart() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(SHELF, {"train.epochs": 0, "train.window": "wide"})
    assert " ".join(caught.value.what.split()) == (
        "the recipe has 2 mistakes: train.window: must be a whole number (it is wide); "
        "train.epochs: must be more than 0 (it is 0)"
    )


def test_missing_shelf_is_told_with_the_other_mistakes() -> None:
    with pytest.raises(RecipeError, match=r"2 mistakes(.|\n)*train\.epochs(.|\n)*shelf: no text is named"):
        load_recipe({"train": {"epochs": 0}})
    assert load_recipe({}, need_shelf=False).recipe.shelf == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- a\n- b\n", "must consist of key: value"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a: [", "is not valid YAML"),
        (b"x" * (2 << 20), "too large for a recipe"),
        (b"", "no text is named"),
    ],
)
def test_file_that_is_no_recipe_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=message):
        recipe_for(path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no recipe .*x\.yaml"):
        recipe_for(tmp_path / "x.yaml")
    with pytest.raises(BookError, match=r"there is no .*x\.epub"):
        recipe_for(tmp_path / "x.epub")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "folder.yaml")


def test_source_may_be_a_sample_a_folder_a_glob_or_a_run(tmp_path: Path) -> None:
    assert recipe_for("sample:novella").recipe.shelf[0].sample == "novella"
    assert recipe_for(tmp_path).recipe.shelf[0].path == str(tmp_path)
    assert recipe_for(f"{tmp_path}/*.txt").recipe.shelf[0].path == f"{tmp_path}/*.txt"
    (tmp_path / "format").write_text("1")
    with pytest.raises(RecipeError, match=r"no recipe\.yaml yet"):
        recipe_for(tmp_path)
    write(tmp_path, "shelf: [/a.txt]\ntrain: {epochs: 9}\nquire: {versions: {}}\ndecided: {}\n")
    assert recipe_for(tmp_path).recipe.train.epochs == 9


def test_number_is_a_fine_name() -> None:
    assert load_recipe(SHELF | {"name": 1984}).recipe.name == "1984"


shares = st.floats(0, 0.4)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
lora = st.fixed_dictionaries({}, optional={
    "rank": st.integers(1, 256), "alpha": st.floats(0.5, 512),
    "targets": st.just("all-linear") | st.lists(words, min_size=1), "dora": st.booleans(),
})  # fmt: skip
recipes = st.fixed_dictionaries(
    {"shelf": st.lists(
        st.fixed_dictionaries(
            {"path": words.map(lambda word: "/books/" + word)},
            optional={"where": st.dictionaries(words, words | st.lists(words)), "validation": shares, "test": shares},
        ), min_size=1, max_size=3,
    )},
    optional={
        "name": words, "seed": st.integers(0, 2**31),
        "base": words | st.fixed_dictionaries({"gpu": words, "cpu": words}),
        "train": st.fixed_dictionaries({}, optional={
            "method": st.just("full") | st.fixed_dictionaries({"lora": lora}),
            "window": st.integers(8, 4096), "epochs": st.floats(0.01, 50), "learning_rate": st.floats(1e-7, 1e-1),
            "warmup": st.integers(0, 500) | shares, "batch": st.just("auto") | st.integers(1, 64),
            "chunk": st.none() | st.fixed_dictionaries({"sentences": st.integers(1, 50)}), "parts": st.integers(1, 20),
        }),
        "write": st.fixed_dictionaries({}, optional={"stop": st.lists(words), "prompt": st.text(max_size=30).filter(
            lambda text: text.isprintable())}),
    },
)  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(recipes)
def test_written_recipe_is_read_back_as_the_same(data: dict[str, Any]) -> None:
    recipe = load_recipe(data).recipe
    text = dump_recipe(recipe)
    again: Loaded = load_recipe(parse_yaml(text, "x").data)
    assert again.recipe == recipe
    assert dump_recipe(again.recipe) == text


def test_units_are_written_as_people_write_them() -> None:
    text = dump_recipe(load_recipe(SHELF | {"train": {"warmup": 100, "learning_rate": 5e-5}}).recipe)
    assert "validation: 5%" in text.replace("'", "")
    assert "warmup: 100\n" in text
    assert load_recipe(SHELF | {"train": {"warmup": "100"}}).recipe.train.warmup == Warmup(steps=100)
    assert "not_yet" not in text
    assert "push" not in text


def test_a_recipe_that_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    for name in ("pipe.yaml", "folder.yaml", "zero.yaml"):
        with pytest.raises(RecipeError, match="cannot be read: it is not a file"):
            load_recipe(tmp_path / name)
    (tmp_path / "nowhere.yaml").symlink_to("absent")
    with pytest.raises(RecipeError, match="there is no recipe"):
        load_recipe(tmp_path / "nowhere.yaml")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / ("n" * 300 + ".yaml"))


CURRICULUM = """
shelf: [book.txt]
train:
  window: 512
  epochs: 2
  effective_batch: 16
stages:
  - name: wide
    method: full
    samples: 100
    shelf: [corpus.txt]
  - name: imprint
    method: inherit
    window: 1024
    effective_batch: 4
"""


def test_what_train_says_is_under_every_stage_and_says_where_it_came_from(tmp_path: Path) -> None:
    loaded = load_recipe(write(tmp_path, CURRICULUM))
    wide, imprint = loaded.recipe.stages
    assert (wide.window, wide.effective_batch, wide.samples) == (512, 16, 100)
    assert (imprint.window, imprint.effective_batch, imprint.epochs) == (1024, 4, 2)
    assert wide.epochs == 3, "a stage that counts windows is not told epochs"
    assert wide.shelf[0].path == str(tmp_path / "corpus.txt")
    origins = loaded.provenance
    assert origins["stages.wide.window"] == "recipe.yaml, line 4"
    assert origins["stages.imprint.window"] == "recipe.yaml, line 14"
    assert origins["stages.imprint.clip"] == DEFAULT


def test_a_stage_is_set_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, CURRICULUM)
    loaded = load_recipe(path, {"stages.imprint.epochs": 7, "train.window": 64})
    assert [stage.epochs for stage in loaded.recipe.stages] == [3, 7]
    assert [stage.window for stage in loaded.recipe.stages] == [64, 1024]
    assert loaded.provenance["stages.imprint.epochs"] == loaded.provenance["stages.wide.window"] == "set by hand"
    with pytest.raises(RecipeError, match="no such stage: the stages are wide, imprint"):
        load_recipe(path, {"stages.narrow.epochs": 7})


def test_mistakes_in_a_stage_name_it_and_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, CURRICULUM.replace("samples: 100", "sample: 100").replace("1024", "wide"))
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert "stages.wide.sample (line 10): unknown key; did you mean stages.wide.samples?" in caught.value.what
    assert "stages.imprint.window (line 14): must be a whole number (it is wide)" in caught.value.what


def test_a_curriculum_is_written_and_read_back_as_the_same(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, CURRICULUM)).recipe
    again = load_recipe(write(tmp_path, dump_recipe(recipe))).recipe
    assert again == recipe


def test_a_recipe_whose_stages_all_have_shelves_needs_none_itself(tmp_path: Path) -> None:
    loaded = load_recipe(write(tmp_path, "stages: [{name: a, shelf: [a.txt]}, {name: b, shelf: [b.txt]}]\n"))
    assert [stage.shelf[0].path for stage in loaded.recipe.curriculum] == [
        str(tmp_path / n) for n in ("a.txt", "b.txt")
    ]
    with pytest.raises(RecipeError, match="no text is named"):
        load_recipe(write(tmp_path, "stages: [{name: a, shelf: [a.txt]}, {name: b}]\n"))
