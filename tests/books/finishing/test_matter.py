"""Front and back matter: what is recognised, what each setting keeps, and that the story always stays."""

from __future__ import annotations

import re

import pytest

from quire.books.book import Block, Chapter, Matter, Place
from quire.books.draft import Draft, Item, ItemKind
from quire.books.finishing import matter
from quire.books.finishing.chapters import Opened
from quire.books.finishing.matter_words import RIGHTS
from quire.recipe.schema import KeptMatter

PLACE = Place("b", "paragraph", 1)
STORY = "The ferry left at six, and nobody had told the ferryman that the far bank was gone. " * 12
SHORT = "For all who waited."


def opened(title: str | None, text: str = STORY, role: str = "", side: Matter | None = None) -> Opened:
    return Opened(Chapter(title, (Block("paragraph", text, PLACE),)), role, side)


def settled(*given: Opened, kept: KeptMatter = "text", draft: Draft | None = None) -> list[tuple[str | None, Matter]]:
    return [(chapter.title, chapter.matter) for chapter in matter.settle(draft or Draft("b"), given, kept)]


BOOK = (
    opened("Also by A. Writer", SHORT),
    opened("Dedication", SHORT),
    opened("Preface", STORY),
    opened("Chapter I"),
    opened("Chapter II"),
    opened("Afterword", STORY),
    opened("About the Author", SHORT),
    opened("Sign up for news", SHORT),
)


def test_each_setting_keeps_what_it_says() -> None:
    assert settled(*BOOK, kept="chapters") == [("Chapter I", "body"), ("Chapter II", "body")]
    assert settled(*BOOK) == [
        ("Dedication", "front"),
        ("Preface", "front"),
        ("Chapter I", "body"),
        ("Chapter II", "body"),
        ("Afterword", "back"),
    ]
    assert [title for title, _ in settled(*BOOK, kept="all")] == [one.chapter.title for one in BOOK]


def test_what_goes_goes_with_its_role_as_reason() -> None:
    draft = Draft("b")
    settled(*BOOK, draft=draft)
    assert [(drop.reason, drop.text) for drop in draft.dropped[::2]] == [
        ("other books", "Also by A. Writer"),
        ("about the author", "About the Author"),
        ("newsletter", "Sign up for news"),
    ]


def test_a_chapter_amid_the_story_stays_whatever_it_is_called() -> None:
    given = [opened("Chapter I"), opened("Index", SHORT), opened("Preface", SHORT), opened("Chapter II")]
    assert settled(*given, kept="chapters") == [(one.chapter.title, "body") for one in given]


@pytest.mark.parametrize("title", ["The Introduction", "Notes", "Contents of a Drawer", "The Index Finger", "A Cover"])
def test_titles_of_stories_that_sound_like_matter_stay(title: str) -> None:
    assert (title, "body") in settled(opened("Chapter I"), opened(title), opened("Chapter III"))


def test_long_texts_are_no_machinery_whatever_their_heading() -> None:
    assert settled(opened("Praise for Salt", STORY * 30), opened("Chapter I")) == [
        ("Praise for Salt", "body"),
        ("Chapter I", "body"),
    ]


def test_a_book_of_prefaces_keeps_them() -> None:
    given = [opened("Preface to the first edition"), opened("Preface to the second edition"), opened("Note", SHORT)]
    assert len(settled(*given, kept="chapters")) >= 2


def test_words_without_a_heading_before_the_story_are_front_matter() -> None:
    assert settled(opened(None, SHORT), opened("I"), opened("II"), opened(None, "The end.")) == [
        (None, "front"),
        ("I", "body"),
        ("II", "body"),
        (None, "back"),
    ]


def test_what_the_source_says_counts_more_than_words() -> None:
    given = [opened("A Word", STORY, "preface", "front"), opened("Preface", STORY, "", "body"), opened("I")]
    assert settled(*given, kept="chapters") == [("Preface", "body"), ("I", "body")]


def item(kind: ItemKind, text: str = "", role: str = "", level: int = 0) -> Item:
    return Item(kind, text, PLACE, level, role=role)


def test_marked_machinery_is_cut_up_to_the_next_chapter() -> None:
    draft = Draft("b")
    items = [
        item("chapter", role="imprint"),
        item("paragraph", "Printed nowhere."),
        item("note", "A note."),
        item("chapter"),
        item("paragraph", STORY),
        item("heading", "List of plates", "list of illustrations", 2),
        item("paragraph", "A boat."),
        item("heading", "II", level=2),
        item("paragraph", STORY),
    ]
    left = matter.cut_marked(draft, items, "text")
    assert [one.text for one in left if one.text] == ["A note.", STORY, "II", STORY]
    assert [drop.reason for drop in draft.dropped] == ["imprint"] + ["list of illustrations"] * 2
    assert matter.cut_marked(Draft("b"), items, "all") == items


