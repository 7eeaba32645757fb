"""TEI: chapters, verse, speeches, editors' choices."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookfiles import PARAGRAPHS as P
from bookfiles import VERSE, blocks
from quire.books.book import Book
from quire.books.limits import PLAIN, ReadOptions
from quire.books.tei import reader as tei
from quire.errors import BookError


def test_tei(tmp_path: Path) -> None:
    path = tmp_path / "b.xml"
    path.write_text(
        '<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader>'
        "<fileDesc><titleStmt><title>The Ferry : ELTeC edition</title>"
        "<author>Writer, A. (1801-1880)</author></titleStmt></fileDesc></teiHeader><text><body>"
        f'<div type="chapter"><head>I. The Boat</head><p>{P[0]}<note>A '
        f'note.</note></p><pb n="2"/><p>{P[1][:30]}\n   {P[1][30:].lstrip()}</p>'
        f"<lg><l>{VERSE.split(chr(10))[0]}</l><l>{VERSE.split(chr(10))[1]}</l>"
        f'</lg></div><div type="chapter"><head>II. The Bank</head>'
        f"<p>{P[2]}</p><p>{P[3]}</p></div></body></text></TEI>",
        encoding="utf-8",
    )
    (book,) = tei.read(path)
    assert [note.text for note in book.notes] == ["A note."]
    text = P[1][:30] + " " + P[1][30:].lstrip()
    assert blocks(book)[1] == ("paragraph", " ".join(text.split()))
    assert (book.title, book.author) == ("The Ferry", "A. Writer")
    assert blocks(book)[2] == ("verse", VERSE)
    assert [chapter.title for chapter in book.chapters] == ["I. The Boat", "II. The Bank"]


def test_tei_speeches_choices_and_cut_words(tmp_path: Path) -> None:
    path = tmp_path / "b.xml"
    path.write_text(
        '<TEI xmlns="http://www.tei-c.org/ns/1.0"><text><body><div '
        'type="act"><head>Act I</head><stage>Enter a fool.</stage>'
        "<sp><speaker>Fool.</speaker><l>A <choice><sic>worde</sic><corr>word</corr></choice>,</l><l>then none.</l></sp>"
        '<p>Hy<lb break="no"/>phen and <lb/>line.</p></div></body></text></TEI>'
    )
    (book,) = tei.read(path)
    assert blocks(book) == [
        ("direction", "(Enter a fool.)"),
        ("speech", "Fool.\nA word,\nthen none."),
        ("paragraph", "Hyphen and line."),
    ]


TEI = '<TEI xmlns="http://www.tei-c.org/ns/1.0">'


def read(tmp_path: Path, body: str, header: str = "", front: str = "", options: ReadOptions = PLAIN) -> Book:
    path = tmp_path / "b.xml"
    path.write_text(f"{TEI}{header}<text>{front}<body>{body}</body></text></TEI>", encoding="utf-8")
    (book,) = tei.read(path, options)
    return book


def header(inner: str, more: str = "") -> str:
    return f"<teiHeader><fileDesc><titleStmt>{inner}</titleStmt></fileDesc>{more}</teiHeader>"


def test_a_play_has_a_chapter_a_scene_speakers_and_directions(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        '<div type="act"><head>ACT I.</head><div type="scene"><head>Scene I</head><stage>The bank.</stage>'
        "<sp><speaker>MARA, <stage>aside</stage></speaker><p>Who <stage>to herself</stage>calls?</p>"
        "<stage>A bell.</stage><p>Nobody.</p></sp><sp><speaker>JOSS.</speaker><lg><l>Cold is the water,</l>"
        '<l part="I">colder</l></lg></sp></div><div type="scene"><head>Scene II</head><sp><speaker>MARA.</speaker>'
        '<l part="F">is the oar.</l></sp></div></div>',
        front="<front><castList><head>Persons</head><castItem>MARA, a ferrywoman.</castItem>"
        "<castItem>JOSS.</castItem></castList></front>",
    )
    assert book.kind == "plays"
    assert [chapter.title for chapter in book.chapters] == ["Persons", "ACT I, Scene I", "Scene II"]
    assert blocks(book)[0] == ("verse", "MARA, a ferrywoman.\nJOSS.")
    speeches = [(block.speaker, block.text) for chapter in book.chapters for block in chapter.blocks][1:]
    assert speeches == [
        ("", "(The bank.)"),
        ("MARA", "MARA, (aside)\nWho (to herself) calls?\n(A bell.)\nNobody."),
        ("JOSS", "JOSS.\nCold is the water,\ncolder"),
        ("MARA", "MARA.\nis the oar."),
    ]


def test_a_speaker_without_a_label_is_named_by_the_list_of_persons(tmp_path: Path) -> None:
    people = '<listPerson><person xml:id="m"><persName>Mara</persName></person></listPerson>'
    told = header("", f"<profileDesc><particDesc>{people}</particDesc></profileDesc>")
    book = read(tmp_path, '<sp who="#m"><p>Who calls?</p></sp><sp who="#x"><p>Nobody.</p></sp>', told)
    assert [(b.speaker, b.text) for b in book.chapters[0].blocks] == [("Mara", "Mara\nWho calls?"), ("", "Nobody.")]


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("Ferry, Ada (1801-1880)", "Ada Ferry"),
        ("Ferry, Joss, Sir, 1554-1586.", "Sir Joss Ferry"),
        ("Bank, Mara, d. 1601", "Mara Bank"),
        ("Ada Ferry", "Ada Ferry"),
        ("<persName><forename>Ada</forename> <surname>Ferry</surname></persName><idno>Q1</idno>", "Ada Ferry"),
        ("<persName><surname>Rive</surname>, <forename>Ada</forename> <nameLink>de la</nameLink></persName>",
         "Ada de la Rive"),
    ],
)  # fmt: skip
def test_authors_are_named_as_one_speaks_without_dates(tmp_path: Path, author: str, name: str) -> None:
    assert read(tmp_path, "<p>Text.</p>", header(f"<title>T</title><author>{author}</author>")).author == name


def test_titles_and_languages(tmp_path: Path) -> None:
    titles = '<title type="main">La Rive</title><title type="sub">roman</title>'
    usage = '<profileDesc><langUsage><language ident="fr"/></langUsage></profileDesc>'
    book = read(tmp_path, "<p>Texte.</p>", header(titles, usage))
    assert (book.title, book.language, book.columns) == ("La Rive", "fr", (("subtitle", "roman"),))


def test_lines_in_a_division_are_one_stanza_and_groups_are_several(tmp_path: Path) -> None:
    book = read(
        tmp_path, "<div><l>One</l><pb/><l>two</l><p>Prose.</p><lg><lg><l>a</l></lg><lg><l>b</l></lg></lg></div>"
    )
    assert blocks(book) == [("verse", "One\ntwo"), ("paragraph", "Prose."), ("verse", "a"), ("verse", "b")]


def test_paragraphs_whose_breaks_end_verses_are_stanzas(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        "<p>Row on,<lb />Row on,<lb />And ask no more.</p><sp><speaker>MARA.</speaker><p>Cold,<lb/>Colder.</p></sp>",
    )
    assert blocks(book) == [("verse", "Row on,\nRow on,\nAnd ask no more."), ("speech", "MARA.\nCold,\nColder.")]


def test_inline_quotations_and_notes_do_not_cut_a_paragraph(tmp_path: Path) -> None:
    text = (
        "<p>She said <quote>no</quote><note place='foot'>Twice.</note> and <q>never</q>:<q><l>Row on,</l></q> so.</p>"
    )
    book = read(tmp_path, text)
    assert blocks(book) == [("paragraph", "She said no and never:"), ("verse", "Row on,"), ("paragraph", "so.")]
    assert [note.text for note in book.notes] == ["Twice."]


def test_marks_of_quotation_that_the_encoder_took_away_come_back(tmp_path: Path) -> None:
    said = "<p><said>Row on</said>, she said.</p>"
    declared = '<encodingDesc><editorialDecl><quotation marks="none"/></editorialDecl></encodingDesc>'
    assert blocks(read(tmp_path, said)) == [("paragraph", "Row on, she said.")]
    assert blocks(read(tmp_path, said, header("", declared))) == [("paragraph", "“Row on”, she said.")]
    rendered = '<p><q rend="PRE(‘)POST(’)">Row on</q>, she said.</p>'
    assert blocks(read(tmp_path, rendered)) == [("paragraph", "‘Row on’, she said.")]


def test_one_reading_of_each_choice(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        "<p><choice><orig>riuer</orig><reg>river</reg></choice> <choice><abbr>Mr</abbr><expan>Mister</expan></choice> "
        "<app><lem>bank</lem><rdg>shore</rdg></app> <subst><del>late</del><add>soon</add></subst> "
        "<sic>teh</sic> <unclear>oar</unclear> wor<gap><desc>•</desc></gap> <gap/></p>",
    )
    assert blocks(book) == [("paragraph", "river Mr bank soon teh oar wor• […]")]
    assert {drop.reason for drop in book.dropped} == {"variant reading", "deletion"}


def test_words_that_a_line_cuts_are_whole(tmp_path: Path) -> None:
    text = 'ferry-<lb break="no"/>\n   woman, ri\u00ad<lb/>ver, bank<pb break="no"/>side, one<lb/>two, half<pb/>way'
    assert blocks(read(tmp_path, f"<p>{text}</p>")) == [("paragraph", "ferrywoman, river, bankside, one two, halfway")]


def test_letters_keep_date_salutation_and_signature(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        '<div type="letter"><opener><dateline>The Inn, May 3.</dateline><salute>Dear Mara,</salute></opener>'
        "<p>I am over.</p><closer><salute>Yours,</salute> <signed>Joss</signed></closer></div>"
        '<div type="letter"><head>II</head><p>Good.</p></div>',
    )
    assert blocks(book) == [
        ("paragraph", "The Inn, May 3."),
        ("paragraph", "Dear Mara,"),
        ("paragraph", "I am over."),
        ("paragraph", "Yours,"),
        ("paragraph", "Joss"),
    ]
    assert len(book.chapters) == 2


def test_title_pages_and_imprints_go_unless_all_is_kept(tmp_path: Path) -> None:
    front = (
        "<front><titlePage><docTitle><titlePart>The Ferry</titlePart></docTitle></titlePage>"
        "<docImprint>At the Bank, 1801</docImprint><div type='dedication'><p>To the pilot.</p></div></front>"
    )
    book = read(tmp_path, "<div><head>I</head><p>Text.</p></div><div><head>II</head><p>More.</p></div>", "", front)
    assert {drop.reason for drop in book.dropped} == {"title page", "imprint"}
    assert ("paragraph", "To the pilot.") in blocks(book)


def test_nothing_outside_the_file_is_read_and_entities_stay_closed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    path = tmp_path / "b.xml"
    path.write_text(
        '<!DOCTYPE TEI [<!ENTITY x SYSTEM "secret.txt"><!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        '<TEI xmlns:xi="http://www.w3.org/2001/XInclude"><text><body><p>Kept &x;&b; words.</p>'
        '<xi:include href="secret.txt" parse="text"/></body></text></TEI>'
    )
    (book,) = tei.read(path)
    assert blocks(book) == [("paragraph", "Kept words.")]
    assert [drop.text for drop in book.dropped] == ["&x;", "&b;"]


def test_a_corpus_gives_each_work_and_leaves_an_empty_one(tmp_path: Path) -> None:
    work = "<TEI>{}<text><body><p>{}</p></body></text></TEI>"
    outer = header("<title>All</title><author>Ferry, Ada</author>")
    inner = work.format(header("<title>One</title>"), "A.") + work.format(header("<title>Two</title>"), "")
    path = tmp_path / "c.xml"
    path.write_text(f"<teiCorpus>{outer}{inner}</teiCorpus>")
    (book,) = tei.read(path)
    assert (book.title, book.author) == ("One", "Ada Ferry")


WORDS = st.integers(0, 999_999).map(lambda number: f"w{number}")
INLINE = ("hi", "seg", "q", "quote", "said", "name", "foreign", "supplied", "add", "emph", "ref")
BLOCK = ("div", "p", "lg", "l", "sp", "stage", "quote", "list", "item", "ab", "opener", "closer", "epigraph", "head",
         "figure", "argument", "castList", "castItem", "floatingText", "body", "note", "table", "row", "cell",
         "trailer", "speaker", "unknown", "dateline", "q")  # fmt: skip


def element(names: tuple[str, ...], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(names), st.lists(inner, max_size=4)).map(
        lambda made: f"<{made[0]}>{' '.join(made[1])}</{made[0]}>"
    )


TREES = st.recursive(WORDS, lambda inner: element(INLINE, inner) | element(BLOCK, inner), max_leaves=30)


@settings(max_examples=80)
@given(st.lists(TREES, min_size=1, max_size=5))
def test_no_word_of_any_nesting_is_lost(tmp_path: Path, parts: list[str]) -> None:
    try:
        book = read(tmp_path, f"<p>w1000000</p>{' '.join(parts)}<p>w1000001</p>")
    except BookError:
        pytest.fail("a text with words is no book")
    shown = [book.title, book.text, *(note.text for note in book.notes), *(drop.text for drop in book.dropped)]
    assert sorted(re.findall(r"w\d+", " ".join(parts))) == sorted(
        word for word in re.findall(r"w\d+", " ".join(shown)) if len(word) < 8
    )


@settings(max_examples=100)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_give_a_book_or_a_reason(tmp_path: Path, noise: bytes, cut: int) -> None:
    speech = "<sp><speaker>A</speaker><l>b</l></sp><p>c &x; d</p>"
    whole = f"{TEI}<text><body><div><head>I</head>{speech}</div></body></text></TEI>".encode()
    path = tmp_path / "b.xml"
    path.write_bytes(whole[:cut] + noise + whole[cut:])
    with contextlib.suppress(BookError):
        assert tei.read(path)
