"""Markdown, HTML, Word, OpenDocument, RTF and TEI: the same small book out of each, and what is special to each."""

from __future__ import annotations

from pathlib import Path

import pytest

import bookfiles as making
from quire.books import docx, html, markdown, odt, rtf, tei
from quire.books.book import Book
from quire.errors import BookError

P = making.PARAGRAPHS
VERSE = "The tide went out,\nThe tide came in."


def blocks(book: Book, chapter: int = 0) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in book.chapters[chapter].blocks]


def assert_small_book(book: Book) -> None:
    assert (book.title, book.author) == ("The Ferry", "A. Writer")
    assert [chapter.title for chapter in book.chapters] == ["I. The Boat", "II. The Bank"]
    assert blocks(book) == [("paragraph", P[0]), ("paragraph", P[1]), ("verse", VERSE)]
    assert blocks(book, 1) == [("paragraph", P[2]), ("paragraph", P[3])]


def test_markdown(tmp_path: Path) -> None:
    path = tmp_path / "b.md"
    quoted = "\n".join(f"> {line}" for line in VERSE.split("\n"))
    path.write_text(
        f"---\ntitle: The Ferry\nauthor: A. Writer\n---\n\n# The Ferry\n\n## "
        f"I. The Boat\n\n{P[0].replace('ferryman', '*ferryman*')}"
        f"\n\n{P[1]}\n\n{quoted}\n\n## II. The Bank\n\n{P[2]}\n\n{P[3].replace('pewter', '**pewter**')}\n",
        encoding="utf-8",
    )
    assert_small_book(markdown.read(path)[0])


def test_markdown_breaks_notes_and_links(tmp_path: Path) -> None:
    path = tmp_path / "b.md"
    path.write_text(
        "# A\n\nOne[^1] [link](http://x.y) and snake_case_word.\n\n***\n\nA "
        "line  \nbroken\\\nhard\n\n[^1]: A note.\n\n# B\n\nTwo\nwrapped lines."
    )
    (book,) = markdown.read(path)
    assert blocks(book) == [
        ("paragraph", "One link and snake_case_word."),
        ("break", "* * *"),
        ("verse", "A line\nbroken\nhard"),
    ]
    assert blocks(book, 1) == [("paragraph", "Two wrapped lines.")]
    assert [note.text for note in book.notes] == ["A note."]


def test_html(tmp_path: Path) -> None:
    path = tmp_path / "b.html"
    path.write_text(
        "<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>"
        "The Ferry, by A. Writer</title><style>p{}</style></head><body>"
        "<header>Home · Search</header><nav><a href=/>Library</a></nav><main><h1>The Ferry</h1>"
        f"<h2>I. The Boat</h2><p>{P[0]}</p>\n<p>{P[1].replace(' ', '  ')}<script>"
        f"x()</script></p><p class=verse>{VERSE.replace(chr(10), '<br>')}</p>"
        f"<h2>II. The Bank</h2><p>{P[2]}<p><i>{P[3]}</i></main><footer>© site</footer></body></html>",
        encoding="utf-8",
    )
    (book,) = html.read(path)
    assert_small_book(book)
    assert {drop.reason for drop in book.dropped} == {"page furniture", "title page"}


def test_html_in_latin_1_by_its_own_word(tmp_path: Path) -> None:
    path = tmp_path / "b.html"
    path.write_bytes(
        '<html><head><meta charset="iso-8859-1"></head><body><p>Déjà l’été.</p></body></html>'.encode("cp1252")
    )
    assert blocks(html.read(path)[0]) == [("paragraph", "Déjà l’été.")]


def test_word(tmp_path: Path) -> None:
    w = making.word_paragraph
    lines = "<w:br/>".join(f"<w:t>{line}</w:t>" for line in VERSE.split("\n"))
    changed = (
        f'<w:p><w:r><w:t xml:space="preserve">{P[0][:20]}</w:t></w:r>'
        f"<w:del><w:r><w:delText>not this</w:delText></w:r></w:del>"
        f'<w:ins><w:r><w:t xml:space="preserve">{P[0][20:]}</w:t></w:r></w:ins></w:p>'
    )
    body = w("The Ferry", "Title") + w("A. Writer", "Subtitle") + w("I. The Boat", "Heading1") + changed + w(P[1])
    body += f"<w:p><w:r>{lines}</w:r></w:p>" + w("II. The Bank", "Heading1") + w(P[2]) + w(P[3])
    core = (
        '<c xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>'
        "The Ferry</dc:title><dc:creator>A. Writer</dc:creator></c>"
    )
    (book,) = docx.read(making.docx(tmp_path / "b.docx", body, {"docProps/core.xml": core}))
    assert_small_book(book)
    assert "not this" in {drop.text for drop in book.dropped}


