"""What lies where on a page, turned and cropped as it may be."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.books.pdf.boxes import SAME, Box, area, is_outside, lies_in, quarter, share_covered, times, turning

PAGE: Box = (0.0, 0.0, 360.0, 540.0)
POINTS = st.tuples(st.floats(0, 360), st.floats(0, 540))


@pytest.mark.parametrize(
    ("pictures", "share"),
    [
        ([], 0.0),
        ([PAGE], 1.0),
        ([(-100.0, -100.0, 1000.0, 1000.0)], 1.0),
        ([(0.0, 0.0, 180.0, 540.0)], 0.5),
        ([(0.0, 0.0, 180.0, 540.0)] * 3, 0.5),
        ([(0.0, 54.0 * n, 360.0, 54.0 * n + 54.0) for n in range(10)], 1.0),
        ([(400.0, 0.0, 700.0, 540.0)], 0.0),
        ([(-1e30, 0.0, 1e30, 270.0)], 0.5),
    ],
    ids=["none", "whole", "over the edge", "half", "half thrice", "stripes", "beside", "without end"],
)
def test_pictures_cover_a_page_together(pictures: list[Box], share: float) -> None:
    assert share_covered(pictures, PAGE) == pytest.approx(share, abs=0.02)


def test_a_page_without_extent_is_covered_by_nothing_or_all() -> None:
    assert 0 <= share_covered([PAGE], (5.0, 5.0, 5.0, 5.0)) <= 1


@pytest.mark.parametrize(("degrees", "turn"), [(0, 0), (4, 0), (-4, 0), (90, 1), (180, 2), (-90, 3), (45, None)])
def test_writing_runs_in_quarter_turns_or_aslant(degrees: float, turn: int | None) -> None:
    angle = math.radians(degrees)
    assert quarter(math.cos(angle), math.sin(angle)) == turn


@given(st.integers(0, 3), POINTS)
def test_a_turned_page_lies_at_the_origin_with_all_that_is_on_it(upright: int, point: tuple[float, float]) -> None:
    a, b, c, d, e, f = turning(upright, *PAGE)
    x, y = a * point[0] + c * point[1] + e, b * point[0] + d * point[1] + f
    width, height = (540, 360) if upright % 2 else (360, 540)
    assert -1e-6 <= x <= width + 1e-6
    assert -1e-6 <= y <= height + 1e-6


def test_one_transformation_after_the_other() -> None:
    shift, double = (1.0, 0.0, 0.0, 1.0, 10.0, 20.0), (2.0, 0.0, 0.0, 2.0, 0.0, 0.0)
    assert times(shift, double) == (2.0, 0.0, 0.0, 2.0, 20.0, 40.0)
    assert times(double, shift) == (2.0, 0.0, 0.0, 2.0, 10.0, 20.0)
    assert times(shift, SAME) == shift


def test_a_box_lies_in_another_with_its_middle_and_outside_with_all_of_it() -> None:
    assert lies_in((10.0, 10.0, 20.0, 20.0), (15.0, 15.0, 90.0, 90.0))
    assert not lies_in((10.0, 10.0, 20.0, 20.0), (16.0, 16.0, 90.0, 90.0))
    assert is_outside((361.0, 0.0, 400.0, 10.0), PAGE)
    assert not is_outside((359.0, 0.0, 400.0, 10.0), PAGE)
    assert area((1.0, 2.0, 4.0, 6.0)) == 12.0
