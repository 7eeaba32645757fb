"""Headings told from text by size, words and space."""

from __future__ import annotations

from quire.books.hyphens import Hyphens
from quire.books.pdf.found import Found
from quire.books.pdf.lines import Line
from quire.books.pdf.measure import Column, Frame, Measure
from quire.books.pdf.titles import add_heading, heading_level

MEASURE = Measure(10.0, 12.0, indent=15.0, gap=17.4)
COLUMN = Column((), 0.0, 200.0, 540)
FULL = "nobody had told the ferryman that the far"


def line(text: str, y: float, left: float = 0.0, right: float = 200.0, size: float = 10.0) -> Line:
    return Line(text, left, right, y, size, 1)


def level(text: str, above: float = 60, below: float = 30, size: float = 10, left: float = 70, last: str = "") -> int:
    """The level of a line centred between one `above` points higher and one `below` points lower."""
    before = Found("heading", last, 1, 2, size) if last else None
    this = line(text, 400, left, 200 - left, size)
    return heading_level(MEASURE, COLUMN, line(FULL, 400 + above), this, [line(FULL, 400 - below)], before)


def test_large_type_makes_a_heading_of_any_words() -> None:
    assert level("The Boat", size=14) == 2
    assert level("The Boat", size=11.4) == 3
    assert level("PART THE SECOND", size=14) == 1


def test_the_bodys_type_makes_one_where_words_and_space_say_so() -> None:
    assert level("CHAPTER IV") == 2
    assert level("CHAPTER IV", above=12) == 0
    assert level("CHAPTER IV", below=12) == 2, "a number said in words may stand right above its text"
    assert level("IV") == 2
    assert level("— IV —") == 2
    assert level("IV", below=12) == 0
    assert level("The Boat") == 0
    assert level("First part") == 1


def test_a_title_under_a_number_belongs_to_it() -> None:
    assert level("The Boat", above=24, last="CHAPTER IV") == 2
    assert level("The Boat", above=24, last="CHAPTER IV. The Rope") == 0


def test_no_heading_is_longer_than_some_lines_or_without_letters() -> None:
    assert level("word " * 30, size=14) == 0
    assert level("* * *", size=14) == 0


def add(first: str, second: str, distance: float) -> list[str]:
    found = [Found("heading", first, 1, 2, 14)]
    above = line(first, 400, 40, 160, 14)
    new = Found("heading", second, 1, 2, 14)
    under = line(second, 400 - distance, 40, 160, 14)
    add_heading(found, new, under, above, Frame(0, 200, 10), Hyphens([], "en"))
    return [block.text for block in found]


def test_lines_of_one_heading_are_joined_and_a_number_keeps_its_line() -> None:
    assert add("The Boat that", "Never Came", 17) == ["The Boat that Never Came"]
    assert add("CHAPTER IV", "The Boat", 17) == ["CHAPTER IV\nThe Boat"]
    assert add("The Boat", "CHAPTER IV", 17) == ["The Boat", "CHAPTER IV"]
    assert add("The Boat", "The Rope", 60) == ["The Boat", "The Rope"]
