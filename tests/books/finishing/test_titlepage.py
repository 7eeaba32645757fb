"""Title pages and lists of contents: what goes, and what only looks like one."""

from __future__ import annotations

import pytest

from quire.books.book import Place
from quire.books.draft import Draft, Item, ItemKind
from quire.books.finishing.titlepage import drop_contents, drop_title_page, is_imprint, letters

Given = tuple[ItemKind, str] | tuple[ItemKind, str, int]


def items(*given: Given) -> list[Item]:
    place = Place("b", "paragraph", 1)
    return [Item(kind, text, place, int(level[0]) if level else 0) for kind, text, *level in given]


def left(draft: Draft, *given: Given) -> list[str]:
    return [item.text for item in drop_title_page(draft, items(*given))]


TEXT = "The ferry left at six, and nobody had told the ferryman that the far bank was gone. " * 4
CHAPTER: tuple[Given, Given] = (("heading", "Chapter I", 2), ("paragraph", TEXT))


def test_lines_that_name_the_work_its_author_and_its_makers_go() -> None:
    lines: list[Given] = [
        ("paragraph", line)
        for line in ("A NEW SERIES", "THE FERRY", "By A. WRITER, M.A.", "London", "INK & Co., 1890", "Second edition")
    ]
    assert left(Draft("b", title="The Ferry", author="A. Writer"), *lines, *CHAPTER) == ["Chapter I", TEXT]


def test_they_go_though_no_numbered_chapter_follows() -> None:
    lines: list[Given] = [
        ("paragraph", line) for line in ("THE FERRY", "A. WRITER", "LONDON", "THE SALT PRESS, LTD.", "1890")
    ]
    assert left(Draft("b", title="The Ferry"), *lines, ("paragraph", TEXT), ("paragraph", TEXT)) == [TEXT, TEXT]


def test_a_dedication_and_a_motto_among_them_stay() -> None:
    dedication, motto = "To all who waited with me on that bank, and to the ferryman.", "What is owed\nis rowed."
    given: list[Given] = [("paragraph", "THE FERRY"), ("paragraph", dedication), ("verse", motto), *CHAPTER]
    assert left(Draft("b", title="The Ferry"), *given) == [dedication, motto, "Chapter I", TEXT]


@pytest.mark.parametrize("words", ["For my mother", "À ma mère", "To A. and B.", "In memory of the boats"])
def test_a_short_dedication_stays_too(words: str) -> None:
    given: list[Given] = [("heading", "The Ferry", 1), ("paragraph", "A. Writer"), ("paragraph", words), *CHAPTER]
    assert left(Draft("b", title="The Ferry", author="A. Writer"), *given)[0] == words


def test_many_short_lines_are_a_text_and_no_title_page() -> None:
    lines: list[Given] = [("paragraph", f"The ferry takes number {number} over") for number in range(40)]
    assert len(left(Draft("b", title="The Ferry"), *lines, ("heading", "Chapter I", 2), ("paragraph", "End."))) == 42


@pytest.mark.parametrize("text", ["London\nSalt & Sons\n1890", "PARIS\nLIBRAIRIE DU SEL", "Leipzig, MDCCCXC"])
def test_where_and_when_a_book_was_made(text: str) -> None:
    assert is_imprint(text)


@pytest.mark.parametrize("text", ["In London it rained.", "What is owed\nis rowed.", "I SAID NO", "1890"])
def test_what_is_no_imprint(text: str) -> None:
    assert not is_imprint(text)


def test_title_and_author_are_learnt_where_nothing_names_them() -> None:
    draft = Draft("b")
    rest = left(
        draft, ("heading", "The Ferry", 1), ("paragraph", "by A. Writer"), *CHAPTER, ("heading", "Chapter II", 2)
    )
    assert (draft.title, draft.author) == ("The Ferry", "A. Writer")
    assert rest[0] == "Chapter I"


def test_a_half_title_above_a_chapter_goes() -> None:
    given = (*CHAPTER, ("heading", "The Ferry", 2), ("heading", "Chapter II", 2), ("paragraph", TEXT))
    assert left(Draft("b", title="The Ferry"), *given) == ["Chapter I", TEXT, "Chapter II", TEXT]


def test_a_list_of_contents_ends_where_its_entries_come_again() -> None:
    draft = Draft("b")
    given = items(
        ("paragraph", "Contents"), ("paragraph", "The Boat"), ("paragraph", "The Bank"), ("paragraph", "The Boat"),
        ("paragraph", TEXT),
    )  # fmt: skip
    assert [item.text for item in drop_contents(draft, given)] == ["The Boat", TEXT]
    assert [drop.reason for drop in draft.dropped] == ["contents"] * 3


def test_two_lists_are_each_named_for_what_they_are() -> None:
    draft = Draft("b")
    given = items(
        ("heading", "Contents", 2), ("paragraph", "The Boat"), ("heading", "List of Illustrations", 2),
        ("paragraph", "A boat"), ("heading", "The Boat", 2), ("paragraph", TEXT),
    )  # fmt: skip
    assert [item.text for item in drop_contents(draft, given)] == ["The Boat", TEXT]
    assert [drop.reason for drop in draft.dropped] == ["contents"] * 2 + ["list of illustrations"] * 2


def test_a_book_that_is_nothing_but_short_lines_is_no_list() -> None:
    given = items(("paragraph", "Contents"), ("paragraph", "One"), ("paragraph", "Two"))
    assert drop_contents(Draft("b"), given) == given


def test_letters_are_compared_without_signs() -> None:
    assert letters("L’Île, d’en face!") == "lîledenface"


def test_what_stands_under_a_half_title_is_no_part_of_the_preface_above() -> None:
    given: list[Given] = [("heading", "Preface", 2), ("paragraph", TEXT), ("heading", "The Ferry", 2)]
    rest: list[Given] = [
        ("heading", "In which we wait", 3),
        ("paragraph", TEXT),
        ("heading", "II", 2),
        ("paragraph", TEXT),
    ]
    found = drop_title_page(Draft("b", title="The Ferry"), items(*given, *rest))
    assert [(item.text, item.level) for item in found if item.kind == "heading"] == [
        ("Preface", 2),
        ("In which we wait", 2),
        ("II", 2),
    ]


def test_a_text_under_the_heading_of_a_list_stays() -> None:
    poem = "The ferry left at six,\nand nobody had told\nthe ferryman, who slept,\nthat the far bank was gone."
    given = items(("heading", "Contents", 2), ("paragraph", "The Boat"), ("verse", poem), ("heading", "The Boat", 2))
    draft = Draft("b")
    assert drop_contents(draft, [*given, *items(("paragraph", TEXT))])[0].text == poem
    assert [drop.text for drop in draft.dropped] == ["Contents", "The Boat"]


def test_a_table_that_is_much_of_a_text_is_no_list_of_contents() -> None:
    cells: list[Given] = [("paragraph", f"Crate {number} of the salt ferry") for number in range(60)]
    given = items(("heading", "Contents", 2), *cells, ("heading", "The Boat", 2), ("paragraph", TEXT))
    assert drop_contents(draft := Draft("b"), given) == given
    assert not draft.dropped


def test_a_word_at_the_end_of_a_sentence_is_no_heading_of_a_list() -> None:
    given = items(("paragraph", "table."), ("paragraph", "Crate 1"), ("heading", "The Boat", 2), ("paragraph", TEXT))
    assert drop_contents(Draft("b"), given) == given
