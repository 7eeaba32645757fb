"""The walk over a TEI text: headings, parts, stanzas, casts, speeches in speeches, what stands between blocks."""

from __future__ import annotations

import time

import pytest
from lxml import etree

from quire.books.draft import Draft
from quire.books.tei.header import Header
from quire.books.tei.walk import Walk


def walk(xml: str, header: Header | None = None, everything: bool = False) -> Draft:
    draft = Draft("b.xml")
    Walk(draft, header or Header(), everything).block(etree.fromstring(f"<text>{xml}</text>"), 0)
    return draft


def items(xml: str) -> list[tuple[str, str]]:
    return [(item.kind, item.text) for item in walk(xml).items if item.kind != "chapter"]


def test_headings_are_ranked_by_their_divisions_and_those_in_a_row_are_one() -> None:
    draft = walk(
        "<body><div1><head>PART ONE</head><div2><head>I.</head><pb/><head type='sub'>The\n Boat</head><p>Text.</p>"
        "</div2></div1></body>"
    )
    told = [(item.text, item.level) for item in draft.items if item.kind == "heading"]
    assert told == [("PART ONE", 1), ("I.\nThe Boat", 2)]


def test_a_line_end_in_a_heading_is_kept_and_a_list_has_no_heading_of_a_chapter() -> None:
    assert items("<div><head>The<lb/>Boat</head><list><head>Of oars</head><item>Ash.</item></list></div>") == [
        ("heading", "The\nBoat"),
        ("paragraph", "Of oars"),
        ("paragraph", "Ash."),
    ]


def test_text_between_blocks_is_a_paragraph_and_lines_between_paragraphs_a_stanza() -> None:
    told = items("<div>Before<p>One.</p>between<l>a</l><l>b</l>after<p>Two.</p></div>")
    assert told == [
        ("paragraph", "Before"),
        ("paragraph", "One."),
        ("paragraph", "between"),
        ("verse", "a\nb"),
        ("paragraph", "after"),
        ("paragraph", "Two."),
    ]


def test_front_body_and_back_say_so_even_inside_each_other() -> None:
    draft = walk(
        "<front><div><p>Preface.</p></div></front><body><div><p>A text <floatingText><body><p>in a text</p></body>"
        "</floatingText></p></div></body><back><div><p>After.</p></div></back>"
    )
    matters = [item.matter for item in draft.items if item.kind == "chapter"]
    assert matters[0] == "front"
    assert matters[-1] == "back"
    assert "body" in matters


def test_an_act_without_a_heading_is_called_by_its_number_and_a_chapter_opens_without_one() -> None:
    draft = walk("<body><div type='act' n='2'><div type='scene'><p>a</p></div></div><div><p>b</p></div></body>")
    told = [(item.kind, item.text) for item in draft.items]
    assert told == [
        ("chapter", ""),
        ("heading", "Act 2"),
        ("chapter", ""),
        ("paragraph", "a"),
        ("chapter", ""),
        ("paragraph", "b"),
    ]


def test_a_cast_is_a_line_a_person_under_its_heading() -> None:
    cast = (
        "<castList><head>Persons</head><castItem><role>MARA</role><roleDesc>a ferrywoman</roleDesc></castItem>"
        "<castGroup><head>Two pilots</head><castItem>JOSS</castItem></castGroup></castList>"
    )
    assert items(cast) == [("heading", "Persons"), ("verse", "MARA a ferrywoman\nTwo pilots\nJOSS")]


def test_a_speech_inside_a_speech_is_its_own() -> None:
    draft = walk(
        "<sp><speaker>MARA.</speaker><p>Who calls?</p><sp><speaker>JOSS.</speaker><l>I do.</l></sp><p>Again?</p></sp>"
    )
    assert [(item.speaker, item.text) for item in draft.items] == [
        ("MARA", "MARA.\nWho calls?"),
        ("JOSS", "JOSS.\nI do."),
        ("MARA", "Again?"),
    ]


def test_a_note_on_a_speaker_is_told_once() -> None:
    draft = walk("<sp><speaker>MARA<note>Or Mary.</note>.</speaker><p>Who calls?</p></sp>")
    assert [(item.kind, item.text) for item in draft.items] == [("note", "Or Mary."), ("speech", "MARA.\nWho calls?")]


def test_a_direction_of_several_blocks_is_one() -> None:
    assert items("<sp><speaker>MARA.</speaker><stage><p>She rises.</p><p>A bell.</p></stage><p>Who?</p></sp>") == [
        ("speech", "MARA.\n(She rises. A bell.)\nWho?")
    ]


def test_speakers_that_are_not_printed_are_named_by_the_header() -> None:
    draft = walk("<sp who='#m #j'><p>Row.</p></sp>", Header(people=(("m", "Mara"), ("j", "Joss"))))
    assert [(item.speaker, item.text) for item in draft.items] == [("Mara, Joss", "Mara, Joss\nRow.")]


def test_milestones_of_scenes_part_them_and_others_do_not() -> None:
    assert items("<div><p>a</p><milestone unit='section'/><p>b</p><milestone unit='page'/><p>c</p></div>") == [
        ("paragraph", "a"),
        ("break", "* * *"),
        ("paragraph", "b"),
        ("paragraph", "c"),
    ]


def test_everything_keeps_what_is_dropped_otherwise_but_what_is_no_text() -> None:
    xml = "<front><titlePage><p>The Ferry</p></titlePage><standOff><p>x</p></standOff></front><body><p>a</p></body>"
    assert [drop.reason for drop in walk(xml).dropped] == ["title page", "annotation"]
    kept = walk(xml, everything=True)
    assert [item.text for item in kept.items if item.text] == ["The Ferry", "a"]


@pytest.mark.parametrize(
    "body",
    [
        f"<div>{'word <lb/>' * 15_000}</div>",
        f"<div>word{'<anchor/>' * 15_000}</div>",
        f"<div><l>word</l>{'<pb/> ' * 15_000}</div>",
        f"<sp><speaker>A</speaker>{'word <lb/>' * 15_000}</sp>",
        f"<p>word<choice>{'<sic>word</sic>' * 3_000}</choice></p>",
        f"<p>word<app>{'<rdg>word</rdg>' * 3_000}</app></p>",
    ],
)
def test_what_has_no_end_takes_time_that_grows_with_its_length_alone(body: str) -> None:
    began = time.process_time()
    assert "word" in items(f"<body>{body}</body>")[0][1]
    # Half a second; with its square it was ten and more.
    assert time.process_time() - began < 5
