"""Files that are no books."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bookfiles import PARAGRAPHS, epub, pdf
from refusals import Shown, refused, train_command

NOBODY = 65534


def test_a_missing_file_is_named_and_its_neighbour_proposed(book: Path, capsys: Shown) -> None:
    error, remedy = refused(capsys, "read", str(book.with_name("rivre.md")))
    assert "rivre.md does not exist" in error
    assert str(book) in remedy


@pytest.mark.parametrize("verb", ["plan", "train"])
def test_a_missing_source_is_named_and_leaves_no_run_behind(
    verb: str, tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error, _ = refused(capsys, verb, "no-such-book.epub")
    assert "no-such-book.epub" in error
    assert list(tmp_path.rglob("*.yaml")) == []
    assert list(tmp_path.rglob("checkpoints")) == []


@pytest.mark.parametrize("ending", ["txt", "md", "html", "epub", "pdf", "docx", "odt", "rtf", "jsonl"])
def test_an_empty_file_is_named(ending: str, tmp_path: Path, capsys: Shown) -> None:
    file = tmp_path / f"novel.{ending}"
    file.touch()
    assert str(file) in refused(capsys, "read", str(file))[0]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("blank.txt", b" \n\t\n" * 100),
        ("picture.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4),
        ("novel.pdf", b"this was never a PDF"),
        ("novel.epub", b"PK\x03\x04 cut off"),
        ("novel.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
        ("poems.jsonl", b"{not json}\n{nor this}\n"),
        ("table.csv", b"1,2\n3,4\n"),
        ("model.bin", b"\x80\x04\x95" + bytes(60)),
    ],
)
def test_a_file_that_is_no_book_is_named(name: str, data: bytes, tmp_path: Path, capsys: Shown) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    assert str(file) in refused(capsys, "read", str(file))[0]


def test_a_file_that_may_not_be_read_is_named(capsys: Shown) -> None:
    with tempfile.TemporaryDirectory(prefix="quire-test-") as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "diary.txt"
        file.write_text("Dear diary.\n", encoding="utf-8")
        file.chmod(0)
        with as_nobody():
            error, remedy = refused(capsys, "read", str(file))
    assert "diary.txt" in error
    assert "chmod" in remedy or "permission" in remedy


@contextmanager
def as_nobody() -> Iterator[None]:
    """Permissions do not bind root."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_protected_epub_is_named(tmp_path: Path, capsys: Shown) -> None:
    file = tmp_path / "bought.epub"
    lock = (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
        '<enc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>'
        '<enc:CipherData><enc:CipherReference URI="OEBPS/c.xhtml"/></enc:CipherData></enc:EncryptedData></encryption>'
    )
    epub(file, {"c.xhtml": "�" * 800}, extra={"META-INF/encryption.xml": lock})
    error, _ = refused(capsys, "read", str(file))
    assert str(file) in error
    assert "protect" in error or "encrypt" in error or "DRM" in error


@pytest.mark.parametrize("name", ["encrypted-user-password.pdf", "drm-encrypted.epub", "not-a-pdf.pdf"])
def test_the_developers_broken_files_are_named(name: str, shared_data: Path, capsys: Shown) -> None:
    file = shared_data / "hostile" / name
    assert str(file) in refused(capsys, "read", str(file))[0]


def test_a_book_of_pictures_is_named_and_told_from_an_empty_one(tmp_path: Path, capsys: Shown) -> None:
    file = pdf(tmp_path / "novel.pdf", [[], [], []], image=True)
    error, remedy = refused(capsys, "read", str(file))
    assert str(file) in error
    assert re.search("picture|image|scan", error)
    assert "ocr" in remedy.lower()


def test_a_locked_pdf_is_named(tmp_path: Path, capsys: Shown) -> None:
    file = pdf(tmp_path / "novel.pdf", [[(40, 500, 11, PARAGRAPHS[0])]], password=b"secret")
    error, _ = refused(capsys, "read", str(file))
    assert str(file) in error
    assert re.search("password|encrypt|locked", error)


@pytest.mark.parametrize("text", ["Only one line.\n", "# One\n\nShort.\n\n# Two\n\nShorter.\n"])
def test_a_book_too_short_to_hold_anything_out_is_refused_before_training(
    text: str, tmp_path: Path, tiny_base: Path, capsys: Shown
) -> None:
    file = tmp_path / "haiku.md"
    file.write_text(text, encoding="utf-8")
    error, remedy = refused(capsys, *train_command(file, tiny_base, tmp_path / "run"))
    assert "haiku" in error or "held out" in error or "hold out" in error
    assert "text" in remedy or "book" in remedy
    assert not list((tmp_path / "run").glob("checkpoints/*"))
