"""What plain readers of PDFs give for the same pages.  They are optional and no part of Quire."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.cases import Case, heads_of, raw_pages
from benchmarks.measure import measure
from benchmarks.truth import Measured, paragraphs_of
from quire.books.book import Block, Book, Chapter, Place


def compare(cases: Sequence[Case], folder: Path) -> list[dict[str, object]]:
    """Each reader that is installed, book by book, by the same figures as Quire; blank lines part its paragraphs."""
    readers = _readers()
    rows: list[dict[str, object]] = []
    for case in cases:
        path, truth = case.make(folder)
        pages = raw_pages(path)
        for name, read in readers:
            began = sum(os.times()[:4])
            text = read(path)
            seconds = sum(os.times()[:4]) - began
            book = _book(path, text)
            result = measure(Measured(case.name, case.group, truth.language), book, heads_of(truth, pages), pages)
            rows.append(
                {
                    "reader": name,
                    "file": case.name,
                    "f1": round(result.f1 or 0.0, 4),
                    "paragraphs": round(result.edges or 0.0, 4),
                    "furniture": result.furniture,
                    "pages": len(pages),
                    "seconds": round(seconds, 3),
                }
            )
            print(f"{name:<14}" + "  ".join(f"{value}" for value in list(rows[-1].values())[1:]), flush=True)
    return rows


def _book(path: Path, text: str) -> Book:
    place = Place(path.name, "page", 1)
    blocks = tuple(Block("paragraph", part.replace("\n", " "), place) for part in paragraphs_of(text))
    return Book(path.name, "", (Chapter(None, blocks),))


def _readers() -> list[tuple[str, Callable[[Path], str]]]:
    found: list[tuple[str, Callable[[Path], str]]] = [("PDFium", _pdfium)]
    for name, here, read in (
        ("pypdf", find_spec("pypdf"), _pypdf),
        ("pdfminer.six", find_spec("pdfminer"), _pdfminer),
        ("pdftotext", shutil.which("pdftotext"), _pdftotext),
    ):
        if here:
            found.append((name, read))
        else:
            print(f"not measured: {name} is not installed")
    return found


def _pdfium(path: Path) -> str:
    import pypdfium2

    pages = pypdfium2.PdfDocument(path)
    return "\n\n".join(page.get_textpage().get_text_range().replace("\ufffe", "-") for page in pages)


def _pypdf(path: Path) -> str:
    from pypdf import PdfReader

    return "\n\n".join(page.extract_text() for page in PdfReader(path).pages)


def _pdfminer(path: Path) -> str:
    from pdfminer.high_level import extract_text

    return str(extract_text(path)).replace("\f", "\n\n")


def _pdftotext(path: Path) -> str:
    command = ["pdftotext", "-enc", "UTF-8", str(path), "-"]
    done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603
    return done.stdout.decode("utf-8", "replace").replace("\f", "\n\n")
