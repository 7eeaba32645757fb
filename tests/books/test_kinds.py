"""Kinds of files: by their bytes before their names."""

from __future__ import annotations

from pathlib import Path

import pytest

import bookfiles as making
from quire.books.kinds import check_file, find_kind, is_book_name
from quire.books.limits import Limits
from quire.errors import BookError


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.txt", b"Plain words.", "txt"),
        ("a", b"Plain words.", "txt"),
        ("a.md", b"# Title", "md"),
        ("a.txt", b"\n <!DOCTYPE html><html>", "html"),
        ("a.htm", b"<p>Only nearly a page", "html"),
        ("a.dat", b"junk before %PDF-1.4", "pdf"),
        ("a.txt", rb"{\rtf1 Words}", "rtf"),
        ("a.jsonl", b'{"text": "one"}', "jsonl"),
        ("a", b'{"text": "one"}\n{"text": "two"}', "jsonl"),
        ("a.txt", b'{"text": never closed', "txt"),
        ("a.xml", b'<?xml version="1.0"?><TEI xmlns="http://www.tei-c.org/ns/1.0">', "tei"),
        ("a.txt", "Zwei Bytes für jeden".encode("utf-16"), "txt"),
        ("a.html", '<html lang="de">'.encode("utf-16"), "html"),
    ],
)
def test_the_kind_of_a_text_file(tmp_path: Path, name: str, data: bytes, kind: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert find_kind(path) == kind


def test_the_kind_of_an_archive_is_told_by_what_it_holds(tmp_path: Path) -> None:
    assert find_kind(making.docx(tmp_path / "a.zip", "")) == "docx"
    assert find_kind(making.odt(tmp_path / "b.zip", "")) == "odt"
    assert find_kind(making.epub(tmp_path / "c.zip", {})) == "epub"
    assert find_kind(making.zipped(tmp_path / "d.zip", {"deep/content.OPF": ""})) == "epub"


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.txt", b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        ("a.txt", b"\x80\x04\x95", "a pickle, which Quire never opens"),
        ("a.azw", bytes(60) + b"BOOKMOBI", "a Kindle book"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1", "old Word document"),
        ("a.xml", b"<?xml version='1.0'?><note/>", "XML, but not TEI"),
        ("a.docx", b"Plain words.", "no Word document, whatever its name says"),
        ("a.csv", b"a,b\n", "is a table"),
        ("a.txt", bytes(range(256)), "binary data"),
    ],
)
def test_what_is_no_book_is_named(tmp_path: Path, name: str, data: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BookError, match=what) as caught:
        find_kind(path)
    assert caught.value.then


def test_a_file_larger_than_any_book_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("eleven byte")
    check_file(path, Limits(file=11))
    with pytest.raises(BookError, match=r"larger than any book \(11 bytes\)"):
        check_file(path, Limits(file=10))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="is a folder"):
        check_file(tmp_path)


def test_names_of_books() -> None:
    assert [name for name in ("a.TXT", "b.epub", "c.png", "d", "e.csv") if is_book_name(Path(name))] == [
        "a.TXT",
        "b.epub",
    ]
