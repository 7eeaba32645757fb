"""PDFs made to do harm: nesting, loops, bombs, numbers beyond measure."""

from __future__ import annotations

import zlib

DEEP = 100_000
Objects = dict[int, bytes]

_FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Times-Roman>>"
_RESOURCES = b"/Resources<</Font<</F1 7 0 R>>/XObject<</X 8 0 R>>>>/MediaBox[0 0 595 842]"
_PAGE = b"<</Type/Page/Parent 2 0 R/Contents 6 0 R%b>>" % _RESOURCES
_WORDS = b"BT /F1 12 Tf 14 TL 72 700 Td (The ferry left at six.) Tj ET"


def pdf(objects: Objects) -> bytes:
    """A PDF of these objects, the first of which is its catalogue."""
    data = b"%PDF-1.7\n"
    places = {}
    for number, body in objects.items():
        places[number] = len(data)
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    size = max(objects) + 1
    table = b"".join(b"%010d 00000 n \n" % places.get(number, 0) for number in range(1, size))
    head = b"xref\n0 %d\n0000000000 65535 f \n" % size
    end = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, len(data))
    return data + head + table + end


def _stream(body: bytes, more: bytes = b"") -> bytes:
    return b"<</Length %d%b>>stream\n%b\nendstream" % (len(body), more, body)


def _book(objects: Objects) -> bytes:
    """A healthy page, but for these objects."""
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]" + _RESOURCES
    healthy = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        3: _PAGE,
        6: _stream(_WORDS),
        7: _FONT,
        8: _stream(b"/X Do " + _WORDS, form),
    }
    return pdf(healthy | objects)


def pdfs() -> dict[str, bytes]:
    """Each by its name."""
    return _many() | _strange()


def _many() -> dict[str, bytes]:
    """Deep, or endless."""
    bomb = _stream(zlib.compress(_WORDS + b" " * 50_000_000, 9), b"/Filter/FlateDecode")
    every = {20 + n: _PAGE for n in range(1000)}
    kids = b" ".join(b"%d 0 R" % n for n in every)
    numbers = range(20, 20 + DEEP // 4)
    tree = {n: b"<</Type/Pages/Count 1/Parent %d 0 R/Kids[%d 0 R]>>" % (n - 1, n + 1) for n in numbers}
    outline = {n: b"<</Title(t)/Parent %d 0 R/First %d 0 R/Count 1>>" % (n - 1, n + 1) for n in numbers}
    marked = {1: b"<</Type/Catalog/Pages 2 0 R/Outlines 20 0 R>>"}
    root = {2: b"<</Type/Pages/Count 1/Kids[20 0 R]>>", numbers.stop: _PAGE}
    letters = b"BT /F1 9 Tf " + b"1 0 0 1 72 700 Tm (a) Tj " * 200_000 + b"ET"
    return {
        "thousand-pages-one-bomb.pdf": _book({2: b"<</Type/Pages/Count 1000/Kids[%b]>>" % kids, 6: bomb} | every),
        "arrays.pdf": _book({9: b"[" * DEEP, 3: _PAGE[:-2] + b"/Annots 9 0 R>>"}),
        "dictionaries.pdf": _book({9: b"<</A" * DEEP, 1: b"<</Type/Catalog/Pages 2 0 R/Names 9 0 R>>"}),
        "page-tree.pdf": _book(tree | root),
        "outline.pdf": _book(marked | outline),
        "same-page.pdf": _book({2: b"<</Type/Pages/Count 100000/Kids[%b]>>" % (b"3 0 R " * 100_000)}),
        "saves.pdf": _book({6: _stream(b"q " * 3_000_000 + _WORDS)}),
        "letters.pdf": _book({6: _stream(letters)}),
    }


def _strange() -> dict[str, bytes]:
    """Packed thirty times, calling itself, with numbers beyond measure."""
    chain = _WORDS
    for _ in range(30):
        chain = zlib.compress(chain)
    return {
        "filters.pdf": _book({6: _stream(chain, b"/Filter[%b]" % (b"/FlateDecode" * 30))}),
        "form-calls-itself.pdf": _book({6: _stream(b"/X Do " * 1000)}),
        "matrix.pdf": _book({6: _stream(b"BT /F1 1e38 Tf 1e38 0 0 1e38 -1e38 1e38 Tm (words) Tj ET")}),
        "box.pdf": _book({3: _PAGE.replace(b"595 842", b"1e30 1e30")}),
        "nothing.pdf": _book({6: b"null", 2: b"<</Type/Pages/Count 2147483647/Kids[]>>"}),
        "turning.pdf": _book({}).replace(b"startxref\n", b"startxref\n0"),
    }
