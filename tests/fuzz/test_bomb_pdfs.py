"""PDFs made to do harm: the healthy one under them is read, so that it is the harm that is tried."""

from __future__ import annotations

from pathlib import Path

from fuzz import bomb_pdfs
from quire.books.limits import PLAIN
from quire.books.pdf.reader import read


def test_the_healthy_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(bomb_pdfs._book({}))
    (book,) = read(path, PLAIN)
    assert book.text == "The ferry left at six."


def test_each_begins_like_a_pdf_and_is_small() -> None:
    made = bomb_pdfs.pdfs()
    assert len(made) > 10
    for name, data in made.items():
        assert data.startswith(b"%PDF-1.7"), name
        assert len(data) < 7_000_000, name
