"""Kinds of files: by their bytes before their names."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bookfiles as making
from quire.books.kinds import check_file, find_kind, guess_kind, is_book_name, open_book
from quire.books.limits import Limits
from quire.books.readers import KINDS
from quire.errors import BookError


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.txt", b"Plain words.", "txt"),
        ("a", b"Plain words.", "txt"),
        ("a.md", b"# Title", "md"),
        ("a.csv", b"a,b\n", "jsonl"),
        ("a.parquet", b"PAR1\x00\x01\x02", "jsonl"),
        ("a", b"PAR1\x00\x01\x02", "jsonl"),
        ("a.jsonl.gz", b"\x1f\x8b\x08", "jsonl"),
        ("a.csv.xz", b"\xfd7zXZ\x00", "jsonl"),
        ("a.txt", b"\n <!DOCTYPE html><html>", "html"),
        ("a.htm", b"<p>Only nearly a page", "html"),
        ("a.dat", b"junk before %PDF-1.4", "pdf"),
        ("a.html", b"<html><p>Such a file begins with %PDF-1.4 or the like", "html"),
        ("a.txt", b"\n%PDF-1.7", "pdf"),
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
    assert find_kind(making.zipped(tmp_path / "e.zip", {"%PDF-1.4": "%PDF-1.4", "word/document.xml": ""})) == "docx"


@pytest.mark.parametrize(
    ("names", "what", "code"),
    [
        (["xl/workbook.xml"], "a spreadsheet", "wrong-kind"),
        (["ppt/presentation.xml"], "a presentation", "wrong-kind"),
        (["Index/Document.iwa"], "a Pages document", "wrong-kind"),
        (["one.jpg", "two.PNG", "three.jpeg"], "an archive of pictures", "image-only"),
        (["inner.zip", "other.bin"], "a zip archive without a book", "wrong-kind"),
        (["to/other.epub", "cover.png"], "a zip archive with to/other.epub in it", "wrong-kind"),
        (["d.txt", "a.txt", "c.pdf", "b.TXT"], "with a.txt, b.TXT, c.pdf and 1 more in it", "wrong-kind"),
        ([], "a zip archive without a book", "wrong-kind"),
    ],
)
def test_an_archive_of_something_else_is_named(tmp_path: Path, names: list[str], what: str, code: str) -> None:
    with pytest.raises(BookError, match=what) as caught:
        find_kind(making.zipped(tmp_path / "a.zip", dict.fromkeys(names, "")))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.txt", b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        ("a.txt", b"\x80\x04\x95", "a pickle, which Quire never opens"),
        ("a.azw", bytes(60) + b"BOOKMOBI", "a Kindle book"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1", "old Word document"),
        ("a.xml", b"<?xml version='1.0'?><note/>", "XML, but not TEI"),
        ("a.docx", b"Plain words.", "no Word document, whatever its name says"),
        ("a.txt", bytes(range(256)), "binary data"),
        ("a.pdf", b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        ("a.epub", b"Rar!\x1a\x07", "a RAR archive"),
        ("a.epub", b"\x7fELF", "a program"),
        ("a.txt", b"MZ\x90\x00", "a program"),
        ("a.txt", bytes(257) + b"ustar", "a tar archive"),
        ("a.pdf", b"AT&TFORM", "a DjVu scan"),
        ("a.pdf", b"<!DOCTYPE html><title>Not found", "no PDF, whatever its name says"),
        ("a.html", b"<?xml version='1.0'?><FictionBook xmlns='x'>", "a FictionBook"),
        ("a.txt", b"version https://git-lfs.github.com/spec/v1\n", "was not fetched"),
    ],
)
def test_what_is_no_book_is_named(tmp_path: Path, name: str, data: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BookError, match=what) as caught:
        find_kind(path)
    assert caught.value.then
    assert caught.value.code == "wrong-kind"


def test_an_office_file_under_a_password_is_no_old_document(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(9000) + "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(BookError, match="locked with a password") as caught:
        find_kind(path)
    assert caught.value.code == "protected"


def test_words_that_begin_like_a_signature_are_words(tmp_path: Path) -> None:
    for words in ("MZ was what they called him.", "BZ", "Contents of the box", "II. The second", "RAR"):
        (tmp_path / "a.txt").write_text(words + "\n")
        assert find_kind(tmp_path / "a.txt") == "txt"


@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"%PDF-", b"{\\rtf", b"<"]))
def test_any_bytes_have_a_kind_or_a_reason(data: bytes, start: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.txt"
        path.write_bytes(start + data)
        try:
            found: str = find_kind(path)
        except BookError as error:
            found = error.code
        assert found in (*KINDS, "wrong-kind", "damaged", "image-only")


@pytest.mark.parametrize(("kind", "what"), [("pipe", "a pipe"), ("socket", "a socket"), ("device", "a device")])
def test_what_is_no_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, what: str) -> None:
    path = tmp_path / "book.txt"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            monkeypatch.chdir(tmp_path)  # the names of sockets are short
            made.bind(path.name)
    else:
        path = Path("/dev/zero")
    for check in (check_file, open_book):
        with pytest.raises(BookError, match=what) as caught:
            check(path, Limits())
        assert caught.value.code == "not-a-book"


def test_links_and_names_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "nowhere.txt").symlink_to("absent")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "file.txt").write_text("x")
    for name, code in (
        ("nowhere.txt", "missing"),
        ("fille.txt", "missing"),
        ("file.txt/inner.txt", "missing"),
        ("loop.txt", "unreadable"),
        ("n" * 300 + ".txt", "unreadable"),
        ("nul\0.txt", "unreadable"),
    ):
        with pytest.raises(BookError) as caught:
            check_file(tmp_path / name)
        assert caught.value.code == code
        assert caught.value.then


def test_a_named_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "link.txt").symlink_to("file.txt")
    os.close(open_book(tmp_path / "link.txt", Limits()))


def test_a_large_file_with_nothing_in_it(tmp_path: Path) -> None:
    with (tmp_path / "sparse.txt").open("wb") as file:
        file.truncate(4 * 2**30)
    with pytest.raises(BookError, match="larger than any book") as caught:
        check_file(tmp_path / "sparse.txt")
    assert caught.value.code == "too-large"


def test_names_say_the_kind_ahead() -> None:
    assert [guess_kind(Path(name)) for name in ("a.PDF", "a.json", "a.md", "a.dat")] == ["pdf", "jsonl", "md", None]


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
    names = ["a.TXT", "b.epub", "c.png", "d", "e.csv", "f.jsonl.xz", "g.txt.xz"]
    assert [name for name in names if is_book_name(Path(name))] == ["a.TXT", "b.epub", "e.csv", "f.jsonl.xz"]
