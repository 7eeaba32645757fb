"""PDF pages that give no text, or not all of it: counted, named, and refused where nothing else is left."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

import bookfiles as making
from quire.books import pulse
from quire.books.book import Book
from quire.books.limits import ReadOptions
from quire.books.pdf import reader as pdf
from quire.errors import BookError

PICTURE = b"q 360 0 0 540 0 0 cm /I Do Q\n"
SAID = "The ferry left at dawn and came back late, and nobody on the bank had seen who stood at its rail that day."


def text_page(number: int = 1) -> bytes:
    lines = [f"Day {number}.", *textwrap.wrap(SAID, 50)] * 4
    rows = (f"BT /F 10 Tf 40 {500 - 14 * n} Td ({line}) Tj ET\n" for n, line in enumerate(lines))
    return "".join(rows).encode()


def layer(text: str = SAID) -> bytes:
    rows = textwrap.wrap(text, 50)
    return b"".join(f"BT 3 Tr /F 10 Tf 40 {500 - 14 * n} Td ({row}) Tj ET\n".encode() for n, row in enumerate(rows))


def read(path: Path, ocr: bool = False) -> Book:
    (book,) = pdf.read(path, ReadOptions(ocr=ocr))
    return book


def refused(path: Path) -> BookError:
    with pytest.raises(BookError) as caught:
        pdf.read(path)
    return caught.value


def test_pictures_among_pages_of_text_are_named_and_listed(tmp_path: Path) -> None:
    contents = [text_page(n) for n in range(8)]
    contents[2] = contents[3] = contents[6] = PICTURE
    book = read(making.drawn_pdf(tmp_path / "a.pdf", contents))
    assert [warning for warning in book.warnings if "pictures without text" in warning] == [
        "pages 3–4 and 7 (3 of 8) are pictures without text, left out; --ocr has them recognised"
    ]
    listed = [drop.place.number for drop in book.dropped if drop.reason == "picture without text"]
    assert listed == [3, 4, 7]
    assert "--ocr" not in " ".join(read(tmp_path / "a.pdf", ocr=True).warnings)


def test_a_stamp_on_a_picture_of_a_page_is_no_text(tmp_path: Path) -> None:
    stamp = PICTURE + b"BT /F 8 Tf 40 20 Td (Digital library) Tj ET\n"
    fault = refused(making.drawn_pdf(tmp_path / "a.pdf", [stamp] * 3))
    assert fault.code == "image-only"
    assert "its 3 pages are pictures" in fault.what
    assert "--ocr" in fault.then
    assert "ocrmypdf" in fault.then


def test_a_picture_beside_text_and_a_blank_page_are_nothing_to_tell(tmp_path: Path) -> None:
    small = b"q 100 0 0 100 40 40 cm /I Do Q\n"
    book = read(making.drawn_pdf(tmp_path / "a.pdf", [text_page(1) + small, b"", text_page(2)]))
    assert not [warning for warning in book.warnings if "picture" in warning]


def test_plates_alone_are_pictures_however_wide_their_margins(tmp_path: Path) -> None:
    plate = b"q 250 0 0 350 50 90 cm /I Do Q\n"
    assert refused(making.drawn_pdf(tmp_path / "a.pdf", [plate] * 2)).code == "image-only"


def test_letters_drawn_as_shapes_are_a_picture(tmp_path: Path) -> None:
    shapes = b"".join(b"%d %d 4 7 re f\n" % (40 + 6 * (n % 40), 500 - 14 * (n // 40)) for n in range(400))
    assert refused(making.drawn_pdf(tmp_path / "a.pdf", [shapes])).code == "image-only"


def test_a_scan_with_a_recognised_layer_is_read_and_said_to_be_one(tmp_path: Path) -> None:
    book = read(making.drawn_pdf(tmp_path / "a.pdf", [PICTURE + layer()]))
    assert book.text.endswith(SAID)
    assert any(warning.startswith("page 1 (1 of 1): the text was recognised") for warning in book.warnings)


NAMELESS = {
    5: b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 10 10] /FontMatrix [0.1 0 0 0.1 0 0] /FirstChar 1 /LastChar 30 "
    b"/Widths [" + b"5 " * 30 + b"] /CharProcs << /a 6 0 R >> /Encoding << /Differences [1 " + b"/a " * 30 + b"] >> >>",
    6: b"<< /Length 22 >>\nstream\n5 0 0 0 5 5 d1 0 0 5 5 re f\nendstream",
}


def nameless_page() -> bytes:
    codes = "".join(f"<{1 + n % 7:02x}>" for n in range(40)).replace("><", "")
    return f"BT /G 10 Tf 40 500 Td {codes} Tj ET\n".encode() * 3


def nameless(path: Path, contents: list[bytes]) -> Path:
    # The resources end inside /XObject: close it, add a font, and open one more that is ignored.
    made = making.drawn_pdf(path, contents, objects=NAMELESS)
    data = made.read_bytes().replace(b"/F 3 0 R >>", b"/F 3 0 R /G 5 0 R >>")
    made.write_bytes(data)
    return made


def test_a_font_that_names_no_characters_is_no_text(tmp_path: Path) -> None:
    fault = refused(nameless(tmp_path / "a.pdf", [nameless_page()] * 2))
    assert (fault.code, "2 of 2 pages" in fault.what) == ("image-only", True)
    book = read(nameless(tmp_path / "b.pdf", [text_page(1), nameless_page(), text_page(2), text_page(3)]))
    assert [drop.place.number for drop in book.dropped if drop.reason == "text that cannot be read"] == [2]
    assert any("page 2 (1 of 4) is text that cannot be read" in warning for warning in book.warnings)


def test_comments_and_fields_are_left_out_and_counted(tmp_path: Path) -> None:
    objects = {
        5: b"<< /Type /Annot /Subtype /Text /Rect [0 0 9 9] /Contents (Is this right?) >>",
        6: b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (A. Reader) /Rect [0 0 9 9] >>",
        7: b"<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /Contents (elsewhere) >>",
    }
    path = making.drawn_pdf(tmp_path / "a.pdf", [text_page()], page=b"/Annots [5 0 R 6 0 R 7 0 R]", objects=objects)
    book = read(path)
    kept = [(drop.reason, drop.text) for drop in book.dropped if drop.reason != "folio"]
    assert kept == [("comment on the page", "Is this right?"), ("form field", "A. Reader")]
    assert "comments on page 1 were left out (1)" in book.warnings


def test_a_form_that_holds_nothing_but_fields_says_so(tmp_path: Path) -> None:
    objects = {
        5: b"<< /Type /Annot /Subtype /FreeText /Rect [0 0 90 90] /Contents (Written by hand) >>",
        6: b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (A. Reader) /Rect [0 0 9 9] >>",
    }
    path = making.drawn_pdf(tmp_path / "a.pdf", [b""], page=b"/Annots [5 0 R 6 0 R]", objects=objects)
    fault = refused(path)
    assert fault.code == "not-a-book"
    assert "no text but 2 comments and form fields" in fault.what


def test_pages_that_are_claimed_but_absent_are_told(tmp_path: Path) -> None:
    path = making.drawn_pdf(tmp_path / "a.pdf", [text_page()])
    path.write_bytes(path.read_bytes().replace(b"/Count 1 ", b"/Count 900000 "))
    assert "the file claims 900,000 pages, but only 1 could be found" in read(path).warnings


def test_attached_files_are_named(tmp_path: Path) -> None:
    objects = {
        5: b"<< /Type /Filespec /F (book.docx) /UF (book.docx) /EF << /F 6 0 R >> >>",
        6: b"<< /Type /EmbeddedFile /Length 4 >>\nstream\nPK..\nendstream",
    }
    catalogue = b"/Names << /EmbeddedFiles << /Names [(book.docx) 5 0 R] >> >> /Collection << /View /D >>"
    path = making.drawn_pdf(tmp_path / "a.pdf", [text_page()], catalogue=catalogue, objects=objects)
    assert "attached files were not read: book.docx" in read(path).warnings


def test_every_page_is_a_sign_of_life(tmp_path: Path) -> None:
    beats: list[int] = []
    pulse.listen(lambda: beats.append(1))
    try:
        read(making.drawn_pdf(tmp_path / "a.pdf", [text_page(n) for n in range(5)]))
    finally:
        pulse.listen(None)
    assert len(beats) >= 5


def test_one_large_page_is_text_and_no_title(tmp_path: Path) -> None:
    content = b"BT /F 24 Tf 40 400 Td (No boat today) Tj ET\n"
    assert read(making.drawn_pdf(tmp_path / "a.pdf", [content])).text == "No boat today"


def test_characters_beyond_the_first_plane_stay_whole(tmp_path: Path) -> None:
    table = b"1 beginbfchar\n<41> <D83DDE03>\nendbfchar\n"
    objects = {
        5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>",
        6: f"<< /Length {len(table)} >>\nstream\n".encode() + table + b"\nendstream",
    }
    path = making.drawn_pdf(tmp_path / "a.pdf", [b"BT /G 10 Tf 40 400 Td (A) Tj ET\n" + text_page()], objects=objects)
    path.write_bytes(path.read_bytes().replace(b"/F 3 0 R >>", b"/F 3 0 R /G 5 0 R >>"))
    assert "\U0001f603" in read(path).text


def test_text_drawn_over_and_over_in_one_place_is_text(tmp_path: Path) -> None:
    content = b"BT /F 10 Tf 40 400 Td (The ferry left.) Tj ET\n" * 200
    assert read(making.drawn_pdf(tmp_path / "a.pdf", [content])).text == "The ferry left."


def test_a_page_of_which_hardly_a_character_comes_back_cannot_be_read(tmp_path: Path) -> None:
    # Letters without any extent: PDFium leaves them out.
    objects = {
        5: b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 0 0] /FontMatrix [0.1 0 0 0.1 0 0] /FirstChar 65 "
        b"/LastChar 65 /Widths [0] /CharProcs << /A 6 0 R >> /Encoding << /Differences [65 /A] >> >>",
        6: b"<< /Length 21 >>\nstream\n0 0 0 0 0 0 d1 0 0 m f\nendstream",
    }
    lost = b"".join(b"BT /G 10 Tf %d %d Td (A) Tj ET\n" % (40 + 6 * (n % 40), 480 - n // 40 * 14) for n in range(200))
    content = lost + b"BT /F 10 Tf 40 500 Td (No. 1842) Tj ET\n"
    path = making.drawn_pdf(tmp_path / "a.pdf", [content], objects=objects)
    path.write_bytes(path.read_bytes().replace(b"/F 3 0 R >>", b"/F 3 0 R /G 5 0 R >>"))
    assert refused(path).code == "image-only"
