"""PDF files that were cut off: the pages that are whole come back."""

from __future__ import annotations

from pathlib import Path

import pypdfium2

import bookfiles as making
from quire.books.pdf_rescue import rescue


def texts(data: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(data)
    found = [page.get_textpage().get_text_range() for page in document]
    document.close()
    return found


def written(tmp_path: Path) -> bytes:
    return making.pdf(tmp_path / "a.pdf", [[(40, 500, 12, text)] for text in making.PARAGRAPHS]).read_bytes()


def test_pages_before_the_cut_are_read_again(tmp_path: Path) -> None:
    data = written(tmp_path)
    cut = data[: data.rfind(b"/Type /Page ")]
    rescued = rescue(cut)
    assert rescued is not None
    assert texts(rescued) == making.PARAGRAPHS[:3]


def test_without_a_whole_page_there_is_nothing_to_rescue(tmp_path: Path) -> None:
    data = written(tmp_path)
    assert rescue(data[: data.find(b"/Type /Page ")]) is None
    assert rescue(b"%PDF-1.7 cut off") is None
