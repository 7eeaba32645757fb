"""The paragraphs of an OpenDocument text, one by one."""

from __future__ import annotations

from lxml import etree

from quire.books.draft import Draft
from quire.books.office.odt_text import Walker
from quire.books.office.paragraph import Paragraph
from quire.books.office.styles import Style


def walk(inner: str, styles: dict[str, Style] | None = None) -> tuple[list[Paragraph], Draft]:
    draft = Draft("b.odt")
    return list(Walker(draft, styles or {}).paragraphs(etree.fromstring(f"<text>{inner}</text>"))), draft


def _texts(inner: str) -> list[str]:
    return [one.text for one in walk(inner)[0]]


def test_lists_tables_and_sections_are_read_in_order() -> None:
    inner = "<list><list-item><p>one</p></list-item></list><table><row><cell><p>two</p></cell></row></table>"
    assert _texts(f"{inner}<section><p>three</p></section>") == ["one", "two", "three"]


def test_a_text_box_follows_the_paragraph_it_is_anchored_in() -> None:
    inner = (
        "<p>before<frame><text-box><p>boxed</p><p>twice</p></text-box><title>alt</title></frame>after</p><p>next</p>"
    )
    assert _texts(inner) == ["beforeafter", "boxed", "twice", "next"]


def test_spaces_tabs_and_line_ends_are_elements() -> None:
    assert _texts('<p>a<s c="3"/>b<tab/>c<line-break/>d \n e<s c="99999999999"/>f</p>') == ["a   b c\nd e f"]


def test_notes_and_comments_leave_the_line() -> None:
    note = "<note><note-citation>1</note-citation><note-body><p>Below.</p><p>And more.</p></note-body></note>"
    comment = "<annotation><creator>Ed</creator><date>2020</date><p>Too long?</p></annotation>"
    found, draft = walk(f"<p>said{note} she{comment}.</p>")
    assert [one.text for one in found] == ["said she."]
    assert [item.text for item in draft.items] == ["Below.\nAnd more."]
    assert [(drop.reason, drop.text) for drop in draft.dropped] == [("comment", "Too long?")]


def test_deleted_text_is_dropped_without_who_deleted_it() -> None:
    change = "<change-info><creator>Ed</creator><date>2020</date></change-info>"
    region = f"<changed-region><deletion>{change}<p>old</p></deletion></changed-region>"
    kept = f"<changed-region><insertion>{change}</insertion></changed-region>"
    found, draft = walk(f"<tracked-changes>{region}{kept}</tracked-changes><p>new</p>")
    assert [one.text for one in found] == ["new"]
    assert [drop.text for drop in draft.dropped] == ["old"]


def test_hidden_text_of_every_kind_is_aside() -> None:
    styles = {"text T1": Style(hidden=True), "paragraph P1": Style(hidden=True), "section S1": Style(hidden=True)}
    found, draft = walk(
        '<p>seen<span style-name="T1">one</span></p><p style-name="P1">two</p><hidden-text>three</hidden-text>'
        '<section style-name="S1"><p>four</p></section><section display="none"><p>five</p></section>',
        styles,
    )
    assert [one.text for one in found] == ["seen", ""]
    assert [one.hidden for one in found] == [["one"], ["two"]]
    assert [drop.text for drop in draft.dropped] == ["three", "four", "five"]


def test_ranks_and_looks() -> None:
    styles = {
        "paragraph P1": Style("heading 2", 2),
        "paragraph P2": Style("standard", size=12.0, centred=True),
        "text T1": Style(bold=True, size=20.0),
    }
    ranked, styled, set_by_hand = walk(
        '<h outline-level="3" style-name="P2">One</h><p style-name="P1">Two</p>'
        '<p style-name="P2"><span style-name="T1">Three</span></p>',
        styles,
    )[0]
    assert (ranked.style.level, styled.style.level) == (3, 2)
    assert (set_by_hand.bold, set_by_hand.size, set_by_hand.centred) == (True, 20.0, True)


def test_readings_over_letters_are_not_read_twice() -> None:
    assert _texts("<p><ruby><ruby-base>base</ruby-base><ruby-text>kana</ruby-text></ruby></p>") == ["base"]
