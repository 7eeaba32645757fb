"""OpenDocument: outline, notes, spaces and line breaks."""

from __future__ import annotations

from pathlib import Path

import bookfiles as making
from bookfiles import PARAGRAPHS as P
from bookfiles import VERSE, assert_small_book
from quire.books.office import odt


def test_opendocument(tmp_path: Path) -> None:
    body = (
        "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes>"
        '<text:h text:outline-level="1">I. The Boat</text:h>'
        f"<text:p>{P[0]}<text:note><text:note-citation>1</text:note-citation>"
        f"<text:note-body><text:p>A note.</text:p></text:note-body></text:note></text:p>"
        f"<text:p>{P[1].replace(' ', '<text:s/>', 1)}</text:p><text:p>"
        f"{VERSE.replace(chr(10), '<text:line-break/>')}</text:p>"
        f'<text:h text:outline-level="1">II. The Bank</text:h><text:p>{P[2]}</text:p><text:p>{P[3]}</text:p>'
    )
    meta = "<dc:title>The Ferry</dc:title><dc:creator>A. Writer</dc:creator>"
    (book,) = odt.read(making.odt(tmp_path / "b.odt", body, meta))
    assert_small_book(book)
    assert [note.text for note in book.notes] == ["A note."]
