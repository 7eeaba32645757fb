"""How a paragraph is set, from how its letters are."""

from __future__ import annotations

from quire.books.office.paragraph import Paragraph, set_looks
from quire.books.office.styles import Style


def _p(text: str) -> Paragraph:
    return Paragraph(text, Style())


def test_how_letters_are_set_is_how_the_paragraph_is() -> None:
    short, long = _p("Chapter"), _p("x" * 400)
    set_looks(short, [(True, 12.0, 6), (True, 18.0, 1)])
    set_looks(long, [(True, 12.0, 399), (False, 18.0, 1)])
    assert (short.bold, short.size) == (True, 18.0)
    assert (long.bold, long.size) == (False, 12.0)


def test_a_paragraph_without_letters_is_set_in_no_way() -> None:
    empty = _p("")
    set_looks(empty, [])
    assert (empty.bold, empty.size) == (False, 0.0)
