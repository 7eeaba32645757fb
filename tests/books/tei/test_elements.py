"""Which elements of TEI stay, which go, and why."""

from __future__ import annotations

import pytest
from lxml import etree

from quire.books.markup import Element
from quire.books.tei.elements import (
    breaks_end_verses,
    has_blocks,
    is_division,
    is_scene_break,
    is_second,
    why_dropped,
)


def inner(xml: str, name: str) -> Element:
    """The last element of this name."""
    found = [element for element in etree.fromstring(xml).iter() if element.tag == name]
    return found[-1]


@pytest.mark.parametrize(
    ("xml", "name", "reason"),
    [
        ("<p>a<fw>The Ferry</fw></p>", "fw", "running head"),
        ("<p><del>late</del></p>", "del", "deletion"),
        ("<p><restore><del>late</del></restore></p>", "del", None),
        ("<app><lem>bank</lem><rdg>shore</rdg></app>", "rdg", "variant reading"),
        ("<app><rdg>shore</rdg></app>", "rdg", None),
        ("<body><div type='Title Page'/></body>", "div", "title page"),
        ("<body><div1 type='half-title'/></body>", "div1", "title page"),
        ("<body><div type='chapter'/></body>", "div", None),
        ("<back><div type='advert'/></back>", "div", "advertisement"),
        ("<text><facsimile/></text>", "facsimile", ""),
        ("<p><hi>a</hi></p>", "hi", None),
    ],
)
def test_what_goes_and_why(xml: str, name: str, reason: str | None) -> None:
    assert why_dropped(inner(xml, name), False) == reason


def test_a_date_belongs_to_the_imprint_in_the_front_and_to_a_letter_elsewhere() -> None:
    date = inner("<div><docDate>1801</docDate></div>", "docDate")
    assert why_dropped(date, True) == "imprint"
    assert why_dropped(date, False) is None


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        ("<sic>teh</sic><corr>the</corr>", ["corr"]),
        ("<orig>riuer</orig><reg>river</reg>", ["reg"]),
        ("<abbr>Mr</abbr><expan>Mister</expan>", ["abbr"]),
        ("<am>̃</am><ex>n</ex>", ["ex"]),
        ("<sic>teh</sic>", ["sic"]),
        ("<unclear>oar</unclear><unclear>ear</unclear>", ["unclear"]),
        ("<seg>oar</seg><seg>ear</seg><seg>air</seg>", ["seg"]),
    ],
)
def test_a_choice_keeps_one_reading(choice: str, kept: list[str]) -> None:
    element = etree.fromstring(f"<choice>{choice}</choice>")
    assert [child.tag for child in element if not is_second(child)] == kept


def test_what_stands_outside_a_choice_is_no_second_reading() -> None:
    assert not is_second(inner("<p><corr>the</corr><sic>teh</sic></p>", "sic"))


def test_blocks_are_seen_however_deep() -> None:
    assert has_blocks(etree.fromstring("<q><seg><l>a</l></seg></q>"))
    assert has_blocks(etree.fromstring("<q><div2/></q>"))
    assert not has_blocks(etree.fromstring("<p><q>a<hi>b</hi></q><!-- l --></p>"))


def test_divisions_are_numbered_or_not() -> None:
    assert [is_division(name) for name in ("div", "div1", "div7", "divgen", "p")] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("text", "verses"),
    [
        ("<p>Cold is the water,<lb/>Colder the oar,<lb/>And no one is waiting.</p>", True),
        ("<p>Cold is the water,<lb/><hi>Colder the oar,</hi><lb/>“And no one is waiting.”</p>", True),
        ("<p>Cold is the water, and<lb/>colder the oar; nobody<lb/>is waiting. On the<lb/>Bank</p>", False),
        ("<p>Cold is the wa<lb break='no'/>Ter, and<lb/>Colder the oar</p>", False),
        ("<head>The<lb/>Ferry<lb/>Woman</head><p>Cold.</p>", False),
        ("<p>Cold is the water,<lb/>Colder the oar.</p>", False),
    ],
)
def test_breaks_end_verses_or_the_lines_of_a_page(text: str, verses: bool) -> None:
    assert breaks_end_verses(etree.fromstring(f"<text>{text}</text>")) is verses


@pytest.mark.parametrize(
    ("milestone", "parts"),
    [
        ("<milestone unit='section'/>", True),
        ("<milestone unit='undefined' type='separator' rendition='line'/>", True),
        ("<milestone rend='stars'/>", True),
        ("<milestone unit='page' n='3'/>", False),
    ],
)
def test_milestones_that_part_scenes(milestone: str, parts: bool) -> None:
    assert is_scene_break(etree.fromstring(milestone)) is parts
