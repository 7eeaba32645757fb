"""PDF files that are cut off or broken: the pages that are whole come back, or the reason why none does."""

from __future__ import annotations

import zlib
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bookfiles as making
from quire.books.book import Book
from quire.books.pdf import reader as pdf
from quire.books.pdf import rescue as pdf_rescue
from quire.books.pdf.rescue import rescue
from quire.errors import BOOK_FAULTS, BookError


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


def packed(pages: int, level: int = 9) -> bytes:
    """A PDF as newer programs write it: pages and fonts packed in one stream of objects, each page's drawing after."""
    inside = {3: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"}
    for n in range(pages):
        inside[20 + n] = b"<</Type/Page/Parent 2 0 R/Resources<</Font<</F 3 0 R>>>>/Contents %d 0 R>>" % (100 + n)
    bodies = list(inside.values())
    starts = [sum(len(body) + 1 for body in bodies[:n]) for n in range(len(bodies))]
    index = b" ".join(b"%d %d" % pair for pair in zip(inside, starts, strict=True)) + b" "
    stream = zlib.compress(index + b" ".join(bodies), level)
    data = b"%%PDF-1.5\n9 0 obj\n<</Type/ObjStm/N %d/First %d/Filter/FlateDecode/Length %d>>\nstream\n" % (
        len(inside),
        len(index),
        len(stream),
    )
    data += stream + b"\nendstream\nendobj\n"
    for n in range(pages):
        drawing = b"BT /F 12 Tf 40 500 Td (%b) Tj ET" % making.PARAGRAPHS[n % 4].encode("ascii", "replace")
        data += b"%d 0 obj\n<</Length %d>>\nstream\n%b\nendstream\nendobj\n" % (100 + n, len(drawing), drawing)
    return data


def test_objects_that_are_packed_in_streams_come_back() -> None:
    rescued = rescue(packed(3) + b"2 0 obj\n<</Type/Pa")
    assert rescued is not None
    assert [" ".join(text.split()) for text in texts(rescued)] == [
        " ".join(text.encode("ascii", "replace").decode().split()) for text in making.PARAGRAPHS[:3]
    ]


def test_streams_that_inflate_without_end_or_lie_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_rescue, "MOST_UNPACKED", 2**20)
    bomb = zlib.compress(b"0 " * 4_000_000, 9)
    data = (
        b"%PDF-1.5\n9 0 obj\n<</Type/ObjStm/N 5/First 10/Filter/FlateDecode>>\nstream\n" + bomb + b"\nendstream\nendobj"
    )
    assert rescue(data) is None
    assert rescue(data.replace(b"/First 10", b"/First 99999999")) is None
    assert rescue(packed(2).replace(b"x\xda", b"\x00\x00")) is None


def test_what_stands_before_the_header_is_left_off(tmp_path: Path) -> None:
    data = written(tmp_path)
    assert rescue(b"HTTP/1.1 200 OK\r\n" * 100 + data) == rescue(data)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("good")
    pages = [[(40.0, 500.0 - 14 * n, 12.0, text) for n, text in enumerate(making.PARAGRAPHS)] for _ in range(3)]
    plain = making.pdf(folder / "a.pdf", pages).read_bytes()
    locked = making.pdf(folder / "b.pdf", pages, password=b"").read_bytes()
    return [plain, locked, packed(3) + b"2 0 obj\n<</Type/Pages/Count 3/Kids[20 0 R 21 0 R 22 0 R]>>\nendobj\n"]


def books_or_error(folder: Path, data: bytes) -> None:
    path = folder / "a.pdf"
    path.write_bytes(data)
    fault: BookError | None = None
    books: list[Book] = []
    try:
        books = pdf.read(path)
    except BookError as error:
        fault = error
    assert all(book.text for book in books)
    assert bool(books) or (fault is not None and fault.code in BOOK_FAULTS and fault.then)


RARELY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@RARELY
@given(data=st.data())
def test_a_file_that_is_cut_anywhere_gives_books_or_a_reason(
    data: st.DataObject, good: list[bytes], tmp_path: Path
) -> None:
    whole = data.draw(st.sampled_from(good))
    books_or_error(tmp_path, whole[: data.draw(st.integers(0, len(whole)))])


@RARELY
@given(tail=st.binary(max_size=400))
def test_any_bytes_after_the_header_give_books_or_a_reason(tail: bytes, tmp_path: Path) -> None:
    books_or_error(tmp_path, b"%PDF-1.7\n" + tail)


@RARELY
@given(data=st.data())
def test_a_file_that_is_changed_anywhere_gives_books_or_a_reason(
    data: st.DataObject, good: list[bytes], tmp_path: Path
) -> None:
    whole = bytearray(data.draw(st.sampled_from(good)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(whole) - 1))
        piece = data.draw(
            st.binary(min_size=1, max_size=8) | st.sampled_from([b"-1", b"99999999", b"0 R", b"<<", b"]"])
        )
        whole[at : at + len(piece)] = piece
    books_or_error(tmp_path, bytes(whole))
