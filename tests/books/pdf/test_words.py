"""How pages are named to people: in runs, counted from 1, and no more of them than one can read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.books.pdf.words import are, name_pages


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        ([0], "page 1"),
        ([0, 1], "pages 1–2"),
        ([2, 3, 4, 5, 6, 11], "pages 3–7 and 12"),
        ([0, 2, 4], "pages 1, 3 and 5"),
        (list(range(0, 40, 2)), "pages 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23 and 8 more"),
    ],
)
def test_pages_are_named_in_runs(numbers: list[int], name: str) -> None:
    assert name_pages(numbers) == name


@given(st.sets(st.integers(0, 30), min_size=1, max_size=12))
def test_every_page_that_is_named_is_meant_and_none_is_left_out(numbers: set[int]) -> None:
    named: set[int] = set()
    for first, last in re.findall(r"(\d+)(?:–(\d+))?", name_pages(sorted(numbers))):
        named |= set(range(int(first), int(last or first) + 1))
    assert named == {number + 1 for number in numbers}


def test_one_page_is_and_more_are() -> None:
    assert (are([3]), are([3, 4])) == ("is", "are")
