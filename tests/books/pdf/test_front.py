"""Title pages and pages of rights before the text of a PDF, and pages of text that only look like them."""

from __future__ import annotations

from quire.books.draft import Draft
from quire.books.pdf.front import drop_title_pages, read_header
from quire.books.pdf.furniture import Page
from quire.books.pdf.lines import Line

SIZE = 10.0


def page(number: int, *texts: tuple[str, float]) -> Page:
    lines = [Line(text, 40, 40 + 5 * len(text), 480 - 30 * n, size, number) for n, (text, size) in enumerate(texts)]
    return Page(number, 360, 540, lines)


def text(number: int) -> Page:
    return page(number, *[("The ferry went over in the rain and nobody but the dog saw it go,", SIZE)] * 12)


def kept(pages: list[Page], title: str = "") -> tuple[list[int], Draft]:
    draft = Draft("book.pdf")
    draft.title = title
    drop_title_pages(draft, pages, SIZE)
    return [len(each.lines) for each in pages], draft


def test_a_title_page_and_the_rights_behind_it_go_and_name_the_book() -> None:
    title = page(1, ("The Weir", 24), ("by", SIZE), ("Ada Fenn", 14))
    rights = page(2, ("Copyright 1931 by the heirs of the lock keeper", SIZE), ("All rights reserved", SIZE))
    left, draft = kept([title, rights, text(3)])
    assert left == [0, 0, 12]
    assert (draft.title, draft.author) == ("The Weir", "Ada Fenn")


def test_an_instruction_in_sentences_under_a_large_title_stays() -> None:
    sheet = page(
        1,
        ("Examination in river law", 24),
        ("This is an examination of which you may keep one half,", SIZE),
        ("and of the other half you may not even keep a copy.", SIZE),
    )
    assert kept([sheet, text(2)])[0] == [3, 12]


def test_writing_without_spaces_has_words_too() -> None:
    letter = page(1, ("川", 24), *[("水" * 40, SIZE)] * 8)
    assert kept([letter, text(2)])[0] == [9, 12]


def test_a_licence_of_many_pages_is_no_page_of_rights() -> None:
    pages = [
        page(n, *[("Copyright of the river and © of every lock on it is claimed here", SIZE)] * 10) for n in range(1, 7)
    ]
    assert kept(pages)[0] == [0, 0, 10, 10, 10, 10]


def test_a_gutenberg_header_names_the_book() -> None:
    header = ("Project Gutenberg’s The Weir, by Ada Fenn", "Title: The Weir", "Author: Ada Fenn", "Language: English")
    first = page(1, *[(text, SIZE) for text in header])
    for known, title in (("", "The Weir"), ("The Weir at Harrow", "The Weir at Harrow")):
        draft = Draft("book.pdf")
        draft.title = known
        read_header(draft, [first, text(2)])
        assert (draft.title, draft.author) == (title, "Ada Fenn")


def test_a_page_of_text_that_names_one_right_again_and_again_stays() -> None:
    said = page(1, *[("Of the copyright in songs the lock keeper would say nothing good at all,", SIZE)] * 10)
    assert kept([said, text(2)])[0] == [10, 12]
