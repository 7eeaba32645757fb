"""Lists of chapters at the head of plain text."""

from __future__ import annotations

from quire.books.plain.contents import find_contents
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
