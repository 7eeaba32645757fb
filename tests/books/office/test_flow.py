"""Paragraphs of any word processor as items of a book."""

from __future__ import annotations

from bookfiles import PARAGRAPHS as P
from quire.books.draft import Draft
from quire.books.office.flow import lay_out
from quire.books.office.paragraph import Paragraph
from quire.books.office.styles import Style
from wordlines import LONG, PLAIN, items_of, laid, line


def test_ranks_make_headings_and_the_title_goes_aside() -> None:
    top = Style("heading 1", 1)
    draft = laid(line("The Ferry", Style("title")), line("One", top), line(P[0]), line("Two", top), line(P[1]))
    assert draft.title == "The Ferry"
    assert items_of(draft) == [("heading", "One"), ("paragraph", P[0]), ("heading", "Two"), ("paragraph", P[1])]
    assert [drop.reason for drop in draft.dropped] == ["title page"]


def test_many_titles_are_chapters() -> None:
    draft = laid(*(line(text, Style("title")) if n % 2 == 0 else line(P[0]) for n, text in enumerate("A.B.C.")))
    assert [item.text for item in draft.items if item.kind == "heading"] == ["A", "B", "C"]


def test_a_whole_text_with_ranks_has_none() -> None:
    draft = laid(*(line(LONG, Style("heading 3", 3)) for _ in range(60)))
    assert {item.kind for item in draft.items} == {"paragraph"}


def test_rare_empty_paragraphs_are_breaks_and_many_are_spacing() -> None:
    rare = laid(*(line("" if n == 10 else P[n % 4]) for n in range(20)))
    assert [item.kind for item in rare.items].count("break") == 1
    spaced = laid(*(line("" if n % 2 else P[n % 4]) for n in range(20)))
    assert "break" not in {item.kind for item in spaced.items}


def test_lines_in_a_style_for_verse_are_one_stanza() -> None:
    verse = Style("verse")
    draft = laid(line(P[0]), line("One lamp,", verse), line("one boat", verse), line(""), line("and the tide", verse))
    assert items_of(draft)[1:] == [("verse", "One lamp,\none boat"), ("verse", "and the tide")]


def test_deleted_ends_and_large_initials_join() -> None:
    ended = Paragraph("The ferry ", PLAIN, joins=True)
    initial = Paragraph("T", PLAIN, drop_cap=True)
    assert items_of(laid(ended, line("left."), initial, line("hen he slept."))) == [
        ("paragraph", "The ferry left."),
        ("paragraph", "Then he slept."),
    ]


def test_what_is_hidden_deleted_or_contents_is_dropped_with_its_reason() -> None:
    draft = laid(Paragraph(P[0], PLAIN, deleted=["old"], hidden=["secret"]), Paragraph("One 3", PLAIN, contents=True))
    assert [(drop.reason, drop.text) for drop in draft.dropped] == [
        ("tracked deletion or hidden text", "old"),
        ("tracked deletion or hidden text", "secret"),
        ("contents", "One 3"),
    ]


def test_a_title_is_text_where_there_is_nothing_else_or_all_is_wanted() -> None:
    alone = laid(line("The Ferry", Style("title")), Paragraph("One 3", PLAIN, contents=True))
    assert items_of(alone) == [("paragraph", "The Ferry"), ("paragraph", "One 3")]
    assert alone.dropped == []
    draft = Draft("b")
    lay_out(draft, [line("The Ferry", Style("title")), line(P[0])], whole=True)
    assert items_of(draft) == [("paragraph", "The Ferry"), ("paragraph", P[0])]
    assert draft.title == "The Ferry"


def test_a_document_of_headings_alone_is_text() -> None:
    top = Style("heading 1", 1)
    assert items_of(laid(line("Article I", top), line("Article II", top))) == [
        ("paragraph", "Article I"),
        ("paragraph", "Article II"),
    ]
