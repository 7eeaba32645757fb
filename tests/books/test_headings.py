"""Headings by their words, and sentences that are none."""

from __future__ import annotations

import pytest

from quire.books.headings import (
    bare_in_order,
    has_word,
    in_order,
    is_contents_label,
    is_dateline,
    is_part,
    is_title_line,
    recognise,
)


@pytest.mark.parametrize(
    "text",
    [
        "CHAPTER XLII",
        "Chapitre premier",
        "LIVRE II",
        "Première partie",
        "Letter IV",
        "PROLOGUE",
        "Book the Second",
        "Kapitel 3",
        "Chapter 12: The Sea",
    ],
)
def test_headings_are_recognised(text: str) -> None:
    assert recognise(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Part of me agreed.",
        "I am here.",
        "Book early to avoid disappointment",
        "Chapter and verse.",
        "livre ouvert",
        "Act now, think later.",
    ],
)
def test_sentences_are_no_headings(text: str) -> None:
    assert recognise(text) is None


def test_bare_numbers_count_only_in_order() -> None:
    assert in_order([1, 2, 3, 212, 1, 2]) == [True, True, True, False, True, True]
    assert in_order([17, 18, 19]) == [False, False, False]


@pytest.mark.parametrize(
    ("text", "kind", "number", "titled"),
    [
        ("CHAPTER XLII", "chapter", 42, False),
        ("Chapter 12: The Sea", "chapter", 12, True),
        ("LIVRE IV", "part", 4, False),
        ("Première partie", "part", 1, False),
        ("Épilogue", "named", None, False),
        ("XIV.", "bare", 14, False),
        ("VII. The Storm", "bare", 7, True),
        ("Twenty-one", "bare", 21, False),
    ],
)
def test_what_a_heading_says_of_itself(text: str, kind: str, number: int | None, titled: bool) -> None:
    heading = recognise(text)
    assert heading is not None
    assert (heading.kind, heading.number, heading.titled) == (kind, number, titled)


def test_a_part_holds_chapters_and_a_chapter_does_not() -> None:
    assert is_part("PART THE FIRST\nThe Sea")
    assert not is_part("CHAPTER I")


def test_a_title_line_is_no_sentence_and_no_speech() -> None:
    assert is_title_line("In Which the Ferry Leaves")
    assert is_title_line("THE BOAT.")
    assert not is_title_line("He left at six, and nobody saw him go.")
    assert not is_title_line("“Wait,” she said")


def test_lists_of_contents_announce_themselves() -> None:
    assert is_contents_label("Table des matières")
    assert is_contents_label("  CONTENTS. ")
    assert not is_contents_label("She was content.")


@pytest.mark.parametrize(
    "text",
    [
        "CHAPTER 1. Lanterns.",
        "CHAPTER XI. Who Hid the Lamp?",
        "CHAPITRE PREMIER — Où l’on part.",
        "Chapitre vingt-quatrième",
        "Acte premier, scène II",
        "[ 7 ]",
        "*** CHAPTER IV ***",
        "P R E F A C E",
        "I.--THE PIER",
        "IV LE RETOUR",
        "VOL. II",
        "CHAPTER THE LAST",
    ],
)
def test_headings_in_the_manner_of_old_texts(text: str) -> None:
    assert recognise(text) is not None


@pytest.mark.parametrize(
    "text", ["Livre d’or", "Letter I wrote", "One night", "1812", "01", "Chapter One was the hardest."]
)
def test_numbers_within_other_words_make_no_heading(text: str) -> None:
    assert recognise(text) is None


def test_bare_numbers_go_on_from_chapters_and_page_numbers_do_not_disturb_numerals() -> None:
    texts = ["Adventure I. The Pier", "Adventure II. The Bell", "III. The Tide", "17", "IV. The Lamp", "40"]
    headings = [heading for text in texts if (heading := recognise(text))]
    assert bare_in_order(headings) == [True, True, True, False, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "London, 3 May 1818.",
        "Paris, ce 4 août 17**.",
        "Tuesday, June 4th",
        "Port Ellen, Dec. 11th, 17—.",
        "3 May. Aboard.",
    ],
)
def test_datelines_are_text_and_no_titles(text: str) -> None:
    assert is_dateline(text)
    assert not is_title_line(text)


def test_a_sentence_with_a_date_is_no_dateline() -> None:
    assert not is_dateline("He came on 3 May and left on Tuesday with his brother.")
    assert not is_dateline("CHAPTER II. The 3rd of May")


@pytest.mark.parametrize("text", ["The Weir", "To M. S.", "TO M. S.", "It", "Été", "第一章", "Война", "The sum a + b"])
def test_a_title_has_a_word(text: str) -> None:
    assert has_word(text)


@pytest.mark.parametrize("text", ["D", "AB A", "IL H", "12 3 4 214", "ABC = DEF", "C0D0", "—", "x + y = z", "MN G"])
def test_letters_of_figures_and_formulas_are_no_words(text: str) -> None:
    assert not has_word(text)
