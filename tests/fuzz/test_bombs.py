"""Files made to do harm: they are what they are said to be, and some of each family are tried."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import pytest

from fuzz import bombs
from quire.books.reading import read_path
from quire.errors import BOOK_FAULTS, BookError

QUICK = (
    *("md-quotes.md", "page-entities.epub", "deep.tei", "entities.docx", "entities.odt", "deep-row.jsonl"),
    *("groups.rtf", "lying.epub", "overlapping.epub", "nested.epub", "outside.epub", "twice.docx"),
    *("filters.pdf", "arrays.pdf", "nothing.pdf"),
)


@pytest.fixture(scope="module")
def made() -> dict[str, object]:
    return dict(bombs.bombs())


def outcome(path: Path) -> str:
    """`read`, or the code of the refusal; nothing else may come of it."""
    try:
        text = "".join(book.text for book in read_path(path))
    except BookError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.code in BOOK_FAULTS
        assert "\n" not in refused.what
        assert refused.then
        return refused.code
    assert "root:" not in text  # of /etc/passwd
    assert "ha ha ha" not in text
    return "read"


@pytest.mark.parametrize("name", QUICK)
def test_a_bomb_is_read_or_refused(made: dict[str, object], tmp_path: Path, name: str) -> None:
    make = made[name]
    assert callable(make)
    (tmp_path / name).write_bytes(make())
    began = time.monotonic()
    outcome(tmp_path / name)
    assert time.monotonic() - began < 65


@pytest.mark.slow
def test_all_of_them(tmp_path: Path) -> None:
    for path in bombs.write(tmp_path):
        began = time.monotonic()
        outcome(path)
        assert time.monotonic() - began < 65, path


def test_files_of_every_kind_cut_off(tmp_path: Path) -> None:
    whole = {}
    for name, data in bombs.cut():
        (tmp_path / name).write_bytes(data)
        result = outcome(tmp_path / name)
        if name.startswith("cut-000"):
            assert result == "empty"
        if name.startswith("cut-100"):
            whole[name] = result
    assert set(whole.values()) == {"read"}
    assert len(whole) == 10


def test_an_archive_that_lies_about_its_size() -> None:
    data = dict(bombs.bombs())["lying.epub"]()
    assert {info.file_size for info in zipfile.ZipFile(io.BytesIO(data)).infolist()} == {10}
    assert len(data) < 200_000


def test_each_file_is_removed_when_the_next_one_comes(tmp_path: Path) -> None:
    found = []
    for path in bombs.write(tmp_path):
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
        found.append(path.name)
        if len(found) == 3:
            break
    assert len(set(found)) == 3


def test_large_files_are_books_but_for_their_size(tmp_path: Path) -> None:
    names = []
    for path in bombs.large(tmp_path, 300_000):
        assert 290_000 < path.stat().st_size <= 300_000 or path.suffix == ".epub"
        assert outcome(path) == "read", path.name
        names.append(path.suffix)
    assert {".txt", ".html", ".md", ".rtf", ".tei", ".jsonl", ".csv", ".epub"} == set(names)
    assert not list(tmp_path.iterdir())
