"""Paragraphs of any word processor as items of a book."""

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


def test_ranks_make_headings_and_the_title_goes_aside() -> None:
    top = Style("heading 1", 1)
    draft = _laid(_p("The Ferry", Style("title")), _p("One", top), _p(P[0]), _p("Two", top), _p(P[1]))
    assert draft.title == "The Ferry"
    assert _items(draft) == [("heading", "One"), ("paragraph", P[0]), ("heading", "Two"), ("paragraph", P[1])]
    assert [drop.reason for drop in draft.dropped] == ["title page"]


def test_many_titles_are_chapters() -> None:
    draft = _laid(*(_p(text, Style("title")) if n % 2 == 0 else _p(P[0]) for n, text in enumerate("A.B.C.")))
    assert [item.text for item in draft.items if item.kind == "heading"] == ["A", "B", "C"]


def test_a_whole_text_with_ranks_has_none() -> None:
    draft = _laid(*(_p(LONG, Style("heading 3", 3)) for _ in range(60)))
    assert {item.kind for item in draft.items} == {"paragraph"}


def test_rare_empty_paragraphs_are_breaks_and_many_are_spacing() -> None:
    rare = _laid(*(_p("" if n == 10 else P[n % 4]) for n in range(20)))
    assert [item.kind for item in rare.items].count("break") == 1
    spaced = _laid(*(_p("" if n % 2 else P[n % 4]) for n in range(20)))
    assert "break" not in {item.kind for item in spaced.items}


def test_lines_in_a_style_for_verse_are_one_stanza() -> None:
    verse = Style("verse")
    draft = _laid(_p(P[0]), _p("One lamp,", verse), _p("one boat", verse), _p(""), _p("and the tide", verse))
    assert _items(draft)[1:] == [("verse", "One lamp,\none boat"), ("verse", "and the tide")]


def test_deleted_ends_and_large_initials_join() -> None:
    ended = Paragraph("The ferry ", PLAIN, joins=True)
    initial = Paragraph("T", PLAIN, drop_cap=True)
    assert _items(_laid(ended, _p("left."), initial, _p("hen he slept."))) == [
        ("paragraph", "The ferry left."),
        ("paragraph", "Then he slept."),
    ]


def test_what_is_hidden_deleted_or_contents_is_dropped_with_its_reason() -> None:
    draft = _laid(Paragraph(P[0], PLAIN, deleted=["old"], hidden=["secret"]), Paragraph("One 3", PLAIN, contents=True))
    assert [(drop.reason, drop.text) for drop in draft.dropped] == [
        ("tracked deletion or hidden text", "old"),
        ("tracked deletion or hidden text", "secret"),
        ("contents", "One 3"),
    ]


def test_a_title_is_text_where_there_is_nothing_else_or_all_is_wanted() -> None:
    alone = _laid(_p("The Ferry", Style("title")), Paragraph("One 3", PLAIN, contents=True))
    assert _items(alone) == [("paragraph", "The Ferry"), ("paragraph", "One 3")]
    assert alone.dropped == []
    draft = Draft("b")
    lay_out(draft, [_p("The Ferry", Style("title")), _p(P[0])], whole=True)
    assert _items(draft) == [("paragraph", "The Ferry"), ("paragraph", P[0])]
    assert draft.title == "The Ferry"


def test_a_document_of_headings_alone_is_text() -> None:
    top = Style("heading 1", 1)
    assert _items(_laid(_p("Article I", top), _p("Article II", top))) == [
        ("paragraph", "Article I"),
        ("paragraph", "Article II"),
    ]
