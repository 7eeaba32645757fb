"""A copy is found in any edition, a turn of phrase is none."""

from __future__ import annotations

import random

import numpy as np
import pytest

from quire.books.book import Block, Book, Chapter, Place
from quire.books.copies.held_out import RunIndex, found_in, texts_of, word_numbers

DRAW = random.Random(5)
WORDS = ["".join(DRAW.choices("abcdefghijklmnoprstuv", k=DRAW.randint(2, 9))) for _ in range(4000)]


def prose(length: int, draw: random.Random = DRAW) -> str:
    return " ".join(draw.choices(WORDS, k=length)).capitalize() + "."


def other_edition(text: str, share: float) -> str:
    """Some words spelt otherwise, other commas, capitals and line ends."""
    draw = random.Random(1)
    words = [draw.choice(WORDS) if draw.random() < share else word for word in text.split()]
    return ",\n".join(" ".join(words[i : i + 9]) for i in range(0, len(words), 9)).upper()


BOOK = [prose(90) for _ in range(200)]
INDEX = RunIndex(["\n".join(BOOK)])


@pytest.mark.parametrize(("share", "least"), [(0.0, 1.0), (0.05, 0.99), (0.1, 0.98), (0.2, 0.85)])
def test_a_copy_is_found_though_every_so_many_words_differ(share: float, least: float) -> None:
    found = found_in(INDEX, [other_edition(text, share) for text in BOOK])
    assert sum(found) >= least * len(BOOK)


def test_nothing_is_found_in_text_of_the_same_words() -> None:
    draw = random.Random(99)
    assert not any(found_in(INDEX, [prose(90, draw) for _ in range(2000)]))


def test_a_passage_is_found_in_the_middle_of_other_text_and_only_there() -> None:
    quoted = " ".join(BOOK[7].split()[20:60])
    pieces = [prose(80), prose(60), prose(30) + " " + quoted + " " + prose(30), prose(50)]
    assert found_in(INDEX, pieces) == [False, False, True, False]
    (run,) = INDEX.find(word_numbers(pieces[2]))
    assert (run.start, run.stop, run.equal) == (30, 70, 40)


def test_a_turn_of_phrase_is_no_copy_and_a_short_line_that_stands_there_whole_is_one() -> None:
    phrase = " ".join(BOOK[3].split()[10:22])
    assert found_in(INDEX, [prose(40) + " " + phrase + " " + prose(40)]) == [False]
    assert found_in(INDEX, [phrase]) == [True]
    assert found_in(INDEX, [" ".join(phrase.split()[:6])]) == [False], "six words say nothing"


def test_what_is_cut_into_lines_is_found_across_their_edges() -> None:
    words = BOOK[5].split()
    lines = [" ".join(words[i : i + 7]) for i in range(0, 84, 7)]
    assert all(found_in(INDEX, lines))
    between = [prose(7) for _ in range(12)]
    assert not any(found_in(INDEX, between))


def test_no_run_goes_from_one_text_into_the_next() -> None:
    index = RunIndex([BOOK[0], BOOK[1]])
    edge = " ".join((BOOK[0] + " " + BOOK[1]).split()[87:93])
    assert not index.covered(word_numbers(edge)).any()
    assert len(index) == 2 * (90 - 5)


def test_an_empty_index_finds_nothing_and_no_text_holds_nothing() -> None:
    assert RunIndex([]).find(word_numbers(BOOK[0])) == []
    assert INDEX.find(np.zeros(0, np.uint32)) == []
    assert found_in(INDEX, []) == []
    assert RunIndex([]).digest != INDEX.digest


def test_headings_are_no_text_of_a_work() -> None:
    place = Place("b.txt", "line", 1)
    blocks = (Block("heading", "I", place), Block("paragraph", BOOK[0], place), Block("break", "* * *", place))
    assert texts_of(Book("b.txt", "B", (Chapter("Chapter 1", blocks),))) == [BOOK[0]]
