"""What readers fill: items, what was dropped, and which lines only part scenes."""

from __future__ import annotations

import pytest

from quire.books.book import Dropped, Place
from quire.books.draft import Draft, is_scene_break

PLACE = Place("book.x", "line", 1)


def test_text_without_a_visible_character_is_no_item_but_a_chapter_may_open_without_words() -> None:
    draft = Draft("book.x")
    draft.add("paragraph", " \n", PLACE)
    draft.add("chapter", "", PLACE)
    draft.add("paragraph", "The gate stood open.", PLACE)
    assert [item.kind for item in draft.items] == ["chapter", "paragraph"]


def test_what_is_dropped_has_a_reason_and_a_text() -> None:
    draft = Draft("book.x")
    draft.drop("folio", " ", PLACE)
    draft.drop("folio", "12", PLACE)
    assert draft.dropped == [Dropped("folio", "12", PLACE)]


@pytest.mark.parametrize("line", ["* * *", "#", "⁂", "---", " • • • ", ". . .", "*", "——"])
def test_ornaments_part_scenes(line: str) -> None:
    assert is_scene_break(line)


@pytest.mark.parametrize("line", ["", "* * * and then", "1", "...", "— Yes.", "* " * 40])
def test_what_says_something_does_not(line: str) -> None:
    assert not is_scene_break(line)
