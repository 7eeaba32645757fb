"""Numbers of chapters in digits, Roman numerals and words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.books.numerals import read_number


@pytest.mark.parametrize(
    ("text", "value", "style"),
    [
        ("24.", 24, "digits"),
        ("XXIV", 24, "roman"),
        ("Twenty-four", 24, "words"),
        ("twenty-fourth", 24, "words"),
        ("vingt-quatrième", 24, "words"),
        ("soixante et onze", 71, "words"),
        ("quatre-vingt-dix-neuvième", 99, "words"),
        ("PREMIÈRE", 1, "words"),
        ("1er", 1, "digits"),
        ("Zwölftes", 12, "words"),
    ],
)
def test_numbers_are_read(text: str, value: int, style: str) -> None:
    found = read_number(text)
    assert found is not None
    assert found[:2] == (value, style)


@pytest.mark.parametrize("text", ["d'abord", "01", "1812", "the", "c’est", ""])
def test_words_that_only_look_like_numbers(text: str) -> None:
    assert read_number(text) is None


def test_the_last_chapter_has_no_number() -> None:
    assert read_number("dernier") == (None, "words", 7)


@given(st.text(max_size=40))
def test_any_text_can_be_asked(text: str) -> None:
    found = read_number(text)
    assert found is None or 0 < found[2] <= len(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("one hundred and one", 101),
        ("A HUNDRED AND TWENTY-FIRST", 121),
        ("One Hundred Forty", 140),
        ("two hundred and two", 202),
        ("cent un", 101),
        ("CENT DIX-SEPTIÈME", 117),
        ("deux cent quatre-vingt-dix-neuf", 299),
    ],
)
def test_serials_count_beyond_a_hundred_in_words(text: str, number: int) -> None:
    assert read_number(text) == (number, "words", len(text))
