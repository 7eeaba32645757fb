"""OpenDocument: outline, notes, spaces and line breaks."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bookfiles as making
from bookfiles import PARAGRAPHS as P
from bookfiles import VERSE, assert_small_book
from quire.books.book import Book
from quire.books.office import odt
from quire.errors import BookError


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


def _read(tmp_path: Path, body: str, extra: dict[str, str] | None = None) -> Book:
    path = making.odt(tmp_path / "b.odt", body)
    if extra:
        with zipfile.ZipFile(path, "a") as archive:
            for name, data in extra.items():
                archive.writestr(name, data)
    return odt.read(path)[0]


def _styled(inner: str) -> str:
    return f'<s:styles xmlns:s="urn:oasis:names:tc:opendocument:xmlns:style:1.0">{inner}</s:styles>'


def test_headings_set_by_hand_are_found_by_their_looks(tmp_path: Path) -> None:
    look = '<s:text-properties font-weight="bold" font-size="18pt"/><s:paragraph-properties text-align="center"/>'
    styles = _styled(f'<s:style s:name="Big" s:family="paragraph">{look}</s:style>')
    body = "".join(
        f'<text:p text:style-name="Big">{title}</text:p><text:p>{P[0]}</text:p><text:p>{P[2]}</text:p>'
        for title in ("The Boat", "The Bank")
    )
    book = _read(tmp_path, body, {"styles.xml": styles})
    assert [chapter.title for chapter in book.chapters] == ["The Boat", "The Bank"]


def test_running_heads_of_the_pages_are_dropped(tmp_path: Path) -> None:
    styles = _styled("<s:master-page><s:header>The Ferry</s:header><s:footer>7</s:footer></s:master-page>")
    book = _read(tmp_path, f"<text:p>{P[0]}</text:p>", {"styles.xml": styles})
    assert [(drop.reason, drop.text) for drop in book.dropped] == [("running head", "The Ferry"), ("running foot", "7")]


def test_a_locked_text_says_so(tmp_path: Path) -> None:
    manifest = {"META-INF/manifest.xml": "<manifest><encryption-data/></manifest>"}
    with pytest.raises(BookError) as refused:
        _read(tmp_path, f"<text:p>{P[0]}</text:p>", manifest)
    assert refused.value.code == "protected"


def test_a_text_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
    book = _read(tmp_path, f"<text:p>{P[0]}</text:p><text:p>And then</text:span>")
    assert book.text.startswith(P[0])
    assert any("damaged" in warning for warning in book.warnings)


@settings(max_examples=30)
@given(data=st.data())
def test_cut_and_changed_files_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = making.odt(tmp_path / "b.odt", "".join(f"<text:p>{text}</text:p>" for text in P)).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    spot, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    broken = tmp_path / "broken.odt"
    for content in (whole[:cut], whole[:spot] + bytes([byte]) + whole[spot + 1 :]):
        broken.write_bytes(content)
        with suppress(BookError):
            assert odt.read(broken)
