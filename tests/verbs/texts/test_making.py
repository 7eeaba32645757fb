from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from corpora import write_novel
from quire.errors import RecipeError
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe, ShelfItem, Stage
from quire.tokens.tokenizer import Tokenizer
from quire.verbs.texts.library import open_library
from quire.verbs.texts.making import Company, Making, keep_of, windows_wanted


def making(recipe: Recipe, tokenizer: Tokenizer, home: Path, number: int = 0) -> Making:
    return Making(open_library(recipe), number, tokenizer, home, lambda _text: None, Company())


def recipe_of(novel: Path, **settings: object) -> Recipe:
    given = {f"train.{key}": value for key, value in ({"window": 64} | settings).items()}
    return load_recipe({"shelf": [{"path": str(novel)}]}, given).recipe


def test_a_stream_gives_what_the_books_do_not() -> None:
    stage = Stage(name="wide", shelf=(ShelfItem(path="a.jsonl", stream=True),))
    assert windows_wanted(stage, [10]) is None
    assert windows_wanted(stage.model_copy(update={"samples": 100}), [30]) == [70]
    assert windows_wanted(stage.model_copy(update={"samples": 100, "parts": 3}), [20, 0, 110]) == [80, 100, 1]
    assert windows_wanted(stage.model_copy(update={"steps": 20}), [0]) == [160], "eight rows make a step"
    assert windows_wanted(stage.model_copy(update={"samples": 10}), [30]) == [1], "books that give enough leave it one"


def test_goldfish_is_the_only_thinning() -> None:
    stage = Stage(name="book")
    assert keep_of(stage) is None
    keep = keep_of(stage.model_copy(update={"goldfish": 2}))
    assert keep is not None
    ids = np.arange(1000, dtype=np.int32)
    assert 0.4 < keep(ids, np.zeros(1, np.int64)).mean() < 0.6


def test_the_books_text_decides_the_name_and_where_it_lies_does_not(
    novel: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    one = making(recipe_of(novel), tokenizer, tmp_path)
    assert making(recipe_of(novel, epochs=9), tokenizer, tmp_path / "elsewhere").key == one.key
    assert making(recipe_of(novel, stride=32), tokenizer, tmp_path).key != one.key
    text = novel.read_text(encoding="utf-8")
    other = tmp_path / "novel.md"
    other.write_text(text[:-3] + "x.\n", encoding="utf-8")
    assert making(recipe_of(other), tokenizer, tmp_path).key != one.key


def test_rows_that_are_only_counted_are_those_that_are_prepared(
    novel: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    one = making(recipe_of(novel, parts=2, stride=16), tokenizer, tmp_path)
    counted = one.rows_of_books()
    assert not list(tmp_path.iterdir())
    mixed, streamed, books = one.mixed()
    assert streamed == ()
    assert [part.joined.count() for part in mixed] == [rows.count() for rows in counted]
    assert sorted(books) == ["train-0-0", "train-1-0", "validation-0", "validation-1"]


def test_replay_mixes_in_an_earlier_runs_book_and_nothing_that_is_held_out(
    novel: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    other = write_novel(tmp_path / "other.md", seed=4)
    before = open_library(recipe_of(other))
    given = {"shelf": [{"path": str(novel)}], "from": "runs/first"}
    recipe = load_recipe(given, {"train.window": 64, "train.replay": "50%"}).recipe
    one = Making(open_library(recipe, earlier=before), 0, tokenizer, tmp_path / "home", lambda _text: None, Company())
    (part,), _, books = one.mixed()
    assert part.replayed is not None
    assert part.joined.per_epoch == pytest.approx(2 * len(part.own[0]), abs=1)
    replayed = " ".join(tokenizer.decode(stretch.ids.tolist()) for stretch in part.replayed.stretches)
    held = [p.text for p in before.material(0).passages if p.split in ("validation", "test")]
    assert not any(text[:60] in replayed for text in held)
    assert len(books["forgetting"]) > 0
    assert making(recipe, tokenizer, tmp_path).replayed == (None, ()), "without the earlier run's text there is none"


def test_where_nothing_is_left_to_replay_that_is_said(novel: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    given = {"shelf": [{"path": str(novel)}], "from": "runs/first"}
    recipe = load_recipe(given, {"train.window": 64, "train.replay": "50%"}).recipe
    with pytest.raises(RecipeError, match=r"train\.replay: .*nothing is left"):
        making(recipe, tokenizer, tmp_path).mixed()
