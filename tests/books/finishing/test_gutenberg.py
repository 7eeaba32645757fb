"""Project Gutenberg's frame: found, taken off, and read for what it says."""

from __future__ import annotations

import time

import pytest

from quire.books.book import Place
from quire.books.draft import Draft, Item, ItemKind
from quire.books.finishing.gutenberg import (
    declared_encoding,
    frame,
    header_fields,
    is_credit,
    looks_like,
    trim_items,
)

HEADER = """The Project Gutenberg EBook of The Ferry

Title: The Ferry
       or, Six o'Clock
Author: A. Writer
Language: English
Character set encoding: ISO-8859-1

*** START OF THIS PROJECT GUTENBERG EBOOK THE FERRY ***
"""
BODY = "The ferry left at six.\n"
FOOTER = "\nEnd of the Project Gutenberg EBook of The Ferry\n\nLicence.\n"


def test_the_frame_is_what_stands_around_the_book() -> None:
    text = HEADER + BODY + FOOTER
    start, stop = frame(text)
    assert text[start:stop].strip() == BODY.strip()
    assert frame(BODY) == (0, len(BODY))


def test_a_marker_over_two_lines_belongs_to_the_frame() -> None:
    text = "*** START OF THE PROJECT GUTENBERG EBOOK THE FERRY\nOR SIX O'CLOCK ***\n" + BODY
    start, _ = frame(text)
    assert text[start:] == BODY


def test_the_header_says_title_author_language_and_encoding() -> None:
    fields = header_fields(HEADER + BODY)
    assert fields["title"] == "The Ferry or, Six o'Clock"
    assert (fields["author"], fields["language"]) == ("A. Writer", "English")
    assert declared_encoding(HEADER.encode()) == "ISO-8859-1"
    assert declared_encoding(b"Character set encoding: UTF-8") == ""


def test_a_book_that_only_mentions_nothing_of_it_has_no_frame() -> None:
    assert looks_like(HEADER)
    assert looks_like(BODY + FOOTER)
    assert not looks_like(BODY)


def test_credits_are_told_from_sentences() -> None:
    assert is_credit("Produced by A. Person and the Online Team")
    assert is_credit("[Transcriber’s note: spelling kept.]")
    assert not is_credit("He had produced by then a whole shelf.")
    assert not is_credit("Produced by " + "a great many hands " * 100)


def test_items_of_any_format_lose_the_frame_with_reasons() -> None:
    texts = [
        "Title: The Ferry",
        "*** START OF THE PROJECT GUTENBERG EBOOK THE FERRY ***",
        "Produced by A. Person",
        BODY.strip(),
        "*** END OF THE PROJECT GUTENBERG EBOOK THE FERRY ***",
        "Licence.",
    ]
    items = [Item("paragraph", text, Place("a.epub", "paragraph", n)) for n, text in enumerate(texts)]
    draft = Draft("a.epub")
    assert [item.text for item in trim_items(draft, items)] == [BODY.strip()]
    assert draft.title == "The Ferry"
    assert [drop.reason for drop in draft.dropped] == [
        "Gutenberg header",
        "Gutenberg header",
        "Gutenberg licence",
        "Gutenberg licence",
        "Gutenberg credits",
    ]


def test_old_headers_name_the_work_in_a_line() -> None:
    fields = header_fields("**The Project Gutenberg Etext of The Ferry, by A. Writer**\n\n*END*THE SMALL PRINT!\n")
    assert (fields["title"], fields["author"]) == ("The Ferry", "A. Writer")


def test_the_small_print_ends_the_header_in_each_of_its_forms() -> None:
    for line in (
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*",
        "**END THE SMALL PRINT! FOR ETEXTS*Ver.04.08.01*END**",
    ):
        text = f"***This file should be named ferry.txt***\n{line}\n{BODY}"
        start, stop = frame(text)
        assert text[start:stop] == BODY


def test_small_print_behind_the_book_is_no_start() -> None:
    text = HEADER + BODY + FOOTER + "*END*THE SMALL PRINT!\nLast words.\n"
    start, stop = frame(text)
    assert text[start:stop].strip() == BODY.strip()


def _item(text: str, page: int, kind: ItemKind = "paragraph") -> Item:
    return Item(kind, text, Place("b.pdf", "page", page))


def test_notes_that_stand_behind_all_else_are_judged_by_their_page() -> None:
    draft = Draft("b.pdf")
    end = "End of the Project Gutenberg EBook of The Ferry"
    items = [_item(BODY, 1), _item(BODY, 2), _item(end, 3), _item("Licence.", 4)]
    items += [_item("A note.", 2, "note"), _item("Of the licence.", 4, "note")]
    assert [item.text for item in trim_items(draft, items)] == [BODY, BODY, "A note."]
    assert [drop.text for drop in draft.dropped] == [end, "Licence.", "Of the licence."]


def test_marks_amid_a_paragraph_are_found() -> None:
    draft = Draft("b.pdf")
    start = "*** START OF THIS PROJECT GUTENBERG EBOOK THE FERRY ***"
    items = [
        _item(f"The Project Gutenberg EBook of The Ferry Language: English {start} Produced by A. N. Other", 1),
        *(_item(BODY, page) for page in range(2, 9)),
        _item("And that was all. End of the Project Gutenberg EBook of The Ferry, by A. Writer", 9),
    ]
    assert [item.text for item in trim_items(draft, items)] == [BODY] * 7 + ["And that was all."]
    assert {drop.reason for drop in draft.dropped} == {"Gutenberg header", "Gutenberg licence", "Gutenberg credits"}


def test_a_header_without_a_mark_goes_and_a_mention_stays() -> None:
    draft = Draft("b.pdf")
    header = [
        "Project Gutenberg’s The Ferry, by A. Writer. This eBook is for the use of anyone anywhere.",
        "Title: The Ferry Character set encoding: UTF-8",
    ]
    items = [_item(text, page) for page, text in enumerate([*header, *[BODY] * 9, "Project Gutenberg has it too."])]
    assert [item.text for item in trim_items(draft, items)] == [BODY] * 9 + ["Project Gutenberg has it too."]


@pytest.mark.parametrize("nothing", ["\n", " \n", "*\n", " ", "*", "_"])
def test_emptiness_is_no_work(nothing: str) -> None:
    began = time.process_time()
    assert not looks_like(nothing * 60_000)
    assert header_fields(nothing * 60_000) == {}
    assert frame(nothing * 60_000) == (0, 60_000 * len(nothing))
    assert time.process_time() - began < 2
