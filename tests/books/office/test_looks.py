"""Manuscripts without styles: what their lines look like."""

from __future__ import annotations

from quire.books.draft import Draft
from quire.books.office.paragraph import Paragraph
from quire.books.office.styles import Style
from wordlines import LONG, PLAIN, items_of, laid, line


def test_centred_lines_that_open_a_manuscript_are_its_title_page() -> None:
    top = Style("heading 1", 1)
    draft = laid(
        line("Ann Writer"),
        line("ann@writer.example"),
        line("about 80,000 words"),
        line("The Ferry", centred=True, bold=True),
        line("by Ann Writer", centred=True),
        line("For my mother", centred=True),
        line("One", top),
        line(LONG),
        line("Two", top),
        line(LONG),
    )
    assert (draft.title, draft.author) == ("The Ferry", "Ann Writer")
    assert items_of(draft)[:2] == [("paragraph", "For my mother"), ("heading", "One")]
    assert {drop.reason for drop in draft.dropped} == {"title page"}


def test_short_lines_that_open_a_text_stay_when_nothing_says_what_they_are() -> None:
    draft = laid(line("Dear Ann,"), line("It rains.", centred=True), line("One", Style("heading 1", 1)), line(LONG))
    assert [text for _, text in items_of(draft)] == ["Dear Ann,", "It rains.", "One", LONG]


def test_short_bold_centred_lines_that_come_again_are_headings() -> None:
    draft = laid(
        line("The Boat", centred=True, bold=True),
        line(LONG),
        line("The Bank", centred=True, bold=True),
        line(LONG),
        line("a word", bold=True),
    )
    assert [item.text for item in draft.items if item.kind == "heading"] == ["The Boat", "The Bank"]


def _headings(draft: Draft) -> list[str]:
    return [item.text for item in draft.items if item.kind == "heading"]


def test_bold_lines_at_the_margin_are_headings_when_text_follows_each() -> None:
    chapters = [
        part for name in ("The Boat", "The Oar", "The Bank") for part in (line(name, bold=True), *[line(LONG)] * 6)
    ]
    assert _headings(laid(*chapters)) == ["The Boat", "The Oar", "The Bank"]
    shouts = [part for _ in range(3) for part in (line("He shouted.", bold=True), *[line(LONG)] * 6)]
    assert _headings(laid(*shouts)) == []


def test_a_centred_line_under_a_number_is_the_chapter_s_title() -> None:
    chapters = [
        part
        for number in ("CHAPTER ONE", "CHAPTER TWO")
        for part in (line(number, centred=True, bold=True), line("The Boat", centred=True), line(LONG), line(LONG))
    ]
    assert _headings(laid(*chapters)) == ["CHAPTER ONE", "The Boat", "CHAPTER TWO", "The Boat"]


def test_larger_lines_that_begin_pages_are_headings_though_every_line_has_a_size() -> None:
    def opening(text: str) -> Paragraph:
        return Paragraph(text, PLAIN, size=18.0, new_page=True)

    chapters = [part for name in ("The Boat", "The Bank") for part in (opening(name), line(LONG, size=12.0))]
    assert _headings(laid(*chapters, line("a short line", centred=True, size=12.0))) == ["The Boat", "The Bank"]


def test_a_line_that_stands_out_once_before_all_text_is_the_title() -> None:
    draft = laid(line("The Ferry", centred=True, bold=True), *[line(LONG)] * 8)
    assert draft.title == "The Ferry"


def test_centred_lines_above_nothing_but_lines_are_a_poem() -> None:
    draft = laid(line("The Ferry", centred=True, bold=True), *(line(f"line {n}", centred=True) for n in range(5)))
    assert "line 4" in [text for _, text in items_of(draft)]
    assert draft.dropped == []


def test_a_line_right_above_the_first_chapter_is_the_title() -> None:
    assert laid(line("The Ferry"), line("Chapter 1"), line(LONG), line("Chapter 2"), line(LONG)).title == "The Ferry"
    assert laid(line("Chapter 1"), line("The Boat"), line(LONG), line("Chapter 2"), line(LONG)).title == ""
    assert laid(line("It rained."), line("Chapter 1"), line(LONG), line("Chapter 2"), line(LONG)).title == ""
