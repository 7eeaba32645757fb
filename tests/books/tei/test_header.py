"""What a TEI header says of a work, in the forms that archives use."""

from __future__ import annotations

import pytest
from lxml import etree

from quire.books.tei.header import flat, name_of, read_header

XML = "xmlns:xml='http://www.w3.org/XML/1998/namespace'"


def work(statement: str, more: str = "", text: str = "<text/>") -> etree._Element:
    return etree.fromstring(
        f"<TEI><teiHeader><fileDesc><titleStmt>{statement}</titleStmt></fileDesc>{more}</teiHeader>{text}</TEI>"
    )


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        ("Bank, Ada", "Ada Bank"),
        ("Bank, Ada (1801-1880)", "Ada Bank"),
        ("Bank, Ada, 1801?-1880.", "Ada Bank"),
        ("Bank, Ada, fl. 1601", "Ada Bank"),
        ("Bank, Joss, Sir, d. 1601", "Sir Joss Bank"),
        ("Rive, Ada, de la", "Ada de la Rive"),
        ("Rive, Joss, Comte de la", "Joss, Comte de la Rive"),
        ("Anonymous(unknown-unknown)", "Anonymous"),
        ("Ferry [Bank, Ada] (1801-1880)", "Ferry"),
        ("Bank, Ada; Pilot, Joss", "Ada Bank, Joss Pilot"),
        ("The Author of The Boat", "The Author of The Boat"),
        ("Bank", "Bank"),
    ],
)
def test_names_are_said_in_the_order_of_speech(name: str, spoken: str) -> None:
    assert name_of(name) == spoken


@pytest.mark.parametrize(
    ("printed", "title"),
    [
        ("The Ferry : ELTeC edition", "The Ferry"),
        ("O Barco: Edição para o ELTeC", "O Barco"),
        ("La Rive: Digitale Ausgabe", "La Rive"),
        ("The Ferry (a machine-readable transcription)", "The Ferry"),
        ("The Ferry: an electronic edition", "The Ferry"),
        ("The Ferry: a tale", "The Ferry: a tale"),
        ("A Digital Ferry", "A Digital Ferry"),
        ("The Second Edition", "The Second Edition"),
    ],
)
def test_a_title_is_the_works_and_not_the_files(printed: str, title: str) -> None:
    assert read_header(work(f"<title>{printed}</title>")).title == title


def test_main_title_subtitle_and_several_authors() -> None:
    header = read_header(
        work(
            "<title type='sub'>a tale</title><title type='main'>The Ferry</title>"
            "<author>Bank, Ada</author><author>Pilot, Joss</author><author>Bank, Ada</author>"
        )
    )
    assert (header.title, header.subtitle, header.author) == ("The Ferry", "a tale", "Ada Bank, Joss Pilot")


def test_the_language_is_that_of_most_of_the_text() -> None:
    languages = "<language ident='la' usage='3'/><language ident='fr' usage='97'/>"
    used = f"<profileDesc><langUsage>{languages}</langUsage></profileDesc>"
    assert read_header(work("<title>T</title>", used)).language == "fr"
    assert read_header(work("<title>T</title>", used, "<text xml:lang='en'/>")).language == "en"
    assert read_header(work("<title>T</title>", "", "<text lang='de'/>")).language == "de"
    odd = used.replace("97", "most")
    assert read_header(work("<title>T</title>", odd)).language == "la"


def test_the_persons_of_a_play_are_known_by_their_ids() -> None:
    people = (
        "<listPerson><person xml:id='m'><persName>Mara</persName></person>"
        "<personGrp xml:id='all'><name>All</name></personGrp><person xml:id='x'/></listPerson>"
    )
    told = f"<profileDesc><particDesc>{people}</particDesc></profileDesc>"
    assert read_header(work("<title>T</title>", told)).people == (("m", "Mara"), ("all", "All"))


def test_what_a_work_of_a_corpus_does_not_say_its_corpus_does() -> None:
    outer = work("<title>All</title><author>Bank, Ada</author>", "", "<text xml:lang='fr'/>")
    inner = etree.fromstring("<TEI><text/></TEI>")
    header = read_header(inner, outer)
    assert (header.title, header.author, header.language) == ("", "Ada Bank", "fr")


def test_quotations_without_marks_are_told_by_the_encoder() -> None:
    told = "<encodingDesc><editorialDecl><quotation marks='none'/></editorialDecl></encodingDesc>"
    assert read_header(work("<title>T</title>", told)).quotes
    assert not read_header(work("<title>T</title>", told.replace("none", "all"))).quotes


def test_text_on_one_line_and_no_comment() -> None:
    assert flat(etree.fromstring("<a> The\n <b>Ferry</b> </a>")) == "The Ferry"
    assert flat(etree.Comment("no")) == ""
