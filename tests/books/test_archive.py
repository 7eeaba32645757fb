"""Zip archives from strangers: what is read, what is refused, where references lead."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import bookfiles as making
from quire.books import archive
from quire.books.archive import Archive, resolve
from quire.errors import BookError


def test_entries_are_read_by_name(tmp_path: Path) -> None:
    opened = Archive(making.zipped(tmp_path / "a.zip", {"one.txt": "first", "in/two.txt": b"\x00\xff"}))
    assert opened.names == ["one.txt", "in/two.txt"]
    assert opened.read("one.txt") == b"first"
    assert opened.read("in/two.txt") == b"\x00\xff"
    assert "three.txt" not in opened
    with pytest.raises(KeyError):
        opened.read("three.txt")


def test_what_inflates_beyond_measure_is_refused_while_it_inflates(tmp_path: Path) -> None:
    opened = Archive(making.zipped(tmp_path / "bomb.zip", {"a": b" " * (4 * 2**20)}))
    with pytest.raises(BookError, match="inflates far beyond"):
        opened.read("a")


def test_a_small_entry_may_be_packed_as_tightly_as_it_likes(tmp_path: Path) -> None:
    opened = Archive(making.zipped(tmp_path / "a.zip", {"a": b" " * 2**20}))
    assert len(opened.read("a")) == 2**20


def test_all_entries_together_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    opened = Archive(making.zipped(tmp_path / "a.zip", {"a": "x" * 600, "b": "y" * 600}))
    opened.read("a")
    with pytest.raises(BookError, match="inflates far beyond"):
        opened.read("b")


def test_more_files_than_any_book_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_ENTRIES", 2)
    path = making.zipped(tmp_path / "a.zip", {"a": "", "b": "", "c": ""})
    with pytest.raises(BookError, match="holds 3 files"):
        Archive(path)


def test_no_archive_at_all_and_one_with_a_spoilt_entry(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 nothing more")
    with pytest.raises(BookError, match="damaged archive"):
        Archive(tmp_path / "a.zip")
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("page", "a line of text that will be spoilt")
    path.write_bytes(path.read_bytes().replace(b"a line of text", b"a lime of text", 1))
    with pytest.raises(BookError, match="damaged at page"):
        Archive(path).read("page")


@pytest.mark.parametrize(
    ("base", "reference", "entry"),
    [
        ("OEBPS/book.opf", "text/one.xhtml", "OEBPS/text/one.xhtml"),
        ("OEBPS/text/one.xhtml", "../two.xhtml#note3", "OEBPS/two.xhtml"),
        ("book.opf", "chapter%20one.xhtml", "chapter one.xhtml"),
        ("book.opf", "../outside.txt", ""),
        ("book.opf", "/etc/passwd", ""),
        ("book.opf", "https://example.org/a", ""),
        ("book.opf", "#here", ""),
    ],
)
def test_references_lead_to_entries_and_never_outside(base: str, reference: str, entry: str) -> None:
    assert resolve(base, reference) == entry
