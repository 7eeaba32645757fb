"""Lines of a PDF page: geometry, columns, and the order of reading."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
import pytest

import bookfiles as making
from quire.books.pdf.lines import MARK_CLOSE, MARK_OPEN, Line, columns_of, find_gutter, page_lines, page_text


def lines_of(path: Path, placed: list[making.Placed]) -> list[Line]:
    document = pypdfium2.PdfDocument(making.pdf(path, [placed]))
    page = document[0]
    text = page.get_textpage()
    found = page_lines(text, 1, page_text(text))
    text.close()
    page.close()
    document.close()
    return found


def line(text: str, left: float, y: float, width: float = 100.0) -> Line:
    return Line(text, left, left + width, y, 10.0, 1)


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


def test_two_columns_have_a_gutter_between_them_and_are_read_one_after_the_other() -> None:
    left = [line(f"l{n}", 20, 500 - 12 * n, 120) for n in range(8)]
    right = [line(f"r{n}", 160, 500 - 12 * n, 120) for n in range(8)]
    mixed = [one for pair in zip(left, right, strict=True) for one in pair]
    gutter = find_gutter(mixed, 300)
    assert gutter is not None
    assert gutter == pytest.approx(150, abs=12)
    assert columns_of(mixed, gutter) == [left, right]


def test_what_runs_across_both_columns_parts_them_into_bands() -> None:
    left = [line(f"l{n}", 20, 500 - 12 * n, 120) for n in range(8)]
    right = [line(f"r{n}", 160, 500 - 12 * n, 120) for n in range(8)]
    across = line("across", 20, 500 - 12 * 3.5, 260)
    assert columns_of([*left, *right, across], 150) == [left[:4], right[:4], [across], left[4:], right[4:]]


def test_one_column_has_no_gutter() -> None:
    assert find_gutter([line(f"x{n}", 20, 500 - 12 * n, 260) for n in range(12)], 300) is None


def test_pieces_that_a_wide_gap_parted_are_joined_in_a_single_column() -> None:
    ((joined,),) = columns_of([line("right", 200, 500), line("left", 20, 500)], None)
    assert (joined.text, joined.left, joined.right) == ("left right", 20, 300)


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


def test_a_right_column_of_a_few_lines_is_one() -> None:
    left = [line(f"l{n}", 20, 500 - 12 * n, 120) for n in range(30)]
    right = [line(f"r{n}", 160 + 10 * (n % 2), 500 - 12 * n, 120 - 10 * (n % 2)) for n in range(3)]
    gutter = find_gutter([*left, *right], 300)
    assert gutter is not None
    assert columns_of([*left, *right], gutter) == [left, right]
    signature = [line("the ferryman", 200, 500 - 12 * n, 50) for n in range(3)]
    assert find_gutter([*left, *signature], 300) is None


def test_columns_whose_lines_stand_at_other_heights_are_columns() -> None:
    left = [line(f"l{n}", 20, 440 - 13 * n, 120) for n in range(20)]
    right = [line(f"r{n}", 160, 506 - 13 * n, 120) for n in range(12)]
    gutter = find_gutter([*left, *right], 300)
    assert gutter is not None
    assert columns_of([*left, *right], gutter) == [left, right]
