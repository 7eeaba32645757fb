from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quire.errors import RecipeError
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe
from quire.verbs.searching.space import (
    Dimension,
    check_space,
    decisive,
    default_space,
    own_values,
    parse_space,
    shown,
)

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj")


def recipe(**train: Any) -> Recipe:
    return load_recipe({"shelf": ["a.md"], "train": train}).recipe


def staged() -> Recipe:
    stages = [
        {"name": "wide", "method": "full"},
        {"name": "deep"},
        {"name": "imprint", "method": "inherit", "epochs": 1},
    ]
    return load_recipe({"shelf": ["a.md"], "stages": stages}).recipe


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("train.learning_rate=1e-5..1e-3/log", Dimension("train.learning_rate", low=1e-5, high=1e-3, log=True)),
        ("train.epochs=1..6", Dimension("train.epochs", low=1, high=6)),
        ("train.epochs=0.5..2", Dimension("train.epochs", low=0.5, high=2)),
        ("a.dropout=.0..0.2", Dimension("a.dropout", low=0.0, high=0.2)),
        ("a.rank = 8|16 | 32", Dimension("a.rank", (8, 16, 32))),
        ("a.targets=all-linear|[q_proj, v_proj]", Dimension("a.targets", ("all-linear", ["q_proj", "v_proj"]))),
        ("a.rank=[8, 16]", Dimension("a.rank", (8, 16))),
        ("train.dora=true|false", Dimension("train.dora", (True, False))),
    ],
)
def test_a_space_as_it_is_written(text: str, dimension: Dimension) -> None:
    assert parse_space([text]) == (dimension,)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("train.epochs=3", "neither a range nor choices"),
        ("train.epochs=6..1", "from low to high"),
        ("train.learning_rate=0..1/log", "begins above 0"),
        ("train.epochs=one..two", "neither a range nor choices"),
    ],
)
def test_what_is_no_space_says_how_one_is_written(text: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem) as caught:
        parse_space([text])
    assert "1e-5..1e-3/log" in caught.value.then


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(RecipeError, match="twice"):
        parse_space(["train.epochs=1..3", "train.epochs=1..4"])


def test_a_space_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text("train.learning_rate: 1e-5..1e-3/log\ntrain.method.lora.rank: [8, 16]\n", encoding="utf-8")
    assert [dimension.key for dimension in parse_space([str(file)])] == [
        "train.learning_rate",
        "train.method.lora.rank",
    ]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("seed", "losses could not be compared"),
        ("base", "losses could not be compared"),
        ("shelf.0.test", "losses could not be compared"),
        ("train.window", "losses could not be compared"),
        ("train.chunk.sentences", "losses could not be compared"),
        ("train.loss", "losses could not be compared"),
        ("train.keep", "nothing that is learned"),
        ("write.top_k", "nothing that is learned"),
        ("imprint", "single settings"),
    ],
)
def test_what_would_spoil_the_comparison_is_refused(key: str, reason: str) -> None:
    (problem,) = check_space([Dimension(key, (1, 2))], recipe())
    assert problem.startswith(f"{key} cannot be searched")
    assert reason in problem


@pytest.mark.parametrize("key", ["train.goldfish", "train.stride", "train.method.lora.dora", "train.schedule"])
def test_whatever_else_is_learned_by_may_be_searched(key: str) -> None:
    assert check_space([Dimension(key, (1, 2))], recipe()) == []


def test_of_stages_the_last_ones_measure_is_fixed_and_shared_keys_are_named_by_stage() -> None:
    assert check_space([Dimension("stages.wide.window", (64, 128))], staged()) == []
    assert "held-out text is cut" in check_space([Dimension("stages.imprint.window", (64, 128))], staged())[0]
    assert "name stages.imprint.epochs" in check_space([Dimension("train.epochs", (1, 2))], staged())[0]


def test_an_unknown_key_is_answered_with_the_nearest() -> None:
    assert "did you mean train.learning_rate?" in check_space([Dimension("train.lr", (1, 2))], recipe())[0]


def test_the_default_space_lies_around_the_recipes_own_values() -> None:
    given = recipe(learning_rate=2e-4, epochs=3)
    space = {dimension.name: dimension for dimension in default_space(given, LAYERS)}
    assert list(space) == ["learning_rate", "rank", "alpha", "dropout", "targets", "epochs"]
    assert (space["learning_rate"].low, space["learning_rate"].high, space["learning_rate"].log) == (4e-5, 1e-3, True)
    assert space["rank"].choices == (8, 16, 32, 64)
    assert space["targets"].choices == ("all-linear", ["q_proj", "v_proj"])
    assert (space["epochs"].low, space["epochs"].high) == (1, 6)
    own = own_values(tuple(space.values()), given)
    assert len(own) == 6
    assert all(space[key.rpartition(".")[2]].holds(value) for key, value in own.items())


@pytest.mark.parametrize(
    ("train", "keys"),
    [
        ({"method": "full"}, ["learning_rate", "weight_decay", "epochs"]),
        (
            {"method": {"qlora": {"rank": 1}}, "steps": 100},
            ["learning_rate", "rank", "alpha", "dropout", "targets", "steps"],
        ),
        ({"samples": 9, "epochs": 1}, []),
    ],
)
def test_the_default_space_speaks_of_what_the_recipe_does(train: dict[str, Any], keys: list[str]) -> None:
    if not keys:
        given = recipe(samples=9)
        assert default_space(given, LAYERS)[-1] == Dimension("train.samples", low=4, high=18, log=True)
        return
    given = recipe(**train)
    space = default_space(given, LAYERS)
    assert [dimension.name for dimension in space] == keys
    assert set(own_values(space, given)) == {dimension.key for dimension in space}


def test_an_inherited_adapter_keeps_its_shape() -> None:
    space = default_space(staged(), LAYERS)
    assert [dimension.key for dimension in space] == ["stages.imprint.learning_rate", "stages.imprint.epochs"]
    assert decisive(staged())[1] == "stages.imprint"


def test_every_edge_of_a_default_space_is_a_recipe() -> None:
    for train in (
        {},
        {"method": "full"},
        {"method": {"lora": {"rank": 1, "dropout": 0.3}}},
        {"epochs": 0.4},
        {"steps": 1},
    ):
        given = recipe(**train)
        for dimension in default_space(given, LAYERS):
            for value in dimension.edges:
                load_recipe({"shelf": ["a.md"], "train": train}, {dimension.key: value})


def test_a_dimension_survives_json() -> None:
    for text in ("a.b=1e-5..1e-3/log", "a.b=x|[y, z]|3"):
        (dimension,) = parse_space([text])
        assert Dimension.from_json(dimension.to_json()) == dimension


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00012345, "0.000123"), (8, "8"), (["q", "v"], "q,v"), ("all-linear", "all-linear"), (True, "true")],
)
def test_values_as_tables_show_them(value: Any, text: str) -> None:
    assert shown(value) == text
