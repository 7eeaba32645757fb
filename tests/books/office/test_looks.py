"""Manuscripts without styles: what their lines look like."""

from __future__ import annotations

from bookfiles import PARAGRAPHS as P
from quire.books.draft import Draft
from quire.books.office.flow import lay_out
from quire.books.office.paragraph import Paragraph
from quire.books.office.styles import Style

PLAIN = Style("normal")
LONG = " ".join(P)


def _laid(*paragraphs: Paragraph) -> Draft:
    draft = Draft("b")
    lay_out(draft, paragraphs)
    return draft


def _items(draft: Draft) -> list[tuple[str, str]]:
    return [(item.kind, item.text) for item in draft.items]


def _p(text: str, style: Style = PLAIN, centred: bool = False, bold: bool = False, size: float = 0.0) -> Paragraph:
    return Paragraph(text, style, centred=centred, bold=bold, size=size)


def test_centred_lines_that_open_a_manuscript_are_its_title_page() -> None:
    top = Style("heading 1", 1)
    draft = _laid(
        _p("Ann Writer"),
        _p("ann@writer.example"),
        _p("about 80,000 words"),
        _p("The Ferry", centred=True, bold=True),
        _p("by Ann Writer", centred=True),
        _p("For my mother", centred=True),
        _p("One", top),
        _p(LONG),
        _p("Two", top),
        _p(LONG),
    )
    assert (draft.title, draft.author) == ("The Ferry", "Ann Writer")
    assert _items(draft)[:2] == [("paragraph", "For my mother"), ("heading", "One")]
    assert {drop.reason for drop in draft.dropped} == {"title page"}


def test_short_lines_that_open_a_text_stay_when_nothing_says_what_they_are() -> None:
    draft = _laid(_p("Dear Ann,"), _p("It rains.", centred=True), _p("One", Style("heading 1", 1)), _p(LONG))
    assert [text for _, text in _items(draft)] == ["Dear Ann,", "It rains.", "One", LONG]


def test_short_bold_centred_lines_that_come_again_are_headings() -> None:
    draft = _laid(
        _p("The Boat", centred=True, bold=True),
        _p(LONG),
        _p("The Bank", centred=True, bold=True),
        _p(LONG),
        _p("a word", bold=True),
    )
    assert [item.text for item in draft.items if item.kind == "heading"] == ["The Boat", "The Bank"]


def _headings(draft: Draft) -> list[str]:
    return [item.text for item in draft.items if item.kind == "heading"]


def test_bold_lines_at_the_margin_are_headings_when_text_follows_each() -> None:
    chapters = [part for name in ("The Boat", "The Oar", "The Bank") for part in (_p(name, bold=True), *[_p(LONG)] * 6)]
    assert _headings(_laid(*chapters)) == ["The Boat", "The Oar", "The Bank"]
    shouts = [part for _ in range(3) for part in (_p("He shouted.", bold=True), *[_p(LONG)] * 6)]
    assert _headings(_laid(*shouts)) == []


def test_a_centred_line_under_a_number_is_the_chapter_s_title() -> None:
    chapters = [
        part
        for number in ("CHAPTER ONE", "CHAPTER TWO")
        for part in (_p(number, centred=True, bold=True), _p("The Boat", centred=True), _p(LONG), _p(LONG))
    ]
    assert _headings(_laid(*chapters)) == ["CHAPTER ONE", "The Boat", "CHAPTER TWO", "The Boat"]


def test_larger_lines_that_begin_pages_are_headings_though_every_line_has_a_size() -> None:
    def opening(text: str) -> Paragraph:
        return Paragraph(text, PLAIN, size=18.0, new_page=True)

    chapters = [part for name in ("The Boat", "The Bank") for part in (opening(name), _p(LONG, size=12.0))]
    assert _headings(_laid(*chapters, _p("a short line", centred=True, size=12.0))) == ["The Boat", "The Bank"]


def test_a_line_that_stands_out_once_before_all_text_is_the_title() -> None:
    draft = _laid(_p("The Ferry", centred=True, bold=True), *[_p(LONG)] * 8)
    assert draft.title == "The Ferry"


def test_centred_lines_above_nothing_but_lines_are_a_poem() -> None:
    draft = _laid(_p("The Ferry", centred=True, bold=True), *(_p(f"line {n}", centred=True) for n in range(5)))
    assert "line 4" in [text for _, text in _items(draft)]
    assert draft.dropped == []


def test_a_line_right_above_the_first_chapter_is_the_title() -> None:
    assert _laid(_p("The Ferry"), _p("Chapter 1"), _p(LONG), _p("Chapter 2"), _p(LONG)).title == "The Ferry"
    assert _laid(_p("Chapter 1"), _p("The Boat"), _p(LONG), _p("Chapter 2"), _p(LONG)).title == ""
    assert _laid(_p("It rained."), _p("Chapter 1"), _p(LONG), _p("Chapter 2"), _p(LONG)).title == ""
