"""Tables of character names whose counts are wrong: the names in them are believed all the same."""

from __future__ import annotations

import time
import zlib
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bookfiles as making
from quire.books.pdf import reader as pdf
from quire.books.pdf.cmaps import mend_table, mend_tables

# The table says that what looks like ABC is XYZ.
NAMES = b"<41> <0058>\n<42> <0059>\n<43> <005A>\n"


def made(path: Path, table: bytes, packed: bool = False, text: str = "ABC") -> Path:
    stream = zlib.compress(table.ljust(600), 1) if packed else table
    filtered = b"/Filter /FlateDecode " if packed else b""
    objects = {
        5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>",
        6: b"<< %b/Length %d >>\nstream\n%b\nendstream" % (filtered, len(stream), stream),
    }
    made = making.drawn_pdf(path, [f"BT /G 10 Tf 40 400 Td ({text}) Tj ET\n".encode()], objects=objects)
    made.write_bytes(made.read_bytes().replace(b"/F 3 0 R >>", b"/F 3 0 R /G 5 0 R >>"))
    return made


def text_of(data: bytes) -> str:
    document = pypdfium2.PdfDocument(data)
    text = document[0].get_textpage().get_text_range()
    document.close()
    return text


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "part",
    [
        b"2 beginbfchar\n" + NAMES + b"endbfchar\n",
        b"100 beginbfchar\n" + NAMES + b"endbfchar\n",
        b"beginbfchar\n" + NAMES + b"endbfchar\n",
        b"3 beginbfrange\n<41> <43> <0058>\nendbfrange\n",
        b"3 beginbfrange\n<41> <43> [<0058> <0059> <005A>]\nendbfrange\n",
    ],
    ids=["too few", "too many", "none", "range", "list"],
)
def test_a_part_that_miscounts_is_counted_right(tmp_path: Path, part: bytes, packed: bool) -> None:
    table = b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n/CMapName /A def\n" + part + b"endcmap\n"
    data = made(tmp_path / "a.pdf", table, packed).read_bytes()
    assert text_of(data) == "ABC"
    mended = mend_tables(data)
    assert mended is not None
    assert len(mended) == len(data)
    assert text_of(mended) == "XYZ"


def test_a_table_that_counts_right_or_is_none_stays(tmp_path: Path) -> None:
    right = b"begincmap\n3 beginbfchar\n" + NAMES + b"endbfchar\nendcmap\n"
    assert mend_table(right) is None
    assert mend_tables(made(tmp_path / "a.pdf", right).read_bytes()) is None
    assert mend_tables(making.drawn_pdf(tmp_path / "b.pdf", [b""]).read_bytes()) is None


def test_what_is_in_a_locked_file_stays(tmp_path: Path) -> None:
    wrong = made(tmp_path / "a.pdf", b"9 beginbfchar\n" + NAMES + b"endbfchar\n").read_bytes()
    assert mend_tables(wrong.replace(b"/Root", b"/Encrypt 9 0 R /Root")) is None


def test_a_list_that_passes_into_another_row_of_codes_is_cut_there() -> None:
    names = b"".join(b"<%04X>" % (0x400 + n) for n in range(20))
    table = mend_table(b"9 beginbfrange\n<00F8> <010B> [" + names + b"]\nendbfrange")
    assert table is not None
    assert b"2 beginbfrange" in table
    assert b"<00f8><00ff>[<0400>" in table
    assert b"<0100><010b>[<0408>" in table


@given(st.binary(max_size=60), st.integers(0, 3))
def test_any_table_is_mended_once_at_most(tail: bytes, place: int) -> None:
    table = b"7 beginbfchar\n" + NAMES[: 12 * place] + tail + b"endbfchar"
    mended = mend_table(table)
    assert mended is None or mend_table(mended) is None


def test_parts_without_an_end_are_passed_over_at_once() -> None:
    began = time.process_time()
    assert mend_table(b"9 beginbfchar " * 200_000) is None
    assert time.process_time() - began < 2


def test_a_book_whose_tables_miscount_is_read_by_their_names(tmp_path: Path) -> None:
    text = "The ferry left at dawn."
    letters = sorted(set(text))
    table = b"99 beginbfchar\n" + b"".join(b"<%04x> <%04x>\n" % (500 + n, ord(x)) for n, x in enumerate(letters))
    table += b"endbfchar\n"
    objects = {
        5: b"<< /Type /Font /Subtype /Type0 /BaseFont /B /Encoding /Identity-H /DescendantFonts [7 0 R] "
        b"/ToUnicode 6 0 R >>",
        6: b"<< /Length %d >>\nstream\n%b\nendstream" % (len(table), table),
        7: b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /B /FontDescriptor 8 0 R /DW 500 "
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>",
        8: b"<< /Type /FontDescriptor /FontName /B /Flags 4 /FontBBox [0 0 500 700] /Ascent 700 /Descent 0 >>",
    }
    codes = "".join(f"{500 + letters.index(x):04x}" for x in text)
    path = making.drawn_pdf(tmp_path / "a.pdf", [f"BT /G 10 Tf 40 400 Td <{codes}> Tj ET\n".encode()], objects=objects)
    path.write_bytes(path.read_bytes().replace(b"/F 3 0 R >>", b"/F 3 0 R /G 5 0 R >>"))
    (book,) = pdf.read(path)
    assert book.text == text
