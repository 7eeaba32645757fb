"""Columns of a PDF page, and the order of reading."""

from __future__ import annotations

import pytest

from quire.books.pdf.columns import columns_of, find_gutter
from quire.books.pdf.lines import Line


def line(text: str, left: float, y: float, width: float = 100.0) -> Line:
    return Line(text, left, left + width, y, 10.0, 1)


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


def test_a_line_too_long_for_its_column_parts_no_bands() -> None:
    left = [line(f"l{n}", 20, 500 - 12 * n, 160 if n == 3 else 120) for n in range(8)]
    right = [line(f"r{n}", 160, 504 - 12 * n, 120) for n in range(8)]
    assert columns_of([*left, *right], 150) == [left, right]
