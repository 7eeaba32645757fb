"""What plain readers of PDFs give for the same pages.  They are optional and no part of Quire."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.align import align
from benchmarks.measure import Truth, paragraphs_of, words_of


def compare(cases: Sequence[tuple[Path, Truth]]) -> list[dict[str, object]]:
    """Word F1, F1 of whole paragraphs and words too many of each reader that is installed, book by book."""
    rows: list[dict[str, object]] = []
    for name, read in _readers():
        for path, truth in cases:
            if truth.part or "scanned" in path.name:
                continue
            text = read(path)
            a = [word for part in truth.body for word in words_of(part)]
            b = words_of(text)
            shared = len(align(a, b))
            true = {" ".join(words_of(part)) for part in truth.body}
            ours = [" ".join(words_of(part)) for part in paragraphs_of(text)]
            kept = len(true & set(ours))
            rows.append(
                {
                    "reader": name,
                    "file": path.name,
                    "f1": round(2 * shared / max(1, len(a) + len(b)), 4),
                    "paragraphs": round(2 * kept / max(1, len(true) + len(ours)), 4),
                    "extra words": len(b) - shared,
                }
            )
            print(f"{name:<16}" + "  ".join(f"{value}" for value in list(rows[-1].values())[1:]), flush=True)
    return rows


def _readers() -> list[tuple[str, Callable[[Path], str]]]:
    found: list[tuple[str, Callable[[Path], str]]] = [("PDFium", _pdfium)]
    for name, module, read in (("pypdf", "pypdf", _pypdf), ("pdfminer.six", "pdfminer.high_level", _pdfminer)):
        try:
            importlib.import_module(module)
        except ImportError:
            print(f"not measured: {name} is not installed")
        else:
            found.append((name, read))
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

    return str(extract_text(path))
