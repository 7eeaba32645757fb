"""Headings among plain lines: by their numbers, by what was announced, by the space above them."""

from __future__ import annotations

from collections import Counter

from quire.books.plain.contents import entries_of
from quire.books.plain.lines import group_lines
from quire.books.plain.openings import find_headings, rank

WRAPPED = (
    "The ferry left at six, and nobody had told the ferryman\n"
    "that the far bank was gone; they went out under a sky\n"
    "the colour of pewter, and for an hour no one spoke."
)


def test_headings_are_numbers_in_order_with_their_titles() -> None:
    text = f"I\n\nTHE BOAT\n\n{WRAPPED}\n\n1815\n\n{WRAPPED}\n\n\nII\n\nTHE BANK\n\n{WRAPPED}"
    groups = group_lines(text)
    found = find_headings(groups)
    assert [groups[index].text for index in sorted(found)] == ["I", "THE BOAT", "II", "THE BANK"]
    assert [heading.number if heading else None for _, heading in sorted(found.items())] == [1, None, 2, None]


def test_capitals_with_space_above_are_headings_where_nothing_is_numbered() -> None:
    text = "\n\n\n".join(f"{title}\n\n{WRAPPED}" for title in ("", "THE BOAT", "THE OAR", "THE BANK"))
    groups = group_lines(text)
    assert [groups[index].text for index in sorted(find_headings(groups))] == ["THE BOAT", "THE OAR", "THE BANK"]


def _titles(text: str, listed: str = "") -> list[str]:
    groups = group_lines(text)
    entries = entries_of(group_lines(listed)) if listed else Counter[str]()
    return [groups[index].text for index in sorted(find_headings(groups, entries))]


def test_what_the_list_of_chapters_announced_is_a_heading_however_it_is_set() -> None:
    listed = "1. The Boat .... 3\n2. The Oar .... 17\n3. The Bank .... 40"
    text = "\n\n".join(f"{title}\n\n{WRAPPED}" for title in ("The boat", "The Oar.", "THE BANK"))
    assert _titles(text, listed) == ["The boat", "The Oar.", "THE BANK"]
    assert _titles(text) == []


def test_an_entry_that_comes_again_and_again_is_none() -> None:
    listed = "The Boat\nThe Oar\nThe Bank\nYes"
    text = "\n\n".join(f"{title}\n\nYes\n\n{WRAPPED}" for title in ("The Boat", "The Oar", "The Bank"))
    assert _titles(text, listed) == ["The Boat", "The Oar", "The Bank"]


def test_lines_with_much_space_above_are_headings_where_nothing_else_is() -> None:
    text = "".join(f"\n\n\n\n   {title}\n\n\n" + f"{WRAPPED}\n\n" * 12 for title in ("The Boat", "The Oar", "The Bank"))
    assert _titles(text) == ["The Boat", "The Oar", "The Bank"]
    everywhere = "".join(f"{WRAPPED}\n\n\n\nThe Boat\n\n\n\n" for _ in range(5))
    assert _titles(everywhere) == []


def test_parts_stand_above_chapters_and_a_title_with_its_number() -> None:
    text = "\n\n\n".join(
        f"{line}\n\n{WRAPPED}" for line in ("PART ONE", "CHAPTER I", "CHAPTER II", "PART TWO", "CHAPTER III")
    )
    groups = group_lines(text)
    levels = rank(find_headings(groups), groups)
    assert [level for _, level in sorted(levels.items())] == [1, 2, 2, 1, 2]


def test_a_title_that_somebody_says_is_no_heading_when_its_chapter_is_known() -> None:
    listed = "I. The Boat\nII. The Oar\nIII. The Bank"
    chapters = [
        f"{number}. {title}\n\n{WRAPPED}"
        for number, title in zip(("I", "II", "III"), ("The Boat", "The Oar", "The Bank"), strict=True)
    ]
    assert _titles("\n\n".join([*chapters, "“The Bank.”", WRAPPED]), listed) == [
        "I. The Boat",
        "II. The Oar",
        "III. The Bank",
    ]
