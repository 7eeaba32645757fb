"""Tables: lines of cells, and plays that are set in them."""

from __future__ import annotations

from quire.books.draft import Draft
from quire.books.markup import parse_page
from quire.books.web.walk import Walk


def walked(body: str) -> Draft:
    draft = Draft("a.html")
    root = parse_page(f'<html xmlns:epub="http://www.idpf.org/2007/ops"><body>{body}</body></html>'.encode())
    assert root is not None
    Walk(draft).run(root.find("body"))
    return draft


def test_a_row_is_a_line_and_a_cell_of_paragraphs_is_read_as_such() -> None:
    rows = "<tr><th>Salt</th><td>two <i>pence</i></td></tr><tr><td><p>One.</p><p>Two.</p></td></tr>"
    assert [(item.kind, item.text) for item in walked(f"<table>{rows}</table>").items] == [
        ("paragraph", "Salt two pence"),
        ("paragraph", "One."),
        ("paragraph", "Two."),
    ]


def test_a_cell_that_is_not_shown_is_dropped_with_its_reason() -> None:
    draft = walked("<table><tr><td>Salt</td><td hidden='hidden'>secret</td></tr></table>")
    assert [item.text for item in draft.items] == ["Salt"]
    assert [(drop.reason, drop.text) for drop in draft.dropped] == [("hidden text", "secret")]


def test_who_speaks_and_what_is_said_are_a_speech() -> None:
    row = '<tr><td epub:type="z3998:persona">Anna</td><td>{}</td></tr>'
    said = '<p>The tide.</p><p>It <i epub:type="z3998:stage-direction">rising</i> comes.</p>'
    (speech,) = walked(f"<table>{row.format(said)}</table>").items
    assert (speech.kind, speech.speaker) == ("speech", "Anna")
    assert speech.text.startswith("Anna\nThe tide.")
    assert "(rising)" in speech.text


def test_a_row_without_words_is_no_speech() -> None:
    assert walked('<table><tr><td epub:type="z3998:persona">Anna</td><td/></tr></table>').items == []
