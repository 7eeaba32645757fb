"""Lists of chapters at the head of plain text."""

from __future__ import annotations

from quire.books.plain.contents import entries_of, find_contents, find_illustrations
from quire.books.plain.lines import group_lines

PROSE = "The ferry left at six, and nobody on the pier had seen the boy who sat between the crates."


def listed(text: str) -> list[str]:
    groups = group_lines(text)
    return [groups[index].text for index in find_contents(groups)]


def test_the_list_ends_where_the_first_chapter_comes_again() -> None:
    entries = [
        f"{number}. The {name}"
        for number, name in zip("I II III IV".split(), "Pier Crate Bell Tide".split(), strict=True)
    ]
    body = "\n\n".join(f"{entry.upper()}\n\n{PROSE}" for entry in entries)
    assert listed("Contents\n\n" + "\n".join(entries) + "\n\n\n" + body) == ["Contents", " ".join(entries)]
    assert listed("Contents\n\n" + "\n\n".join(entries) + "\n\n\n" + body) == ["Contents", *entries]


def test_descriptions_after_the_numbers_are_entries_too() -> None:
    rows = [
        f"CHAPTER {number}. The bell rings.--A crate falls.--Nobody\nlooks up.--The tide."
        for number in "I II III IV V".split()
    ]
    body = "\n\n\n".join(f"CHAPTER {number}.\n\n{PROSE}" for number in "I II III IV V".split())
    assert len(listed("\n\n".join(rows) + "\n\n\n" + body)) == 5


def test_entries_of_one_title_with_pages_go_on() -> None:
    rows = "\n\n".join(
        f"{number}. The Log of the Ferry   {page}"
        for number, page in zip("I II III IV V".split(), (3, 9, 27, 41, 60), strict=True)
    )
    body = "\n\n\n".join(f"{number}. THE LOG OF THE FERRY\n\n{PROSE}" for number in "I II III IV V".split())
    assert len(listed(f"{rows}\n\n\n{body}")) == 5


def test_chapters_with_text_are_no_list() -> None:
    assert listed("\n\n".join(f"CHAPTER {number}\n\n{PROSE}" for number in "I II III IV V".split())) == []


def test_a_list_of_illustrations_ends_with_the_first_heading() -> None:
    listed = [f"The {name}" for name in "boat oar bank bell pier coat coin".split()]
    listed[2] = "“Oh, the bank!”"
    text = "\n\n".join(
        ["The Ferry", "LIST OF ILLUSTRATIONS", *listed, "CHAPTER I", "It left.", "CHAPTER II", "It came."]
    )
    groups = group_lines(text)
    assert [groups[index].text for index in find_illustrations(groups)] == ["LIST OF ILLUSTRATIONS", *listed]
    assert find_illustrations(group_lines("Illustrations\n\nOne\n\nTwo\n\nCHAPTER I\n\nIt left.")) == []


def test_entries_with_pages_may_repeat_each_other() -> None:
    entries = [f"CHAPTER {n}\n\nJournal of the boy          {page}" for n, page in (("I", 1), ("II", 14), ("III", 26))]
    text = "\n\n".join(["CONTENTS", *entries, *(f"CHAPTER {n}\n\nIt left.\n\nIt came." for n in ("I", "II", "III"))])
    groups = group_lines(text)
    assert [groups[index].text for index in find_contents(groups)][-1].endswith("26")


def test_entries_are_known_by_their_letters() -> None:
    assert entries_of(group_lines("1. The Boat .... 3\nIV--The Oar   17")) == {"theboat": 1, "theoar": 1}


def test_titles_without_numbers_are_a_list_when_they_come_again() -> None:
    titles = ["The Boat", "The Oar", "The Bank", "The Bell"]
    text = "\n".join(["Contents", "", *titles]) + "".join(f"\n\n{title}\n\nIt left.\n\nIt came." for title in titles)
    groups = group_lines(text)
    assert find_contents(groups) == [0, 1]
    assert find_contents(group_lines("Contents\n\n" + "\n".join(titles) + "\n\nIt left.")) == []
