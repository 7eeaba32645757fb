"""Chapters out of items: which headings open one, which are one heading, what falls between."""

from __future__ import annotations

from quire.books.book import Place
from quire.books.draft import Draft, Item, ItemKind
from quire.books.finishing.chapters import Opened, gather_chapters

Given = tuple[ItemKind, str] | tuple[ItemKind, str, int] | tuple[ItemKind, str, int, str]


def gathered(*given: Given) -> tuple[list[Opened], Draft]:
    """The chapters of items given as (kind, text, level, file)."""
    items = []
    for number, (kind, text, *more) in enumerate(given, start=1):
        level = int(more[0]) if more else 0
        items.append(Item(kind, text, Place("b", "paragraph", number, str(more[1]) if len(more) > 1 else ""), level))
    draft = Draft("b")
    return gather_chapters(draft, items), draft


def titles(*given: Given) -> list[str | None]:
    return [one.chapter.title for one in gathered(*given)[0]]


TEXT: Given = ("paragraph", "The tide came in.")


def test_the_highest_rank_opens_chapters_and_a_section_stays_inside() -> None:
    assert titles(("heading", "Salt", 2), TEXT, ("heading", "The pans", 3), TEXT, ("heading", "Rope", 2), TEXT) == [
        "Salt",
        "Rope",
    ]


def test_parts_hold_chapters_though_a_preface_holds_none() -> None:
    given: list[Given] = [("heading", "Preface", 2), TEXT, ("heading", "Of measures", 2), TEXT]
    for part in ("Part I", "Part II"):
        given.append(("heading", part, 2))
        for chapter in ("I\nSalt", "II\nRope"):
            given += [("heading", chapter, 3), TEXT]
    chapters = ["I\nSalt", "II\nRope"]
    assert titles(*given) == ["Preface", "Of measures", "Part I", *chapters, "Part II", *chapters]


def test_headings_that_open_files_open_chapters() -> None:
    given: list[Given] = [("heading", "The Ferry", 1, "a"), ("paragraph", "A tale in three tides.", 0, "a")]
    for name in ("b", "c", "d"):
        given += [("heading", f"Tide {name}", 2, name), ("paragraph", "It rose.", 0, name)]
    given += [("heading", "A word more", 1, "e"), ("paragraph", "And fell.", 0, "e")]
    assert titles(*given) == ["The Ferry", "Tide b", "Tide c", "Tide d", "A word more"]


def test_a_number_and_the_title_under_it_are_one_heading() -> None:
    assert titles(("heading", "Chapter I", 2), ("heading", "The Boat", 2), TEXT) == ["Chapter I\nThe Boat"]
    assert titles(("heading", "PART ONE", 1), ("heading", "Chapter I", 2), TEXT) == ["PART ONE", "Chapter I"]


def test_a_repeated_heading_is_named_among_what_was_dropped() -> None:
    opened, draft = gathered(("heading", "Salt", 2), ("heading", "SALT", 2), TEXT)
    assert [one.chapter.title for one in opened] == ["Salt"]
    assert [(drop.reason, drop.text) for drop in draft.dropped] == [("repeated heading", "SALT")]


def test_breaks_stand_only_between_scenes() -> None:
    rule: Given = ("break", "* * *")
    opened, _ = gathered(("heading", "Salt", 2), rule, TEXT, rule, rule, TEXT, rule)
    assert [block.kind for block in opened[0].chapter.blocks] == ["paragraph", "break", "paragraph"]


def test_a_part_with_a_role_gives_it_to_the_heading_that_opens_it() -> None:
    place = Place("b", "paragraph", 1)
    items = [
        Item("chapter", "", place, role="preface", matter="front"),
        Item("heading", "Before we sail", place, 2),
        Item("paragraph", "A word.", place),
    ]
    (opened,) = gather_chapters(Draft("b"), items)
    assert (opened.chapter.title, opened.role, opened.matter) == ("Before we sail", "preface", "front")


def test_text_without_any_heading_is_one_chapter_without_a_title() -> None:
    assert titles(TEXT, TEXT) == [None]
