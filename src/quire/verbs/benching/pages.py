"""A plain PDF of a text, so that reading pages can be measured on any machine: one column, one font, a folio below."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

PAGE_WORDS = 300  # of a printed novel
COLUMNS, LINES = 62, 30  # of a page: about so many words
_SIZE, _LEADING, _LEFT, _TOP, _FOLIO = 11, 16, 72, 720, 60  # points


def write_pdf(path: Path, text: str, most: int) -> int:
    """Write the first pages of `text`, at most so many; returns how many there are.  Letters are those of Latin-1."""
    pages = list(islice(_pages(text), most))
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(pages)))
    objects.append(b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages)))
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding /WinAnsiEncoding >>")
    for number, lines in enumerate(pages):
        content = _drawn(lines, number + 1)
        box = b"/MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(b"<< /Type /Page /Parent 2 0 R %s /Contents %d 0 R >>" % (box, 5 + 2 * number))
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    path.write_bytes(_file(objects))
    return len(pages)


def _pages(text: str) -> Iterator[list[str]]:
    """Lines of each page; a paragraph's first one is set in."""
    lines = [
        line
        for paragraph in text.split("\n\n")
        for line in textwrap.wrap(" ".join(paragraph.split()), COLUMNS, initial_indent="   ")
    ]
    for first in range(0, len(lines), LINES):
        yield lines[first : first + LINES]


def _drawn(lines: list[str], folio: int) -> bytes:
    shown = b"".join(b"(%s) Tj T*\n" % _literal(line) for line in lines)
    body = b"BT /F1 %d Tf %d TL %d %d Td\n%sET\n" % (_SIZE, _LEADING, _LEFT, _TOP, shown)
    return body + b"BT /F1 %d Tf 300 %d Td (%d) Tj ET" % (_SIZE, _FOLIO, folio)


def _literal(line: str) -> bytes:
    encoded = line.encode("cp1252", errors="replace")
    return encoded.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _file(objects: list[bytes]) -> bytes:
    """The objects, numbered from 1, with the table of where each begins."""
    made = b"%PDF-1.4\n"
    places = []
    for number, item in enumerate(objects, start=1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(made))
    return made + b"xref\n0 %d\n0000000000 65535 f \n%s%s" % (len(objects) + 1, table, trailer)
