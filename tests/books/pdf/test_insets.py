"""Which lines of a column are set apart from its paragraphs."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from quire.books.pdf.insets import find_insets
from quire.books.pdf.lines import Line
from quire.books.pdf.measure import Measure

STEP, EDGE = 12.0, 240.0
MEASURE = Measure(10.0, STEP, indent=15.0, gap=17.4)


def rows(*lines: tuple[str, float], top: float = 500.0, size: float = 10.0) -> list[Line]:
    return [Line(text, left, left + 120, top - STEP * n, size, 1) for n, (text, left) in enumerate(lines)]


def test_an_indent_is_no_inset_and_a_deeper_one_is() -> None:
    lines = rows(
        ("He left at six,", 15), ("and nobody knew.", 0), ("The tide went out,", 40), ("The tide came in.", 40)
    )
    assert find_insets(lines, MEASURE, EDGE) == [False, False, True, True]


def test_lines_at_the_indent_that_stand_apart_and_end_like_no_sentence_are_set_in() -> None:
    body = rows(("He read:", 0))
    verse = rows(("The tide went out", 15), ("and took the boat", 15), ("and took the rope", 15), top=476)
    assert find_insets([*body, *verse], MEASURE, EDGE) == [False, True, True, True]
    speech = rows(("“You are late.”", 15), ("“I know it.”", 15), ("“Go home.”", 15), top=476)
    assert not any(find_insets([*body, *speech], MEASURE, EDGE))


def test_a_full_line_at_a_columns_foot_may_go_on_overleaf() -> None:
    body = rows(("He wrote:", 0))
    letter = rows(("My dear Tobias,", 15), ("The boat has been tarred and", 15), top=476)
    assert find_insets([*body, *letter], MEASURE, EDGE) == [False, True, True]
    full = [letter[0], replace(letter[1], right=EDGE)]
    assert find_insets([*body, *full], MEASURE, EDGE) == [False, False, False]


def test_lines_at_the_indent_in_small_type_are_set_in() -> None:
    small = rows(("He left at six.", 15), ("He came at ten.", 15), top=476, size=9.0)
    assert find_insets([*rows(("He wrote:", 0)), *small], MEASURE, EDGE) == [False, True, True]


@given(st.lists(st.floats(0, 3.9), min_size=1, max_size=20))
def test_lines_at_the_margin_are_never_set_in(lefts: list[float]) -> None:
    lines = [replace(one, left=left) for one, left in zip(rows(*[("x", 0.0)] * len(lefts)), lefts, strict=True)]
    assert not any(find_insets(lines, MEASURE, EDGE))