def test_a_book_that_says_it_is_all_machinery_is_read_all_the_same() -> None:
    items = [item("chapter", role="advertisement"), item("paragraph", STORY)]
    assert [one.text for one in matter.cut_marked(Draft("b"), items, "text") if one.text] == [STORY]


def test_types_of_epub_and_words_of_guides() -> None:
    assert matter.role_of_type(frozenset({"backmatter", "colophon"})) == "colophon"
    assert matter.role_of_type(frozenset({"title-page"})) == "title page"
    assert matter.role_of_type(frozenset({"chapter", "bodymatter"})) == ""


def test_the_back_of_a_title_page_is_known_by_its_words() -> None:
    assert matter.is_legal("Copyright © 2020 A. Writer. All rights reserved. ISBN 1234567890.")
    assert matter.is_legal("Tous droits réservés. Dépôt légal : mai 1990.")
    assert not matter.is_legal("He owned the copyright and would not sell it.")
    assert not matter.is_legal("All rights reserved. ISBN 1. " + STORY * 10)


def test_every_role_is_of_one_tier_alone() -> None:
    assert not matter.MACHINERY & matter.AROUND
    assert matter.is_dropped("imprint", "text")
    assert not matter.is_dropped("preface", "text")
    assert matter.is_dropped("preface", "chapters")
    assert not matter.is_dropped("imprint", "all")


def test_what_stands_behind_what_follows_a_story_is_no_part_of_it() -> None:
    given = [
        opened("Chapter 1"),
        opened("Epilogue", SHORT),
        opened("About the Author", SHORT),
        opened("One more thing", SHORT),
    ]
    assert settled(*given, kept="chapters") == [("Chapter 1", "body"), ("Epilogue", "body")]
    assert settled(*given)[-1] == ("One more thing", "back")


def test_a_long_or_numbered_chapter_behind_it_is_the_story_all_the_same() -> None:
    for title, text in (("Salt", STORY), ("Chapter 2", SHORT)):
        given = [opened("Chapter 1"), opened("Acknowledgements", SHORT), opened(title, text)]
        assert settled(*given, kept="chapters")[-1] == (title, "body")


def test_a_page_without_a_heading_may_say_what_it_is_in_its_first_line() -> None:
    blocks = tuple(Block("paragraph", text, PLACE) for text in ("Du même auteur", "Le Sel, roman"))
    assert settled(Opened(Chapter(None, blocks)), opened("I"), opened("II")) == [("I", "body"), ("II", "body")]


def test_a_list_of_books_with_their_prices_behind_the_last_chapter_is_an_advertisement() -> None:
    story = [opened(f"Chapter {number}", 4 * STORY) for number in ("I", "II", "III", "IV")]
    listed = [
        opened("A SHORT ACCOUNT OF LOCKS", "By a lock keeper."),
        opened("[Third Edition. Pp. xxiv + 527. Price 10s. net.]", SHORT),
        opened("A Primer of Weirs", "Crown 8vo, 2s. 6d. net."),
        opened("THE RIVER PRESS", SHORT),
    ]
    draft = Draft("b")
    assert [title for title, _ in settled(*story, *listed, draft=draft)] == [one.chapter.title for one in story]
    assert {drop.reason for drop in draft.dropped} == {"advertisement"}


def test_a_price_that_somebody_names_in_the_last_chapter_is_no_advertisement() -> None:
    story = [opened(f"Chapter {number}") for number in ("I", "II")]
    tail = [opened("The Fair", "Price 6s. the pair, said she."), opened("The Road Home", STORY)]
    assert len(settled(*story, *tail)) == 4


@pytest.mark.parametrize("line", RIGHTS.split("\n    ")[1:])
def test_whatever_is_legal_has_one_of_the_signs(line: str) -> None:
    # The plainest text that each pattern takes.
    plain = re.sub(r"\\b|\?$", "", line.strip())
    plain = re.sub(r"\[(.)[^]]*\]", r"\1", re.sub(r"\(\?:([^|)]*)\|[^)]*\)", r"\1", plain))
    plain = plain.replace(r"\(c\) ?\d{4}", "(c) 1900").replace("in|by|and bound", "in")
    assert re.search(line.strip(), plain)
    assert any(sign in plain.lower() for sign in matter.LEGAL_SIGNS)
    assert matter.is_legal(f"{plain}\n{plain}")
