"""Large initials beside the first lines of a chapter."""

from __future__ import annotations

import pytest

from quire.books.pdf.initials import join_initials
from quire.books.pdf.lines import Line
from quire.books.pdf.measure import Column, Measure

MEASURE = Measure(10.0, 12.0, indent=15.0, gap=17.4)


def line(text: str, y: float, left: float = 0.0, size: float = 10.0) -> Line:
    return Line(text, left, left + 0.5 * size * len(text), y, size, 1)


def joined(*lines: Line, words: str = "") -> list[tuple[str, float]]:
    known = dict.fromkeys(words.split(), 2)
    return [(one.text, one.left) for one in join_initials(Column(lines, 0.0, 200.0, 540), MEASURE, known)]


def test_an_initial_beside_two_lines_joins_the_first_and_both_stand_at_the_margin() -> None:
    lines = [
        line("T", 488, size=30),
        line("he ferry left", 500, 24),
        line("at six, and", 488, 24),
        line("nobody knew.", 476),
    ]
    assert joined(*lines) == [("The ferry left", 0), ("at six, and", 0), ("nobody knew.", 0)]


@pytest.mark.parametrize(
    ("initial", "rest", "word"),
    [
        ("“W", "hen it left", "“When it left"),
        ("L’", "eau montait", "L’eau montait"),
        ("I", "T WAS late", "IT WAS late"),
        ("A", "Ferry left", "A Ferry left"),
    ],
)
def test_quotation_marks_elisions_and_words_of_one_letter(initial: str, rest: str, word: str) -> None:
    assert joined(line(initial, 488, size=30), line(rest, 500, 40))[0][0] == word


def test_lines_below_that_keep_clear_of_it_count_too() -> None:
    lines = [line("O", 476, size=44), *(line("nce upon a time", y, 40) for y in (500, 488, 476)), line("it ran.", 464)]
    assert {left for _, left in joined(*lines)} == {0.0}


def test_a_large_word_is_no_initial() -> None:
    lines = [line("The Boat", 500, 40, 20), line("He left at six.", 470)]
    assert joined(*lines) == [("The Boat", 40), ("He left at six.", 0)]


@pytest.mark.parametrize(
    ("initial", "rest", "words", "whole"),
    [
        ("I", "must go", "must", "I must go"),
        ("I", "must go", "imust", "Imust go"),
        ("A", "secret it was", "secret", "A secret it was"),
        ("I", "t was late", "it was", "It was late"),
        ("T", "he boat", "he", "The boat"),
    ],
)
def test_the_books_own_words_tell_whether_an_initial_is_a_word(initial: str, rest: str, words: str, whole: str) -> None:
    assert joined(line(initial, 488, size=30), line(rest, 500, 40), words=words)[0][0] == whole


def test_where_words_do_not_tell_a_space_before_the_first_line_does() -> None:
    initial, under = line("A", 488, size=30), line("nobody knew.", 488, 24)
    assert joined(initial, line("way with it,", 500, 24), under, words="way away")[0][0] == "Away with it,"
    assert joined(initial, line("way with it,", 500, 27), under, words="way away")[0][0] == "A way with it,"
    assert joined(initial, line("pprochez donc,", 500, 27), under)[0][0] == "Approchez donc,"


def test_a_first_line_nearer_to_its_initial_is_no_paragraph_of_its_own() -> None:
    lines = [line("W", 476, size=44), line("hen it left", 500, 40), *(line("the landing", y, 46) for y in (488, 476))]
    assert {left for _, left in joined(*lines, line("nobody knew.", 464))} == {0.0}


def test_a_second_paragraph_beside_an_initial_keeps_its_indent() -> None:
    lines = [
        line("W", 476, size=44),
        *(line("hen it left", y, 46) for y in (500, 488)),
        line("“No,” he said.", 476, 61),
    ]
    assert [left for _, left in joined(*lines)] == [0.0, 0.0, 15.0]


def test_the_white_below_a_short_line_beside_an_initial_parts_no_scenes() -> None:
    found = join_initials(
        Column((line("H", 476, size=44), line("e left.", 500, 40), line("It rained.", 464, 15)), 0.0, 200.0, 540),
        MEASURE,
        {},
    )
    assert [one.y for one in found] == [476, 464]