def test_word_made_by_another_library(tmp_path: Path) -> None:
    import docx as python_docx

    document = python_docx.Document()
    document.core_properties.author = "A. Writer"
    document.core_properties.title = "The Ferry"
    document.add_heading("I. The Boat", 1)
    document.add_paragraph(P[0])
    document.add_heading("II. The Bank", 1)
    document.add_paragraph(P[1])
    document.save(str(tmp_path / "b.docx"))
    (book,) = docx.read(tmp_path / "b.docx")
    assert [chapter.title for chapter in book.chapters] == ["I. The Boat", "II. The Bank"]
    assert (book.title, book.author) == ("The Ferry", "A. Writer")


def test_word_notes_stand_aside(tmp_path: Path) -> None:
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    notes = (
        f'<w:footnotes {space}><w:footnote w:type="separator"><w:p/></w:footnote>'
        f"<w:footnote>{making.word_paragraph('A note.')}</w:footnote></w:footnotes>"
    )
    (book,) = docx.read(making.docx(tmp_path / "b.docx", making.word_paragraph(P[0]), {"word/footnotes.xml": notes}))
    assert [note.text for note in book.notes] == ["A note."]


def test_opendocument(tmp_path: Path) -> None:
    body = (
        "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes>"
        '<text:h text:outline-level="1">I. The Boat</text:h>'
        f"<text:p>{P[0]}<text:note><text:note-citation>1</text:note-citation>"
        f"<text:note-body><text:p>A note.</text:p></text:note-body></text:note></text:p>"
        f"<text:p>{P[1].replace(' ', '<text:s/>', 1)}</text:p><text:p>"
        f"{VERSE.replace(chr(10), '<text:line-break/>')}</text:p>"
        f'<text:h text:outline-level="1">II. The Bank</text:h><text:p>{P[2]}</text:p><text:p>{P[3]}</text:p>'
    )
    meta = "<dc:title>The Ferry</dc:title><dc:creator>A. Writer</dc:creator>"
    (book,) = odt.read(making.odt(tmp_path / "b.odt", body, meta))
    assert_small_book(book)
    assert [note.text for note in book.notes] == ["A note."]


def _rtf(text: str) -> str:
    """Latin-1 letters as \\'hh, the rest as \\uN? with a substitute that has to be skipped."""
    out = []
    for char in text:
        if ord(char) < 128:
            out.append("\\" + char if char in "\\{}" else char)
        else:
            out.append(f"\\u{ord(char)}?" if ord(char) > 255 else f"\\'{ord(char):02x}")
    return "".join(out)


def test_rtf(tmp_path: Path) -> None:
    path = tmp_path / "b.rtf"
    body = (
        r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Times;}}{\stylesheet{\s0 Normal;}{\s1 heading 1;}}"
        r"{\info{\title The Ferry}{\author A. Writer}}{\*\generator Nobody;}{\header Running head\par}"
        rf"\pard\s1 I. The Boat\par\pard {_rtf(P[0])}{{\footnote A note.}}\par {_rtf(P[1])}\par"
        "\n" + _rtf(VERSE).replace("\n", r"\line ") + r"\par\pard\s1 II. The Bank\par\pard "
        rf"{_rtf(P[2])}\par{{\i {_rtf(P[3])}}}\par{{\pict\pngblip 89504e47}}}}"
    )
    path.write_text(body, encoding="ascii")
    (book,) = rtf.read(path)
    assert_small_book(book)
    assert [note.text for note in book.notes] == ["A note."]
    assert {drop.text for drop in book.dropped} == {"Running head"}


def test_rtf_letters_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "b.rtf"
    path.write_bytes(
        rb"{\rtf1\ansi\uc1 L'\'e9t\'e9 \u8212- \u-10179?\u-8704? \emdash\~\{ok\}\par Second paragraph.\par}"
    )
    assert blocks(rtf.read(path)[0])[0][1] == "L'été — 😀 —\u00a0{ok}"


def test_deep_rtf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.rtf"
    path.write_bytes(b"{\\rtf1 " + b"{" * 100_000)
    with pytest.raises(BookError, match="nested too deeply"):
        rtf.read(path)


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
        ("paragraph", "Enter a fool."),
        ("verse", "Fool.\nA word,\nthen none."),
        ("paragraph", "Hyphen and line."),
    ]


def test_headings_without_markup_are_found_by_their_words(tmp_path: Path) -> None:
    body = "".join(making.word_paragraph(text) for text in ("I", P[0], P[1], "II", P[2], "III", P[3], "It was 1815."))
    (book,) = docx.read(making.docx(tmp_path / "b.docx", body))
    assert [chapter.title for chapter in book.chapters] == ["I", "II", "III"]
    path = tmp_path / "b.html"
    path.write_text(
        f"<p><b>CHAPTER I.</b></p><p>THE BOAT</p><p>{P[0]}</p><p>CHAPTER II.</p><p>THE BANK</p><p>{P[1]}</p>"
    )
    found = [chapter.title for chapter in html.read(path)[0].chapters]
    assert found == ["CHAPTER I.\nTHE BOAT", "CHAPTER II.\nTHE BANK"]
