"""What elements are by their names and attributes."""

from __future__ import annotations

import pytest
from lxml import html

from quire.books.web.looks import Look, Looks, types_of


def look(source: str, hidden: tuple[str, ...] = ()) -> Look:
    return Looks(hidden).of(html.fragment_fromstring(source))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("<script>x()</script>", "script"),
        ("<p hidden>x</p>", "hidden text"),
        ("<span aria-hidden='true'>x</span>", "hidden text"),
        ("<p style='Display : none'>x</p>", "hidden text"),
        ("<p class='ghost'>x</p>", "hidden text"),
        ("<span epub:type='pagebreak'>12</span>", "folio"),
        ("<a class='pagenum ws-pagenum'>12</a>", "folio"),
        ("<span class='lnum'>280</span>", "line number"),
        ("<span class='linenum'>280</span>", "line number"),
        ("<rt>gloss</rt>", "ruby gloss"),
        ("<del>x</del>", "deleted text"),
        ("<span class='mw-editsection'>x</span>", "page furniture"),
    ],
)
def test_what_no_page_shows_goes_with_its_reason(source: str, reason: str) -> None:
    assert look(source, ("ghost",)).gone == reason


def test_a_note_that_pops_up_is_no_hidden_text() -> None:
    found = look("<aside epub:type='footnote' hidden>x</aside>")
    assert (found.gone, found.note) == ("", True)


@pytest.mark.parametrize("source", ["<p>x</p>", "<p class='calibre1'>x</p>", "<p class='MsoNormal' lang='en'>x</p>"])
def test_most_paragraphs_are_nothing_more(source: str) -> None:
    assert look(source).paragraph


@pytest.mark.parametrize(
    "source",
    [
        "<p class='poem'>x</p>",
        "<p class='chapter-title'>x</p>",
        "<p class='footnote'>x</p>",
        "<p class='tb'>*</p>",
        "<p class='i2'>x</p>",
        "<p epub:type='z3998:verse'>x</p>",
        "<p class='caption'>x</p>",
        "<p class='dropcap'>T</p>",
        "<div>x</div>",
    ],
)
def test_what_says_more_is_more(source: str) -> None:
    assert not look(source).paragraph


@pytest.mark.parametrize("name", ["poem", "verse", "stanza", "line-block", "lg", "strophe", "verse-first"])
def test_classes_of_verse(name: str) -> None:
    assert look(f"<div class='{name}'>x</div>").verse


@pytest.mark.parametrize("name", ["reverse", "conversation", "universe", "songbird", "inverse"])
def test_classes_that_only_hold_such_words(name: str) -> None:
    assert not look(f"<div class='{name}'>x</div>").verse


def test_headings_marks_and_inline_text() -> None:
    assert look("<h3>x</h3>").heading == 3
    assert look("<p class='ChapterTitle'>x</p>").titled
    assert look("<a class='fnanchor' href='#n'>1</a>").mark
    assert look("<span role='doc-noteref'>1</span>").mark
    assert look("<em class='x'>x</em>").plain
    assert not look("<a href='x'>x</a>").plain


def test_types_lose_their_prefixes() -> None:
    assert types_of("z3998:poem Bodymatter", "doc-endnotes") == {"poem", "bodymatter", "endnotes"}


def test_elements_that_are_alike_are_looked_at_once() -> None:
    looks = Looks()
    one, other = (html.fragment_fromstring(f"<p class='a' id='{name}'>x</p>") for name in "ab")
    assert looks.of(one) is looks.of(other)
