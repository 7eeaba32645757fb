"""Pages whose fonts name no characters: no codes are taken for text, no text for codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bookfiles as making
from quire.books.pdf import reader as pdf
from quire.books.pdf.nameless import is_nameless
from quire.errors import BookError

SAID = "The ferry left at dawn and came back late, and nobody on the bank had seen who stood at its rail."
FRENCH = "Le bac partit à l’aube, fut vite oublié, et la fenêtre où brûlait une lampe s’éteignit dès midi."
CIPHER = "".join(chr(ord(char) - 29) for char in SAID)


@pytest.mark.parametrize(
    ("text", "missing", "nameless"),
    [
        (SAID, 1.0, False),
        (FRENCH, 1.0, False),
        ("Бакъ ушёл на заре и вернулся поздно, и никто не видел его.", 1.0, False),
        ("渡し船は夜明けに出て遅く帰った。誰も岸にはいなかった。" * 2, 1.0, False),
        (
            "Chapter One . . . . . . . . . . . . . . . . . 12\r\nChapter Two . . . . . . . . . . . . . . . . . 40",
            1.0,
            False,
        ),
        ("1842 1843 1844 1845 1846 1847 1848 1849 1850 1851 1852", 1.0, False),
        ("\x01\x02\x03\x01\x02\x03\x04\x05", 0.0, True),
        (CIPHER, 1.0, True),
        (CIPHER, 0.0, False),
        ("!\"#$%!&%'()*+,,-./0102304%5667%%8%%9:;<=>;%?@?%&ABCD%", 1.0, True),
        ("ҘҹЧѥЧКጹѝঐܮ̂ ҥ҇ҁӃ࿋ഌ dҀғҊ˺෨ཌආр෨ཌ̂ ݰႺംࢥ༢࢚࣭ ݰႺംࢥ༢࢚࣭ѽ̔ҫһҐ̔", 1.0, True),
        ("\x01 a", 1.0, False),
    ],
)
def test_codes_are_told_from_text(text: str, missing: float, nameless: bool) -> None:
    assert is_nameless(text, missing) is nameless


@given(st.text(alphabet=st.characters(categories=["Ll", "Zs"], max_codepoint=0x17F), max_size=200))
def test_letters_of_one_script_are_text(text: str) -> None:
    assert not is_nameless(text, 1.0)


def by_places(path: Path, rows: list[str], shift: int = 29, more: bytes = b"") -> Path:
    """A page in a font that is addressed by the places of its glyphs, and says nothing about them."""
    objects = {
        5: b"<< /Type /Font /Subtype /Type0 /BaseFont /Book /Encoding /Identity-H /DescendantFonts [6 0 R] >>",
        6: b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Book /CIDToGIDMap /Identity /FontDescriptor 7 0 R "
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 500 >>",
        7: b"<< /Type /FontDescriptor /FontName /Book /Flags 4 /FontBBox [0 0 500 700] /ItalicAngle 0 /Ascent 700 "
        b"/Descent 0 /CapHeight 700 /StemV 80 >>",
    }
    content = "".join(
        f"BT /G 10 Tf 40 {500 - 14 * n} Td <{''.join(f'{_place(char, shift):04x}' for char in row)}> Tj ET\n"
        for n, row in enumerate(rows)
    )
    made = making.drawn_pdf(path, [content.encode() + more], objects=objects)
    made.write_bytes(made.read_bytes().replace(b"/F 3 0 R >>", b"/F 3 0 R /G 5 0 R >>"))
    return made


def _place(char: str, shift: int) -> int:
    """Where Windows fonts have a character's glyph: “ is 179, ’ is 182, é is 112."""
    if char.isascii():
        return ord(char) - shift
    code = char.encode("mac_roman")[0]
    return code - 31 if code > 202 else code - 30


def test_glyphs_stand_where_windows_fonts_have_them() -> None:
    assert [_place(char, 29) for char in "A~é…“”’ﬁ—"] == [36, 97, 112, 171, 179, 180, 182, 191, 178]


@pytest.mark.parametrize("text", [SAID, FRENCH])
def test_places_of_glyphs_in_the_usual_order_are_read_and_said_to_be_guessed(tmp_path: Path, text: str) -> None:
    (book,) = pdf.read(by_places(tmp_path / "a.pdf", [text, text]))
    assert book.text.count(text) == 2
    assert any(warning.startswith("page 1 (1 of 1): the font names no characters") for warning in book.warnings)


def test_places_of_glyphs_in_another_order_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="its fonts name no characters") as caught:
        pdf.read(by_places(tmp_path / "a.pdf", [SAID, SAID], shift=31))
    assert caught.value.code == "image-only"


def test_what_stands_in_other_fonts_on_such_a_page_is_read_if_it_is_most(tmp_path: Path) -> None:
    row = b"BT /F 10 Tf 40 %d Td (The ferry left at dawn and came back late, and nobody saw it.) Tj ET\n"
    (book,) = pdf.read(by_places(tmp_path / "a.pdf", [SAID], shift=31, more=row % 300 + row % 286))
    assert book.text == " ".join(["The ferry left at dawn and came back late, and nobody saw it."] * 2)
    assert any(warning.startswith("on page 1 (1 of 1) some of the text is in fonts") for warning in book.warnings)
    with pytest.raises(BookError, match="its fonts name no characters"):
        pdf.read(by_places(tmp_path / "b.pdf", [SAID, SAID], shift=31, more=row % 300))
