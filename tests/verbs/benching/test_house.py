"""What is measured around the training."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.books.book import Book
from quire.run.events import EventLog
from quire.run.folder import RunFolder
from quire.verbs.benching import house
from quire.verbs.read import read


@pytest.fixture(scope="module")
def novella() -> Book:
    return read("sample:novella").books[0]


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Little of everything, and nothing left behind."""
    for name, value in {"STARTS": 1, "ROUNDS": 1, "LONG_WORDS": 1, "PDF_PAGES": 4, "PACKED": 1}.items():
        monkeypatch.setattr(house, name, value)
    (tmp_path / "home").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "home"))


def test_starting_is_measured() -> None:
    figures = {figure.name: figure for figure in house.starting()}
    assert 0 < figures["quire --help"].value < 30
    assert 0 <= figures["import quire"].value < 30


def test_reading_is_measured_in_words_and_pages_and_leaves_nothing(novella: Book, tmp_path: Path) -> None:
    figures = {figure.name: figure for figure in house.reading(novella)}
    words, pages = figures["reading a long text"], figures["reading a long text, in pages"]
    assert words.value == pytest.approx(300 * pages.value)
    assert figures["reading a PDF"].how.startswith("4 pages")
    assert list((tmp_path / "home").iterdir()) == []


def test_tokenising_and_packing_are_measured(novella: Book) -> None:
    tokenising, packing = house.tokenising(novella)
    assert tokenising.value > 0
    assert packing.value > 0


def test_the_audit_is_of_texts_that_recite(novella: Book) -> None:
    audit, index = house.auditing(novella)
    assert (audit.unit, index.unit) == ("s", "s")
    texts = house._written(novella)
    assert [len(text.split()) for text in texts] == [house.TEXT_WORDS] * house.TEXTS
    book = " ".join(novella.text.split())
    assert all(" ".join(text.split()[-house.RECITED :]) in book for text in texts)


def test_the_first_step_counts_from_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(command: list[str], **_: object) -> None:
        folder = RunFolder.create(Path(command[command.index("--run") + 1]))
        log = EventLog(folder.events_file)
        log.append("start", "", 0, 0, {})
        log.append("step", "", 0, 1, {})

    monkeypatch.setattr(house.subprocess, "run", train)
    assert 0 <= house.first_step().value < 10
