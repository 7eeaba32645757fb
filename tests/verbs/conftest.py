"""What the tests of several verbs read."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.run.events import Event
from quire.verbs.train import Run, train
from toy import TINY_TRAINING, toy_book, varied_book


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """Two novels that differ: `wide.md` and `book.md`."""
    folder = tmp_path / "books"
    folder.mkdir()
    varied_book(folder / "wide.md", seed=1)
    varied_book(folder / "book.md", seed=2)
    return folder


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_book(tmp_path_factory.mktemp("books") / "river.md")


@pytest.fixture(scope="session")
def heard() -> list[Event]:
    return []


@pytest.fixture(scope="session")
def run(book: Path, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory, heard: list[Event]) -> Run:
    """A finished run.  Not to be changed."""
    place = tmp_path_factory.mktemp("runs") / "river"
    return train(book, base=str(tiny_base), run=place, settings=TINY_TRAINING, listener=heard.append)
