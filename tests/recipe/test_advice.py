from __future__ import annotations

from typing import Any

import pytest

from quire.recipe.advice import DIAL, advice_on, dial_in_words
from quire.recipe.bases import EMBEDDED, EMBEDDED_ADVICE
from quire.recipe.load import load_recipe
from quire.recipe.method import Lora, Method
from quire.recipe.schema import Recipe

SHELF = {"shelf": ["a.txt"]}


def advised(data: dict[str, Any], base: str = EMBEDDED) -> Recipe:
    loaded = load_recipe(SHELF | data)
    return load_recipe(SHELF | data, advice=advice_on(loaded, base)).recipe


def test_the_dial_sets_four_things_together_and_goes_one_way() -> None:
    found = [advised({"imprint": imprint}).train for imprint in DIAL]
    assert [train.epochs for train in found] == sorted({train.epochs for train in found})
    ranks = [train.method.adapter.rank for train in found if train.method.adapter]
    assert ranks == sorted(set(ranks))
    rates = [train.learning_rate for train in found]
    assert rates == sorted(rates)
    assert [train.goldfish for train in found] == [3, 4, None, None]
    assert all(t.method.adapter and t.method.adapter.alpha == 2 * t.method.adapter.rank for t in found)


def test_the_dial_turns_round_the_rate_that_suits_the_base() -> None:
    usual = EMBEDDED_ADVICE["train.learning_rate"].value
    assert advised({"imprint": "style"}).train.learning_rate == usual
    assert advised({"imprint": "style"}, "an/unknown-base").train.learning_rate == 2e-4
    assert advised({"imprint": "light"}, "an/unknown-base").train.learning_rate == 1e-4


def test_what_the_recipe_says_wins_over_the_dial() -> None:
    train = advised({"imprint": "memorise", "train": {"epochs": 2, "method": {"lora": {"rank": 3}}}}).train
    assert train.epochs == 2
    assert train.method.adapter is not None
    assert (train.method.adapter.rank, train.method.adapter.alpha) == (3, 128)


@pytest.mark.parametrize("method", ["full", "qlora"])
def test_the_dial_leaves_the_method_as_it_is(method: str) -> None:
    assert advised({"imprint": "strong", "train": {"method": method}}).train.method.kind == method


def test_steps_are_not_overruled_by_the_dials_epochs() -> None:
    assert advised({"imprint": "memorise", "train": {"steps": 5}}).train.epochs == 3


def test_in_a_curriculum_the_dial_is_that_of_the_last_stage() -> None:
    stages = [{"name": "wide", "method": "full"}, {"name": "narrow"}, {"name": "book", "method": "inherit"}]
    wide, narrow, book = advised({"imprint": "strong", "stages": stages}).stages
    assert (wide.epochs, narrow.epochs, book.epochs) == (3, 3, 6)
    assert wide.learning_rate == 3e-4, "advice for training all weights"
    assert narrow.learning_rate == book.learning_rate == 3e-3, "advice for an adapter, inherited or not"
    assert (narrow.goldfish, book.goldfish) == (None, None)


def test_an_earlier_voice_goes_on_learning_unless_another_method_is_named() -> None:
    assert advised({"from": "runs/first"}).train.method.kind == "inherit"
    assert advised({"from": "runs/first", "train": {"method": "full"}}).train.method.kind == "full"
    assert advised({"from": "runs/first", "imprint": "strong"}).train.method.kind == "inherit"


def test_an_earlier_voice_learns_at_the_rate_of_its_own_method() -> None:
    stages = [{"name": "wide"}, {"name": "book", "method": "inherit"}]
    for said in ({}, {"train": {"method": "inherit"}}):
        loaded = load_recipe(SHELF | {"from": "runs/first", "stages": stages} | said)
        full = advice_on(loaded, EMBEDDED, Method(full=True, lora=None))
        assert full["stages.wide.learning_rate"].value == full["stages.book.learning_rate"].value == 3e-4
        adapter = advice_on(loaded, EMBEDDED, Method())
        assert adapter["stages.wide.learning_rate"].value == adapter["stages.book.learning_rate"].value == 3e-3


def test_what_the_dial_has_set_is_said_in_words() -> None:
    style = advised({"imprint": "style", "train": {"epochs": 2}})
    assert dial_in_words(style, 0) == "style: 2 epochs, rank 16, learning rate 0.003, one token in 4 left out"
    assert dial_in_words(advised({}), 0) == ""
    two = advised(
        {"imprint": "strong", "stages": [{"name": "wide", "method": "full"}, {"name": "book", "method": "full"}]}
    )
    again = advised({"from": "runs/first", "imprint": "memorise"})
    assert "rank 64" in dial_in_words(again, 0, Method(lora=Lora(rank=64)))
    assert dial_in_words(two, 0) == ""
    assert dial_in_words(two, 1) == "strong: 6 epochs, learning rate 0.0003, no token left out"
