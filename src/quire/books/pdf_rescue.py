"""What is left of a PDF whose end is missing: its page objects, under a new table of pages."""

from __future__ import annotations

import re

_OBJECT = re.compile(rb"(?<![\d.])(\d{1,7}) (\d{1,5}) obj\b")
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
MOST_HEAD = 4000


def rescue(data: bytes) -> bytes | None:
    """The file with a new catalogue of the pages that are whole in it; None when no page is.

    PDFium rebuilds the table of objects itself, but it needs a trailer to begin with.
    """
    whole = data.rfind(b"endobj")
    pages: list[bytes] = []
    highest = 0
    for match in _OBJECT.finditer(data, 0, max(0, whole)):
        highest = max(highest, int(match[1]))
        body = data[match.end() : match.end() + MOST_HEAD].split(b"endobj", 1)[0].split(b"stream", 1)[0]
        if _PAGE.search(body):
            pages.append(match[1] + b" " + match[2] + b" R")
    if not pages:
        return None
    tree, catalogue = highest + 1, highest + 2
    kids = b" ".join(dict.fromkeys(pages))
    added = (
        b"\n%d 0 obj\n<</Type/Pages/Count %d/MediaBox[0 0 595 842]/Kids[%b]>>\nendobj\n" % (tree, len(pages), kids)
        + b"%d 0 obj\n<</Type/Catalog/Pages %d 0 R>>\nendobj\n" % (catalogue, tree)
        + b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n0\n%%%%EOF\n" % (catalogue + 1, catalogue)
    )
    return data[: whole + 6] + added
