"""The text inside of a block: choices, breaks, gaps, quotations, directions, persons and what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from quire.books.draft import Draft
from quire.books.markup import xml_parser
from quire.books.tei import reader as tei
from quire.books.tei.header import Header
from quire.books.tei.inline import Inline, tidy


def read(xml: str, header: Header | None = None) -> tuple[str, Draft]:
    draft = Draft("b.xml")
    parser = xml_parser()
    return Inline(draft, header or Header()).line(etree.fromstring(f"<p>{xml}</p>".encode(), parser)), draft


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("wor<choice>\n  <sic>k</sic>\n  <corr>d</corr>\n </choice>s", "words"),
        ("the <app>\n <lem>bank</lem>\n <rdg>shore</rdg>\n</app>, then", "the bank, then"),
        ("<subst>\n<del>late</del>\n<add>soon</add>\n</subst>er", "sooner"),
        ("<choice><unclear>oar</unclear><unclear>ear</unclear></choice>", "oar"),
        ("one <restore><del>two</del></restore> three", "one two three"),
        ("<add>a</add> <supplied>b</supplied> <unclear>c</unclear> <surplus>d</surplus>", "a b c d"),
        ("<w>ferry</w><c> </c><w>man</w><pc>.</pc>", "ferry man."),
        ("<hi rend='initial'>T</hi>he river", "The river"),
    ],
)
def test_editors_choices_give_one_text_without_the_layout_of_the_file(xml: str, text: str) -> None:
    assert read(xml)[0] == text


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("ferry-<lb break='no'/>\n   woman", "ferrywoman"),
        ("ri\u00ad<pb/>ver", "river"),
        ("ri¬<lb/>ver", "river"),
        ("half<pb n='2'/>way", "halfway"),
        ("half<fw>The Ferry</fw>way", "halfway"),
        ("one<lb/>two", "one two"),
        ("one <pb/>\n two", "one two"),
        ("one<space/>two", "one two"),
        ("oar<gap/>", "oar[…]"),
        ("o<gap reason='ink'><desc>•</desc></gap>r", "o•r"),
    ],
)
def test_breaks_and_gaps(xml: str, text: str) -> None:
    assert read(xml)[0] == text


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("<role>MARA</role><roleDesc>a ferrywoman</roleDesc>", "MARA a ferrywoman"),
        ("<role>MARA</role>, <roleDesc>a ferrywoman</roleDesc>.", "MARA, a ferrywoman."),
        ("slain.<bibl>Psal. 44.</bibl>", "slain. Psal. 44."),
        ("(<bibl>Psal. 44</bibl>), as", "(Psal. 44), as"),
        ("Who<stage>rising</stage>calls?", "Who (rising) calls?"),
        ("Who calls <stage>rising</stage>, and why?", "Who calls (rising), and why?"),
        ("<stage>[rising]</stage> Who?", "[rising] Who?"),
    ],
)
def test_what_the_page_sets_apart_is_apart(xml: str, text: str) -> None:
    assert read(xml)[0] == text


def test_notes_references_and_what_is_dropped_leave_the_line() -> None:
    text, draft = read("The oar<note>Of ash.</note><ref target='#n1'>1</ref> broke<del>s</del>.")
    assert text == "The oar broke."
    assert [(item.kind, item.text) for item in draft.items] == [("note", "Of ash.")]
    assert [(drop.reason, drop.text) for drop in draft.dropped] == [("deletion", "s")]


def test_characters_that_have_a_name_come_back_and_other_entities_stay_closed(tmp_path: Path) -> None:
    path = tmp_path / "b.xml"
    path.write_text("<!DOCTYPE TEI SYSTEM 'x.dtd'><TEI><text><p>C&aelig;&longs;ar &fund; rows.</p></text></TEI>")
    (book,) = tei.read(path)
    assert book.text == "Cæſar rows."
    assert [(drop.reason, drop.text) for drop in book.dropped] == [("entity", "&fund;")]


def test_marks_of_quotation_come_back_in_the_language_of_the_book() -> None:
    assert read("<said>Row</said>")[0] == "Row"
    assert read("<said>Row</said>", Header(quotes=True))[0] == "“Row”"
    assert read("<said>Rame</said>", Header(quotes=True, language="fr"))[0] == "« Rame »"
    assert read("<quote>Row</quote>", Header(quotes=True))[0] == "Row"
    assert read("<q rend='PRE(‘)POST(’)'>Row</q>")[0] == "‘Row’"


def test_a_no_break_space_stays_and_white_space_of_the_file_goes() -> None:
    assert tidy(" Qui va là\u00a0?\n\t Moi. ") == "Qui va là\u00a0? Moi."
