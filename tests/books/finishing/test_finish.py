"""From items to a book: title page, contents, headings, scene breaks, chapters."""

from __future__ import annotations

import pytest

from bookfiles import PARAGRAPHS as P
from quire.books.book import Book, Place
from quire.books.draft import Draft, ItemKind
from quire.books.finishing.chapters import gather_chapters
from quire.books.finishing.finish import finish
from quire.errors import BookError


def draft(*items: tuple[ItemKind, str] | tuple[ItemKind, str, int], title: str = "", author: str = "") -> Draft:
    """A draft of (kind, text, level)."""
    made = Draft("book.x", title=title, author=author)
    for number, (kind, text, *level) in enumerate(items, start=1):
        made.add(kind, text, Place("book.x", "paragraph", number), *level)
    return made


def shape(book: Book) -> list[tuple[str | None, list[str]]]:
    return [(chapter.title, [block.kind for block in chapter.blocks]) for chapter in book.chapters]


def dropped(book: Book) -> list[tuple[str, str]]:
    return [(drop.reason, drop.text) for drop in book.dropped]


def test_scene_breaks_stand_only_between_scenes() -> None:
    book = finish(
        draft(
            ("heading", "I", 2),
            ("break", "***"),
            ("paragraph", P[0]),
            ("paragraph", "#"),
            ("break", "*"),
            ("paragraph", P[1]),
            ("break", "*"),
            ("heading", "II", 2),
            ("paragraph", P[2]),
        )
    )
    assert shape(book) == [("I", ["paragraph", "break", "paragraph"]), ("II", ["paragraph"])]
    assert book.chapters[0].blocks[1].text == "* * *"


def test_the_title_page_becomes_title_and_author() -> None:
    book = finish(
        draft(
            ("heading", "The Ferry", 1),
            ("paragraph", "by A. Writer"),
            ("heading", "I. The Boat", 2),
            ("paragraph", P[0]),
            ("heading", "II. The Bank", 2),
            ("paragraph", P[1]),
        )
    )
    assert (book.title, book.author) == ("The Ferry", "A. Writer")
    assert shape(book) == [("I. The Boat", ["paragraph"]), ("II. The Bank", ["paragraph"])]
    assert dropped(book) == [("title page", "The Ferry"), ("title page", "by A. Writer")]


def test_a_dedication_before_the_first_chapter_stays() -> None:
    book = finish(
        draft(
            ("paragraph", "THE FERRY"),
            ("paragraph", "To all who waited with me on that bank, and to the ferryman."),
            ("heading", "Chapter I", 2),
            ("paragraph", P[0]),
            title="The Ferry",
        )
    )
    assert dropped(book) == [("title page", "THE FERRY")]
    assert book.chapters[0].text.startswith("To all who waited")


def test_a_list_of_contents_goes_up_to_the_first_chapter() -> None:
    book = finish(
        draft(
            ("heading", "Contents", 2),
            ("paragraph", "I. The Boat"),
            ("paragraph", "II. The Bank"),
            ("heading", "I. The Boat", 2),
            ("paragraph", P[0]),
            ("heading", "II. The Bank", 2),
            ("paragraph", P[1]),
        )
    )
    assert {reason for reason, _ in dropped(book)} == {"contents"}
    assert [title for title, _ in shape(book)] == ["I. The Boat", "II. The Bank"]


def test_notes_stand_aside_and_their_label_goes() -> None:
    book = finish(draft(("paragraph", P[0]), ("paragraph", "Footnotes:"), ("note", "A flat boat.")))
    assert [note.text for note in book.notes] == ["A flat boat."]
    assert dropped(book) == [("label of notes", "Footnotes:")]
    assert shape(book) == [(None, ["paragraph"])]


def test_a_chapters_number_and_title_are_one_heading_and_a_part_is_its_own() -> None:
    made = draft(
        ("heading", "PART ONE", 1),
        ("heading", "Chapter I", 2),
        ("heading", "The Boat", 2),
        ("paragraph", P[0]),
        ("heading", "Chapter II", 2),
        ("paragraph", P[1]),
    )
    assert [one.chapter.title for one in gather_chapters(made, made.items)] == [
        "PART ONE",
        "Chapter I\nThe Boat",
        "Chapter II",
    ]


def test_numbers_that_count_up_are_headings_where_nothing_is_marked() -> None:
    book = finish(
        draft(
            ("paragraph", "I"),
            ("paragraph", P[0]),
            ("paragraph", "II"),
            ("paragraph", P[1]),
            ("paragraph", "1815"),
            ("paragraph", P[2]),
        )
    )
    assert shape(book) == [("I", ["paragraph"]), ("II", ["paragraph", "paragraph", "paragraph"])]


def test_mojibake_is_repaired_over_the_whole_book_and_told() -> None:
    meant = "« Déjà l’été »"
    book = finish(draft(*[("paragraph", meant.encode().decode("cp1252"))] * 3))
    assert [block.text for block in book.chapters[0].blocks] == [meant] * 3
    assert book.warnings == ("21 characters repaired: UTF-8 had been read as Windows-1252",)


def test_a_draft_without_text_is_refused_with_the_readers_reason() -> None:
    with pytest.raises(BookError, match=r"book\.x holds no text"):
        finish(draft(("heading", "Chapter I", 2)))
    with pytest.raises(BookError, match="only pictures"):
        finish(draft(("paragraph", " \u200b ")), empty="only pictures")


def test_lines_that_only_count_are_text_where_there_is_nothing_else() -> None:
    draft = Draft("b")
    for number, word in enumerate("One Two Three".split()):
        draft.add("paragraph", word, Place("b", "line", number))
    assert finish(draft).text == "One\n\nTwo\n\nThree"


def test_a_speaker_is_as_clean_as_the_speech() -> None:
    draft = Draft("a.txt", kind="plays")
    for number in range(4):
        draft.add("speech", "KEE\x7fPER\nNine up.", Place("a.txt", "line", number), speaker="KEE\x7fPER")
    (chapter,) = finish(draft).chapters
    assert {block.speaker for block in chapter.blocks} == {"KEEPER"}
    assert finish(draft).warnings == ("4 control characters removed",)


def test_text_read_in_the_wrong_encoding_is_repaired_though_it_holds_nuls() -> None:
    wrong = "Le café était fermé, voilà où ça mène à Noël. ".encode().decode("cp1252", "replace")
    draft = Draft("a.txt")
    for number in range(40):
        draft.add("paragraph", wrong * 5 + "\x00" * (number % 3), Place("a.txt", "line", number))
    book = finish(draft)
    assert "café était fermé" in book.text
    assert "39 control characters removed" in book.warnings
