"""Datelines of letters and diaries, and what only looks like one."""

from __future__ import annotations

import time

import pytest

from quire.books.plain.dates import entry_date, is_dateline, is_salutation, part_letter
from quire.books.plain.lines import Lines


@pytest.mark.parametrize(
    "line",
    [
        "May 3.",
        "3 May.",
        "5 May. The Inn.",
        "12th August, 1841",
        "The Ferry House, Oct. 4th, 18—.",
        "St. Anne’s, March 28th, 17—.",
        "Old Bank, Tuesday evening.",
        "Monday, 9 June, 10 p.m.",
        "Sunday, 2 November, evening.",
        "From the Mill, this 2nd of May, 1799.",
        "Sept. 7th, half-past nine o’clock.",
        "August 1812",
        "12 June, later.",
        "Lyon, ce 3 août 17**.",
        "De la Rive, ce lundi soir.",
        "À Rouen, le 14 janvier 1832.",
        "Du château de la Rive, ce 5 septembre 17..",
        "Lundi, 4 mars.",
        "Ce 1er octobre.",
        "Paris, ce 20 brumaire an VII.",
        "Mercredi 12 juin 1850, minuit.",
        "1867-05-03",
        "3/5/1867",
        "[The Bank, 12 May 1888]",
        "Old Bank, May 12 [1888].",
        "Old Bank [May 12, 1888].",
        "[The Mill,] July 1st.",
        "The Mill, April [March?] 30, 1819.",
        "Thursday [December 31].",
        "The Mill, Saturday Morn [March 21, 1818].",
        "[October 14 or 15.]",
        "[The Mill, about September 22, 1818.]",
        "Mardi 7.",
        "Jeudi soir 19.",
        "Lundi 6 le matin.",
        "Monday 7th.",
        "La Rive le 30 avril 1825.",
        "Great Ferry Street November 11, 1848",
        "Old Bank May ye 27th 1761",
        "The Mill, Sept: 20 ’91",
        "Jany 26th, 1863",
        "5 thermidor an 11 (24 juillet 1803)",
        "Rive (26 March)",
        "Même jour, à 11 heures.",
        "Le même jour.",
        "Christmas Eve.",
        "Fait à Rouen, ce 4 décembre 1754.",
        "Written at the Mill, May 3.",
    ],
)
def test_datelines(line: str) -> None:
    assert is_dateline(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "May I come in?",
        "March on, and do not look back.",
        "He came on the third of May.",
        "On May 3 the river rose and nobody crossed it for a week.",
        "Monday was wet.",
        "It was a Tuesday.",
        "Mara waited until August.",
        "CHAPTER III",
        "1841",
        "I will pay you on Monday.",
        "Mars was red that night.",
        "Le mardi, il revint à la rive.",
        "Il partit le 3 août.",
        "“Monday,” she said.",
        "The first of the boats.",
        "Second thoughts",
        "June Ferry",
        "The ferry sank on May 3, 1808",
        "He was born in 1808 (May 3).",
        "Monday 7 boats came over.",
        "The same day we rowed.",
        "Lundi matin il revint à la rive.",
        "Christmas was cold.",
        "An 11 year old boy",
        "He came on Monday [and went].",
        "Row [on May 3 she did",
        "[",
        "[She rowed till May.] Nobody knew.",
        "Died 26th March 1882;",
        "Imprimé le 6 octobre 1820",
    ],
)
def test_lines_that_are_none(line: str) -> None:
    assert not is_dateline(line)


@pytest.mark.parametrize(
    ("paragraph", "date"),
    [
        ("3 May. The Inn.—Left the bank at six, and saw nobody.", "3 May"),
        ("12 June.—Rain again, and no letter.", "12 June"),
        ("May 4th. I have not slept.", "May 4th"),
        ("Lundi 4 mars. — La rivière monte encore.", "Lundi 4 mars"),
        ("Monday. The rope broke.", "Monday"),
        ("3 May was a Tuesday, and nothing came of it.", None),
        ("May he rest. The rope held.", None),
    ],
)
def test_a_diary_entry_opens_with_its_date(paragraph: str, date: str | None) -> None:
    assert entry_date(paragraph) == date


def test_salutations() -> None:
    assert all(
        map(is_salutation, ["My dear Sister,", "Dear Mr. Ferry,", "Monsieur,", "Chère amie,", "Sir:", "Mon cher ami,"])
    )
    assert not any(map(is_salutation, ["Dear me, what a night it was on the river.", "He was dear to her.", "Mara,"]))


def test_a_letter_in_one_run_of_lines_is_parted() -> None:
    text = (
        "I came to the bank at six, and saw nobody that I knew on it but the",
        "old pilot, who sleeps where he stands.",
    )
    opening = (" " * 30 + "The Ferry House, May 3d.", "My dear Sister,")
    closing = (" " * 24 + "Your brother,", " " * 32 + "JOSS.")
    parts = part_letter(Lines((*opening, *text, *closing), 10, 2))
    assert [part.lines for part in parts] == [opening[:1], opening[1:], text, closing[:1], closing[1:]]
    assert [(part.number, part.gap) for part in parts] == [(10, 2), (11, 0), (12, 0), (14, 0), (15, 0)]
    assert [part.lines for part in part_letter(Lines(closing, 1, 1))] == [closing[:1], closing[1:]]


def test_paragraphs_and_verse_are_not_parted() -> None:
    prose = Lines(("Monday was wet, and the river rose over the stage and took the", "second boat with it."), 1, 1)
    verse = Lines((" " * 20 + "The river goes", " " * 20 + "where rivers go."), 1, 1)
    assert part_letter(prose) == [prose]
    assert part_letter(verse) == [verse]


@pytest.mark.parametrize("part", ["a.", "A-", "A—", "St. ", "l’a ", "A.B. ", "1. ", "De la "])
def test_a_line_of_endless_abbreviations_is_soon_told(part: str) -> None:
    began = time.process_time()
    assert not is_dateline(f"{part * 80}"[:94] + " 1 x!")
    # A few thousandths; there were lines of which no end was seen in minutes.
    assert time.process_time() - began < 2
