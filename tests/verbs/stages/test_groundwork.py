"""Before the first step: data made ready and told of, sources held to, an earlier run's book had or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quire.errors import BookError, RunError
from quire.recipe.load import load_recipe
from quire.recipe.resolved import Decided, ResolvedRecipe
from quire.recipe.schema import Recipe
from quire.run.events import Event, EventLog, read_events
from quire.run.folder import RunFolder
from quire.tokens.tokenizer import load_tokenizer
from quire.training.session import Session
from quire.training.watch import StopWish
from quire.training.watching.alarms import Alarms
from quire.verbs.stages.groundwork import hold_to_sources, prepare_all, resolve
from quire.verbs.texts.opening import open_texts
from toy import toy_book, unheard, varied_book

DECIDED = Decided(base="a/base")


def recipe_of(books: Path) -> Recipe:
    stages = [{"name": "wide", "shelf": [str(books / "wide.md")]}, {"name": "book", "shelf": [str(books / "book.md")]}]
    return load_recipe({"stages": stages, "train": {"window": 64}}).recipe


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    folder = RunFolder.create(tmp_path / "run")
    with EventLog(folder.events_file) as log:
        yield Session(folder, log, StopWish(), lambda event: None, ("wide", "book"), Alarms([]))


def test_what_is_made_ready_is_told_once_for_each_stage(
    session: Session, books: Path, tiny_base: Path, tmp_path: Path
) -> None:
    recipe, home = recipe_of(books), tmp_path / "prepared"
    texts = open_texts(recipe, home, None, unheard)
    data = prepare_all(session, recipe, DECIDED, [1], load_tokenizer(tiny_base), home, texts.library)
    assert list(data) == [1]
    resolved = resolve(recipe, DECIDED, data, None)
    assert resolved.decided.prepared == ("book",)
    assert list(resolved.sources) == [str(books / "book.md")]
    both = prepare_all(session, recipe, resolved.decided, [0, 1], load_tokenizer(tiny_base), home, texts.library)
    assert resolve(recipe, resolved.decided, both, resolved).decided.prepared == ("book", "wide")
    prepared: list[Event] = [e for e in read_events(session.folder.events_file) if e.kind == "prepared"]
    assert [(event.stage, event.values["rows"]) for event in prepared] == [
        ("book", len(data[1].rows[0])),
        ("wide", len(both[0].rows[0])),
    ]


def test_a_source_that_changed_since_its_stage_was_prepared_stops_the_run(
    session: Session, books: Path, tiny_base: Path, tmp_path: Path
) -> None:
    recipe, home, tokenizer = recipe_of(books), tmp_path / "prepared", load_tokenizer(tiny_base)
    data = prepare_all(session, recipe, DECIDED, [0], tokenizer, home, open_texts(recipe, home, None, unheard).library)
    earlier: ResolvedRecipe = resolve(recipe, DECIDED, data, None)
    varied_book(books / "book.md", seed=5)
    later = prepare_all(session, recipe, DECIDED, [1], tokenizer, home, open_texts(recipe, home, None, unheard).library)
    resolved = resolve(recipe, earlier.decided, later, earlier)
    assert len(resolved.sources) == 2, "what was not read before may be what it is"
    varied_book(books / "wide.md", seed=6)
    library = open_texts(recipe, home, None, unheard).library
    hold_to_sources(session, recipe, [1], resolved, library)
    with pytest.raises(RunError, match=r"wide\.md changed since"):
        hold_to_sources(session, recipe, [0, 1], resolved, library)


def test_a_stage_that_is_left_without_text_is_named(
    session: Session, books: Path, tiny_base: Path, tmp_path: Path
) -> None:
    """Its book says nothing that the other book, of the same few sentences, does not say in what it holds out."""
    for name in ("wide.md", "book.md"):
        toy_book(books / name, chapters=12 if name == "book.md" else 8)
    recipe = recipe_of(books)
    texts = open_texts(recipe, tmp_path, None, unheard)
    with pytest.raises(BookError, match="no text is left to train on in stage wide"):
        prepare_all(session, recipe, DECIDED, [0], load_tokenizer(tiny_base), tmp_path, texts.library)
