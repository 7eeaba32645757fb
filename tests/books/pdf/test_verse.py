"""Lines broken by their author, and lines broken by the typesetter."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from quire.books.hyphens import Hyphens
from quire.books.pdf.lines import Line
from quire.books.pdf.measure import Frame
from quire.books.pdf.verse import is_prose, is_turned, is_turned_verse, is_verse, looks_like_verse, verse_lines

FRAME = Frame(0.0, 200.0, 10.0)


def rows(*texts: str, left: float = 0.0) -> list[Line]:
    """Lines in a type in which each letter is 5 points wide."""
    return [Line(text, left, left + 5 * len(text), 500.0 - 12 * n, 10, 1) for n, text in enumerate(texts)]


POEM = ("The tide went out,", "The tide came in,", "And who had rowed", "Was seen no more.")


def test_lines_that_had_room_for_more_are_verse() -> None:
    assert is_verse(FRAME, rows(*POEM), inset=True)
    assert looks_like_verse(FRAME, rows(*POEM))
    assert not is_prose(FRAME, rows(*POEM))


def test_a_line_without_another_is_what_the_caller_says() -> None:
    assert is_verse(FRAME, rows(POEM[0]), inset=True, alone=True)
    assert not is_verse(FRAME, rows(POEM[0]), inset=True)


def test_long_lines_turned_over_are_verse_where_lines_begin_with_capitals() -> None:
    long = ("Nobody had told the ferryman of the far", "bank,", "Nor of the house that had stood there once", "of old,")
    assert is_verse(FRAME, rows(*long), inset=True)
    assert not is_verse(FRAME, rows(*long), inset=False)
    assert verse_lines(FRAME, rows(*long), long, Hyphens([], "en")) == [" ".join(long[:2]), " ".join(long[2:])]


def test_a_hanging_rest_goes_back_to_its_line() -> None:
    above, _ = rows("Nobody had told the ferryman that the", "x")
    rest = Line("Ferry was gone", 30, 100, 488, 10, 1)
    assert is_turned(FRAME, above, rest)
    assert not is_turned(FRAME, rows("Short")[0], rest)


def set_ragged(words: Sequence[str], width: int) -> list[Line]:
    return rows(*textwrap.wrap(" ".join(words), width, break_long_words=False))


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=9), min_size=40, max_size=80))
def test_small_letters_filled_to_the_margin_are_never_verse(words: list[str]) -> None:
    lines = set_ragged(words, 40)
    assert not is_verse(FRAME, lines, inset=False)
    assert is_prose(FRAME, set_ragged(words, 30))


TURNED = (
    "When we were young and the orchards stood",
    "beside the wall,",
    "We carried the light in a basket of wicker",
    "and never asked;",
)


def test_verse_in_which_every_line_is_turned_over_is_verse() -> None:
    assert is_turned_verse(FRAME, rows(*TURNED, TURNED[0]))
    whole = [" ".join(TURNED[:2]), " ".join(TURNED[2:])]
    assert verse_lines(FRAME, rows(*TURNED), TURNED, Hyphens([], "en")) == whole


def test_a_word_cut_at_the_end_of_a_turned_line_is_one_word_again() -> None:
    first, second = rows("When we were young and the orch", "ards stood beside the wall,")
    texts = [first.text, second.text]
    joined = verse_lines(FRAME, [replace(first, hyphen=True), second], texts, Hyphens(["orchards"], "en"))
    assert joined == ["When we were young and the orchards stood beside the wall,"]


def test_paragraphs_of_two_lines_are_no_turned_verse() -> None:
    speech = (
        "Nobody had told him of the bridge that",
        "he could see.",
        "It was a thing of ropes and it was there",
        "and it was new.",
    )
    assert not is_turned_verse(FRAME, rows(*speech, speech[0]))
    assert not is_turned_verse(FRAME, set_ragged("the ferry left at six and nobody knew".split() * 5, 40))


def test_verse_lines_of_one_length_are_no_justified_prose() -> None:
    stanza = ("The tide went out at", "And nobody was there", "To see it go or call", "It back again.")
    assert not is_prose(FRAME, rows(*stanza, left=20))
