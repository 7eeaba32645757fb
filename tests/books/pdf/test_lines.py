"""Lines of a PDF page: their geometry."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
import pytest

import bookfiles as making
from quire.books.pdf.lines import MARK_CLOSE, MARK_OPEN, Line, page_lines, page_text


def lines_of(path: Path, placed: list[making.Placed]) -> list[Line]:
    document = pypdfium2.PdfDocument(making.pdf(path, [placed]))
    page = document[0]
    text = page.get_textpage()
    found = page_lines(text, 1, page_text(text))
    text.close()
    page.close()
    document.close()
    return found


def test_a_line_has_its_baseline_its_edges_and_its_size(tmp_path: Path) -> None:
    (found,) = lines_of(tmp_path / "a.pdf", [(40, 500, 12, "The ferry left")])
    assert found.text == "The ferry left"
    assert (found.left, found.y, found.size) == pytest.approx((40, 500, 12), abs=0.5)
    # Helvetica's widths of these letters add up to 5,613 thousandths of the size.
    assert found.right - found.left == pytest.approx(12 * 5.613, abs=0.1)
    assert (found.page, found.hyphen) == (1, False)


def test_pieces_on_one_baseline_are_one_line(tmp_path: Path) -> None:
    found = lines_of(tmp_path / "a.pdf", [(40, 500, 12, "The ferry"), (92, 500, 12, "left"), (40, 480, 12, "at six")])
    assert [one.text for one in found] == ["The ferry left", "at six"]


def test_a_raised_figure_is_marked_as_one(tmp_path: Path) -> None:
    (found,) = lines_of(tmp_path / "a.pdf", [(40, 500, 12, "ferry"), (64.2, 505, 7, "3"), (72, 500, 12, "left")])
    assert found.text == f"ferry{MARK_OPEN}3{MARK_CLOSE} left"
    assert found.plain == "ferry left"


def test_the_characters_of_a_page_are_all_there(tmp_path: Path) -> None:
    document = pypdfium2.PdfDocument(making.pdf(tmp_path / "a.pdf", [[(40, 500, 12, "L’été – déjà")]]))
    assert page_text(document[0].get_textpage()).strip() == "L’été – déjà"
    document.close()


def test_small_capitals_drawn_as_smaller_capitals_are_small_letters(tmp_path: Path) -> None:
    placed = [(40, 500, 12, "O"), (49.4, 500, 9, "NCE UPON"), (99, 500, 12, "a"), (109, 500, 12, "time it was so")]
    (found,) = lines_of(tmp_path / "a.pdf", placed)
    assert found.text == "Once upon a time it was so"
    (capitals,) = lines_of(tmp_path / "b.pdf", [(40, 500, 12, "NOBODY KNEW")])
    assert capitals.text == "NOBODY KNEW"


def test_small_capitals_after_a_word_of_one_full_letter(tmp_path: Path) -> None:
    placed = [(40, 500, 12, "I"), (46.7, 500, 9, "MUST TELL YOU"), (124, 500, 12, "now who was dead")]
    assert [one.text for one in lines_of(tmp_path / "a.pdf", placed)] == ["I must tell you now who was dead"]
    placed = [(40, 500, 12, "A"), (51.7, 500, 9, "FERRY"), (88, 500, 12, "was seen")]
    assert [one.text for one in lines_of(tmp_path / "b.pdf", placed)] == ["A FERRY was seen"]


def test_a_full_letter_that_passes_into_small_capitals_is_a_capital(tmp_path: Path) -> None:
    placed = [(40, 500, 12, "w"), (49, 500, 9, "HEN"), (72, 500, 12, "m"), (82.3, 500, 9, "ARLOW")]
    assert [one.text for one in lines_of(tmp_path / "a.pdf", placed)] == ["When Marlow"]
    placed = [(40, 500, 12, "i"), (46.7, 500, 9, "tOLD YOU"), (104, 500, 12, "a tale")]
    assert [one.text for one in lines_of(tmp_path / "b.pdf", placed)] == ["I told you a tale"]


def test_an_initial_that_the_file_writes_in_the_line_beside_it_is_a_line_of_its_own(tmp_path: Path) -> None:
    placed = [(58, 470, 50, "H"), (98, 506, 10, "e left at six, and")]
    assert [one.text for one in lines_of(tmp_path / "b.pdf", placed)] == ["H", "e left at six, and"]
