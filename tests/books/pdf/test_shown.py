"""What of a PDF page is seen: pages turned upright, and text that nobody sees taken out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

import bookfiles as making
from quire.books.pdf.shown import MOST_MARKS, Shown, Sight

FULL = b"q 360 0 0 540 0 0 cm /I Do Q\n"


def line(text: str, x: float = 40, y: float = 500, size: float = 10, more: str = "") -> bytes:
    return f"q BT {more} /F {size} Tf {x} {y} Td ({text}) Tj ET Q\n".encode()


def prepare(
    path: Path, tagged: bool = False, off: frozenset[str] = frozenset()
) -> tuple[Shown, str, list[tuple[float, float]]]:
    """What is said of the first page, the text that is left, and where its lines begin."""
    document = pypdfium2.PdfDocument(path)
    page = document[0]
    shown = Sight(tagged, lambda: off).prepare(page)
    text_page = page.get_textpage()
    text = text_page.get_text_range()
    boxes = [text_page.get_charbox(index, loose=True) for index in range(text_page.count_chars())]
    starts = [boxes[0][:2]] if boxes else []
    text_page.close()
    page.close()
    document.close()
    return shown, " ".join(text.split()), starts


@pytest.mark.parametrize(
    ("hidden", "reason"),
    [
        (line("nobody sees this", y=400, more="3 Tr"), "hidden text"),
        (line("nobody sees this", y=400, more="1 1 1 rg"), "hidden text"),
        (line("nobody sees this", y=400, size=0.4), "hidden text"),
        (line("nobody sees this", y=-40), "text outside the page"),
        (b"BT /F 10 Tf -1 0 0 1 300 400 Tm (nobody sees this) Tj ET\n", "hidden text"),
        (b"BT /F 10 Tf 0 1 -1 0 20 100 Tm (nobody sees this) Tj ET\n", "text set sideways"),
        (b"BT /F 30 Tf 0.7 0.7 -0.7 0.7 90 100 Tm (nobody sees this) Tj ET\n", "text set sideways"),
    ],
    ids=["invisible", "white", "tiny", "off the page", "mirrored", "up the margin", "watermark"],
)
def test_text_that_is_not_for_reading_is_taken_out_with_its_reason(tmp_path: Path, hidden: bytes, reason: str) -> None:
    content = line("The ferry left at dawn and nobody waved.") + hidden + line("The bread was gone by noon.", y=480)
    shown, text, _ = prepare(making.drawn_pdf(tmp_path / "a.pdf", [content]))
    assert text == "The ferry left at dawn and nobody waved. The bread was gone by noon."
    assert shown.hidden == [(reason, "nobody sees this")]


def test_text_in_a_form_is_judged_where_it_comes_to_stand(tmp_path: Path) -> None:
    form = line("Outside.", x=0, y=0) + line("Inside.", x=0, y=100)
    objects = {
        5: b"<< /Type /XObject /Subtype /Form /BBox [-500 -500 500 500] /Resources << /Font << /F 3 0 R >> >> "
        + f"/Length {len(form)} >>\nstream\n".encode()
        + form
        + b"\nendstream"
    }
    content = b"q 1 0 0 1 40 -50 cm /X Do Q\n"
    shown, text, _ = prepare(making.drawn_pdf(tmp_path / "a.pdf", [content], resources=b"/X 5 0 R", objects=objects))
    assert text == "Inside."
    assert shown.hidden == [("text outside the page", "Outside.")]


def test_white_text_on_a_dark_ground_is_seen(tmp_path: Path) -> None:
    content = b"0 0 0 rg 30 390 300 30 re f\n" + line("PART ONE", y=400, more="1 1 1 rg") + line("The ferry left.")
    _, text, _ = prepare(making.drawn_pdf(tmp_path / "a.pdf", [content]))
    assert "PART ONE" in text


def test_a_page_all_in_white_has_a_ground_that_is_not_known(tmp_path: Path) -> None:
    shown, text, _ = prepare(making.drawn_pdf(tmp_path / "a.pdf", [line("The ferry left.", more="1 1 1 rg")]))
    assert (text, shown.hidden) == ("The ferry left.", [])


def test_text_drawn_twice_for_weight_is_kept_once(tmp_path: Path) -> None:
    content = line("The Ferry", x=40) + line("The Ferry", x=40.3)
    assert prepare(making.drawn_pdf(tmp_path / "a.pdf", [content]))[1] == "The Ferry"


def test_what_stands_beyond_the_crop_box_is_not_shown(tmp_path: Path) -> None:
    content = line("The ferry left at dawn.", x=140, y=300) + line("proof 3", x=140, y=20)
    path = making.drawn_pdf(tmp_path / "a.pdf", [content], page=b"/CropBox [100 100 300 500]")
    shown, text, starts = prepare(path)
    assert text == "The ferry left at dawn."
    assert shown.hidden == [("text outside the page", "proof 3")]
    assert (shown.width, shown.height) == (200, 400)
    assert starts[0][0] == pytest.approx(40, abs=1)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize(
    ("matrix", "size"),
    [("0 1 -1 0 100 50", (540, 360)), ("-1 0 0 -1 300 500", (360, 540)), ("0 -1 1 0 60 500", (540, 360))],
    ids=["up", "over", "down"],
)
def test_a_page_is_turned_until_its_text_stands_upright(
    tmp_path: Path, rotate: int, matrix: str, size: tuple[float, float]
) -> None:
    first, second = matrix.split()[:4], matrix.split()[4:]
    x, y = float(second[0]), float(second[1])
    # The second line stands below the first, as the writing goes.
    below = (x - 14 * float(first[2]), y - 14 * float(first[3]))
    content = (
        f"BT /F 10 Tf {matrix} Tm (The ferry left) Tj ET BT /F 10 Tf {' '.join(first)} {below[0]} {below[1]} Tm "
        "(before the sun.) Tj ET"
    ).encode()
    path = making.drawn_pdf(tmp_path / "a.pdf", [content], page=f"/Rotate {rotate}".encode())
    shown, text, starts = prepare(path)
    assert text == "The ferry left before the sun."
    assert (shown.width, shown.height) == size
    assert 0 < starts[0][0] < size[0]
    assert 0 < starts[0][1] < size[1]


def test_an_invisible_layer_over_a_picture_is_what_a_machine_recognised(tmp_path: Path) -> None:
    layer = line("The ferry left at dawn.", more="3 Tr")
    shown, text, _ = prepare(making.drawn_pdf(tmp_path / "a.pdf", [FULL + layer]))
    assert (shown.recognised, text) == (True, "The ferry left at dawn.")
    under, text, _ = prepare(making.drawn_pdf(tmp_path / "b.pdf", [line("The ferry left at dawn.") + FULL]))
    assert (under.recognised, text) == (True, "The ferry left at dawn.")
    over, _, _ = prepare(making.drawn_pdf(tmp_path / "c.pdf", [FULL + line("The ferry left at dawn.")]))
    assert not over.recognised
    ornament = b"q 20 0 0 20 170 20 cm /I Do Q\n"
    framed = prepare(making.drawn_pdf(tmp_path / "d.pdf", [FULL + line("The ferry left at dawn.") + ornament]))[0]
    assert not framed.recognised


def test_pictures_in_stripes_cover_a_page_together(tmp_path: Path) -> None:
    stripes = b"".join(b"q 360 0 0 54 0 %d cm /I Do Q\n" % (54 * n) for n in range(10))
    assert prepare(making.drawn_pdf(tmp_path / "a.pdf", [stripes]))[0].coverage == 1.0
    assert prepare(making.drawn_pdf(tmp_path / "b.pdf", [stripes[: len(stripes) // 2]]))[0].coverage < 0.6
    twice = b"q 180 0 0 540 0 0 cm /I Do Q\n" * 3
    assert prepare(making.drawn_pdf(tmp_path / "c.pdf", [twice]))[0].coverage == 0.5


def test_a_tagged_document_says_itself_what_is_no_text(tmp_path: Path) -> None:
    head = b"/Artifact BMC\n" + line("The Ferry 7", y=520) + b"EMC\n"
    body = b"".join(line("The ferry left at dawn and came back late.", y=480 - 14 * n) for n in range(4))
    path = making.drawn_pdf(tmp_path / "a.pdf", [head + body])
    shown, text, _ = prepare(path, tagged=True)
    assert shown.hidden == [("running head", "The Ferry 7")]
    assert "Ferry 7" not in text
    assert prepare(path)[0].hidden == []
    last = making.drawn_pdf(tmp_path / "b.pdf", [head + line("So it was.", y=480)])
    assert prepare(last, tagged=True)[0].hidden == [("running head", "The Ferry 7")]
    mistagged = making.drawn_pdf(tmp_path / "c.pdf", [b"/Artifact BMC\n" + body + b"EMC\n" + line("So it was.", y=300)])
    assert prepare(mistagged, tagged=True)[0].hidden == []


def test_layers_that_are_off_are_not_seen(tmp_path: Path) -> None:
    layers = (
        b"/OC /Off BDC\n" + line("The answers.", y=400) + b"EMC\n/OC /On BDC\n" + line("The ferry left.") + b"EMC\n"
    )
    objects = {5: b"<< /Type /OCG /Name (Key) >>", 6: b"<< /Type /OCG /Name (Text) >>"}
    path = making.drawn_pdf(tmp_path / "a.pdf", [layers], objects=objects)
    path.write_bytes(
        path.read_bytes().replace(b"/Resources <<", b"/Resources << /Properties << /Off 5 0 R /On 6 0 R >>")
    )
    shown, text, _ = prepare(path, off=frozenset({"Key"}))
    assert (text, shown.hidden) == ("The ferry left.", [("hidden text", "The answers.")])
    assert "The answers." in prepare(path)[1]


def test_forms_that_draw_themselves_end(tmp_path: Path) -> None:
    form = b"/X Do " + line("Round and round.")
    objects = {
        5: b"<< /Type /XObject /Subtype /Form /BBox [0 0 360 540] /Resources << /Font << /F 3 0 R >> "
        b"/XObject << /X 5 0 R >> >> " + f"/Length {len(form)} >>\nstream\n".encode() + form + b"\nendstream"
    }
    path = making.drawn_pdf(tmp_path / "a.pdf", [b"/X Do"], resources=b"/X 5 0 R", objects=objects)
    assert "Round and round." in prepare(path)[1]


def test_a_page_that_is_all_marks_and_shapes_is_looked_at_in_bounded_time(tmp_path: Path) -> None:
    shapes = b"0 0 0 rg 30 390 300 30 re f\n" + b"0.5 g 0 0 1 1 re f\n" * 5000
    marked = b"/Span BMC\n" * 2000 + line("PART ONE", y=400, more="1 1 1 rg") * 300
    asked = pdfium.FPDFPageObjMark_GetName
    count = 0

    def counted(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return asked(*arguments)

    pdfium.FPDFPageObjMark_GetName = counted
    try:
        _, text, _ = prepare(making.drawn_pdf(tmp_path / "a.pdf", [line("The ferry left.") + shapes + marked]))
    finally:
        pdfium.FPDFPageObjMark_GetName = asked
    assert "PART ONE" in text
    assert 0 < count <= 301 * MOST_MARKS
