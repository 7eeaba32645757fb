"""The PDF is one that Quire reads as it reads any other."""

from __future__ import annotations

from pathlib import Path

from quire.verbs.benching.pages import COLUMNS, LINES, write_pdf
from quire.verbs.read import read

PARAGRAPH = "The ferryman (an old man) looked at the water for a long time; then he told me the whole of it – all. "


def test_the_text_of_the_pages_is_read_again(tmp_path: Path) -> None:
    text = "\n\n".join(PARAGRAPH * 4 for _ in range(30))
    assert write_pdf(tmp_path / "book.pdf", text, 100) == -(-30 * 7 // LINES)
    found = read(tmp_path / "book.pdf").books[0]
    assert found.text.split() == text.split()


def test_no_more_pages_than_asked_for(tmp_path: Path) -> None:
    assert write_pdf(tmp_path / "book.pdf", "word " * COLUMNS * LINES, 2) == 2
