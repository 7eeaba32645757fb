from __future__ import annotations

from pathlib import Path

import pytest

import quire
from quire.books.book import Shelf
from quire.errors import BookError, RecipeError
from quire.recipe.bases import Advice
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe
from quire.run.folder import RunFolder
from quire.verbs.source import load_source, name_of, run_path
from toy import toy_book


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return toy_book(tmp_path / "the river.md")


def recipe_of(source: str | Path | Shelf | Recipe, **settings: object) -> Recipe:
    return load_source(source, None, {key.replace("__", "."): value for key, value in settings.items()}).recipe


def test_a_book_a_name_works_and_a_recipe_all_name_the_same_shelf(book: Path) -> None:
    written = book.parent / "novel.yaml"
    written.write_text("shelf: [the river.md]\n")
    read = quire.read(book)
    for source in (book, str(book), "the river.md", read, written, recipe_of(book)):
        (item,) = recipe_of(source).shelf
        assert item.path == str(book)


def test_a_sample_is_named_by_its_name() -> None:
    (item,) = recipe_of("sample:tale").shelf
    assert item.sample == "tale"
    assert name_of("sample:tale", recipe_of("sample:tale")) == "tale"
    (read,) = recipe_of(quire.read("sample:tale")).shelf
    assert read.path is not None
    assert Path(read.path).is_file()


def test_the_hand_wins_over_the_recipe_and_the_recipe_over_advice(book: Path) -> None:
    given = load_recipe({"shelf": [str(book)], "train": {"learning_rate": 1e-4}}).recipe
    advice = {"train.learning_rate": Advice(9e-9, "because"), "train.window": Advice(99, "because")}
    advised = load_source(given, None, {}, advice)
    assert (advised.recipe.train.learning_rate, advised.recipe.train.window) == (1e-4, 99)
    by_hand = load_source(given, "a/base", {"train.learning_rate": 1e-3, "train.window": 64}, advice).recipe
    assert (by_hand.base, by_hand.train.learning_rate, by_hand.train.window) == ("a/base", 1e-3, 64)


def test_a_run_is_known_by_its_name_unless_a_file_of_that_name_is_there(book: Path) -> None:
    run = RunFolder.create(Path("runs/castle"))
    run.recipe_file.write_text(f"shelf: [{{path: {book}}}]\nseed: 99\n")
    assert recipe_of("castle").seed == recipe_of("runs/castle").seed == recipe_of(run.path).seed == 99
    toy_book(Path("castle"))
    assert recipe_of("castle").seed == 7


def test_where_a_run_lies(book: Path) -> None:
    recipe = recipe_of(book)
    assert run_path(book, None, recipe) == Path("runs/the-river")
    assert run_path(book, "elsewhere/x", recipe) == Path("elsewhere/x")
    assert run_path(book, None, recipe.model_copy(update={"name": "K. & Co"})) == Path("runs/k-co")
    run = RunFolder.create(Path("runs/castle"))
    assert run_path("castle", None, recipe) == run_path(run.path, None, recipe) == run.path


def test_a_recipe_whose_stages_name_the_texts_is_called_by_the_last_ones(book: Path) -> None:
    stages = [{"name": "wide", "shelf": ["sample:tale"]}, {"name": "narrow", "shelf": [str(book)]}]
    recipe = load_recipe({"stages": stages}).recipe
    assert run_path(recipe, None, recipe) == Path("runs/the-river")


def test_works_are_named_by_their_title(book: Path) -> None:
    read = quire.read(book)
    assert name_of(read, recipe_of(read)) == "The River"
    assert name_of(book, recipe_of(book)) == "the river"


def test_what_is_not_there_or_came_from_nowhere_is_named(book: Path) -> None:
    with pytest.raises(BookError, match=r"nothing\.epub"):
        recipe_of("nothing.epub")
    with pytest.raises(BookError, match="name no file"):
        recipe_of(Shelf(quire.read(book).books))
    with pytest.raises(RecipeError, match=r"train\.lerning_rate"):
        recipe_of(book, train__lerning_rate=1)
