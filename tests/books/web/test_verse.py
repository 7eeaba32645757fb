"""Verse by its markup, and what lines parted by `<br>` are."""

from __future__ import annotations

import pytest

from quire.books.draft import Draft
from quire.books.markup import parse_page
from quire.books.web.verse import are_lines, are_paragraphs
from quire.books.web.walk import Walk


def seen(body: str) -> list[tuple[str, str]]:
    draft = Draft("a.html")
    root = parse_page(f"<html><body>{body}</body></html>".encode())
    assert root is not None
    Walk(draft).run(root.find("body"))
    return [(item.kind, item.text) for item in draft.items]


@pytest.mark.parametrize(
    "body",
    [
        "<p class='poem'>one<br/>two</p>",
        "<div class='line-block'>one<br/>two</div>",
        "<div class='poem'><p class='i0'>one</p><p class='i2'>two</p></div>",
        "<p class='i0'>one</p><p class='i2'>two</p>",
        "<div class='poem'><span class='i0'>one<br/></span><span class='i2'>two<br/></span></div>",
        "<div class='stanza'><div class='line'>one</div><div class='line'>two</div></div>",
        "<p class='verse'><span>one</span><br/><span>two</span></p>",
    ],
)
def test_lines_of_one_stanza(body: str) -> None:
    assert seen(body) == [("verse", "one\ntwo")]


def test_stanzas_stay_apart_and_a_heading_between_them_is_one() -> None:
    body = "<div class='poem'><h3>The Tide</h3><p>one<br/>two</p><p>three<br/>four</p></div><p>Prose.</p>"
    assert seen(body) == [
        ("heading", "The Tide"),
        ("verse", "one\ntwo"),
        ("verse", "three\nfour"),
        ("paragraph", "Prose."),
    ]


LONG = "The ferry left at six, and nobody had told the ferryman that the far bank was gone."


def test_sentences_parted_by_line_breaks_are_paragraphs() -> None:
    assert are_paragraphs([LONG, LONG, "“No,” he said."])
    assert are_paragraphs(["“Yes.”", "“No?”", "“No.”"])
    assert seen(f"<div>{LONG}<br/>{LONG}</div>") == [("paragraph", LONG)] * 2


def test_lines_of_verse_are_no_paragraphs() -> None:
    song = ["And all the boats came home", "With nothing in the hold,", "And all the men were cold."]
    assert are_lines(song)
    assert not are_paragraphs(song)
    long = ["Oh what did you lend me, you lean grey water, when all of the others had gone to the fair and", "Another"]
    assert are_lines([*long, *long])


def test_a_paragraph_that_a_converter_broke_is_neither() -> None:
    broken = ["the ferry left at six, and nobody had told", "the ferryman that the far bank was gone, or that", "it"]
    assert not are_lines(broken)
    assert not are_paragraphs(broken)
