"""The measures of a PDF's type: indents, gaps, margins, verse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.books.pdf.lines import Line
from quire.books.pdf.measure import Column, find_gap, find_indent, is_book_of_verse, set_margins

LEFT, RIGHT, SIZE, STEP = 40.0, 240.0, 10.0, 12.0
FULL = "nobody had told the ferryman that the far"


def line(text: str, y: float, left: float = LEFT, right: float = RIGHT) -> Line:
    return Line(text, left, right, y, SIZE, 1)


def rows(*lines: tuple[str, float, float], top: float = 500.0) -> list[Line]:
    """Lines one step apart: text, indent, and how far the line reaches."""
    return [line(text, top - STEP * n, LEFT + indent, LEFT + reach) for n, (text, indent, reach) in enumerate(lines)]


def column(lines: list[Line]) -> Column:
    return Column(tuple(lines), LEFT, RIGHT, 540)


def test_the_usual_indent_is_the_commonest_of_single_lines() -> None:
    lines = rows(*[(FULL, 15 if n % 4 == 0 else 0, 200) for n in range(20)])
    assert find_indent([column(lines)], SIZE) == 15.0
    assert find_indent([column(rows(*[(FULL, 0, 200)] * 20))], SIZE) == 0.0


def test_the_gap_between_paragraphs_that_are_parted_by_space() -> None:
    lines, y = [], 500.0
    for _ in range(6):
        for _ in range(3):
            lines.append(line(FULL, y))
            y -= STEP
        y -= 6
    assert find_gap([column(lines)], SIZE, STEP) == (pytest.approx(STEP + 3), True)
    assert find_gap([column(rows(*[(FULL, 0, 200)] * 20))], SIZE, STEP) == (pytest.approx(1.45 * STEP), False)


def test_a_book_of_verse_is_told_by_its_short_lines() -> None:
    assert is_book_of_verse([column(rows(*[("The tide went out,", 0, 90)] * 30))], SIZE, STEP)
    assert not is_book_of_verse([column(rows(*[(FULL, 0, 200)] * 30))], SIZE, STEP)


def test_margins_are_those_of_most_pages_of_a_side() -> None:
    pages = [[replace(one, page=number) for one in rows(*[(FULL, 0, 200)] * 10)] for number in (1, 3, 5)]
    short = [replace(one, page=7) for one in rows(("The end of it all.", 15, 90))]
    margins = [(each.left, each.right) for each in set_margins([(lines, 0, 540.0) for lines in [*pages, short]], SIZE)]
    assert margins == [(LEFT, RIGHT)] * 4


def test_stanzas_of_one_poem_are_parted_though_those_of_others_have_more_space() -> None:
    pages = []
    for number in range(80):
        lines, y = [], 500.0
        space = 4.0 if number == 50 else 14.0
        for _ in range(6):
            for _ in range(2):
                lines.append(line("The tide went out,", y, right=130))
                y -= STEP
            y -= space
        pages.append(column(lines))
    gap, _ = find_gap(pages, SIZE, STEP)
    assert STEP < gap < STEP + 4
