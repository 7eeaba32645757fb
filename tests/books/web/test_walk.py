"""The walk over a page: what becomes an item, what is put aside, what is left out and why."""

from __future__ import annotations

import pytest

from quire.books.draft import Draft, Item
from quire.books.finishing.finish import finish
from quire.books.markup import parse_page
from quire.books.web.walk import Reason, Walk, keep_all


def walked(body: str, reason: Reason = keep_all) -> tuple[list[Item], Draft]:
    draft = Draft("a.html")
    root = parse_page(f"<html><body>{body}</body></html>".encode())
    assert root is not None
    body_of = root.find("body")
    Walk(draft, reason=reason).run(root if body_of is None else body_of)
    return draft.items, draft


def seen(body: str) -> list[tuple[str, str]]:
    return [(item.kind, item.text) for item in walked(body)[0]]


def test_blocks_become_items_in_order() -> None:
    assert seen("<h2>I</h2><p>One  <i>two</i>\n three</p><div>loose<p>inner</p>tail</div><hr/><p>* * *</p>") == [
        ("heading", "I"),
        ("paragraph", "One two three"),
        ("paragraph", "loose"),
        ("paragraph", "inner"),
        ("paragraph", "tail"),
        ("break", "* * *"),
        ("break", "* * *"),
    ]


def test_what_is_silent_or_hidden_is_not_read() -> None:
    body = "<p>a<script>x()</script>b</p><p hidden='hidden'>c</p><p style='display: none'>d</p><img alt='e'/>"
    assert seen(body) == [("paragraph", "ab")]


@pytest.mark.parametrize(
    "body",
    [
        "<p class='poem'>one<br/>two</p>",
        "<p>one<br/>two</p>",
        "<div class='stanza'><div class='line'>one</div><div class='line'>two</div></div>",
        "<blockquote class='poetry'><p>one<br/>two</p></blockquote>",
    ],
)
def test_verse_in_all_its_ways(body: str) -> None:
    assert seen(body) == [("verse", "one\ntwo")]


def test_two_line_breaks_part_paragraphs() -> None:
    assert seen("<div>one two<br/><br/>three four</div>") == [("paragraph", "one two"), ("paragraph", "three four")]


def test_notes_are_told_by_the_marks_that_point_to_them() -> None:
    body = "<p>Text<sup><a href='#n1'>1</a></sup> on.</p><p id='n1'>1. A note.</p><p>More.</p>"
    assert seen(body) == [("paragraph", "Text on."), ("note", "A note."), ("paragraph", "More.")]


def test_a_link_of_words_is_text_and_no_mark() -> None:
    body = "<p><a href='#x'>see below</a><a href='#y'>[12]</a><sup>th</sup></p>"
    items, draft = walked(body)
    assert [item.text for item in items] == ["see belowth"]
    assert [(drop.reason, drop.text) for drop in draft.dropped] == [("note mark", "[12]")]


def test_headings_of_two_lines_and_ranks() -> None:
    items, _ = walked("<h1>The<br/>Ferry</h1><hgroup><h3>I</h3><p>The Boat</p></hgroup><p class='chapter-title'>II</p>")
    assert [(item.kind, item.text, item.level) for item in items] == [
        ("heading", "The\nFerry", 1),
        ("heading", "I\nThe Boat", 3),
        ("heading", "II", 2),
    ]


def test_what_is_to_be_skipped_is_dropped_with_its_reason() -> None:
    items, draft = walked("<nav>Home</nav><p>Text.</p>", lambda _, look: "navigation" if look.name == "nav" else None)
    assert [item.text for item in items] == ["Text."]
    assert [(drop.reason, drop.text) for drop in draft.dropped] == [("navigation", "Home")]


def test_places_count_the_blocks() -> None:
    items, _ = walked("<p>a</p><p>b</p>")
    assert [str(item.place) for item in items] == ["paragraph 1", "paragraph 2"]


def test_a_headings_page_number_is_no_part_of_it() -> None:
    assert seen("<h2><span class='pagenum'>12</span>The <em>Boat</em></h2>") == [("heading", "The Boat")]


def test_a_run_of_spaces_in_a_long_paragraph_is_one_in_the_book() -> None:
    words = "The ferry went over at noon.  Nobody  was on it but the dog of the ferryman."
    _, draft = walked(f"<p>{words}</p><p><i>And</i> {words}</p>")
    texts = [block.text for block in finish(draft).chapters[0].blocks]
    assert texts == [words.replace("  ", " "), "And " + words.replace("  ", " ")]
