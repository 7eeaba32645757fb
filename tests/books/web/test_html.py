"""HTML: the text out of its furniture, its encoding, headings without markup."""

from __future__ import annotations

from pathlib import Path

import pytest

from bookfiles import PARAGRAPHS as P
from bookfiles import VERSE, assert_small_book, blocks
from quire.books.book import Book
from quire.books.web import html
from quire.errors import BookError


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
    assert {drop.reason for drop in book.dropped} == {"page furniture", "title page", "script"}


def test_html_in_latin_1_by_its_own_word(tmp_path: Path) -> None:
    path = tmp_path / "b.html"
    path.write_bytes(
        '<html><head><meta charset="iso-8859-1"></head><body><p>Déjà l’été.</p></body></html>'.encode("cp1252")
    )
    assert blocks(html.read(path)[0]) == [("paragraph", "Déjà l’été.")]


def test_headings_without_markup_are_found_by_their_words(tmp_path: Path) -> None:
    path = tmp_path / "b.html"
    path.write_text(
        f"<p><b>CHAPTER I.</b></p><p>THE BOAT</p><p>{P[0]}</p><p>CHAPTER II.</p><p>THE BANK</p><p>{P[1]}</p>"
    )
    found = [chapter.title for chapter in html.read(path)[0].chapters]
    assert found == ["CHAPTER I.\nTHE BOAT", "CHAPTER II.\nTHE BANK"]


def test_notes_are_known_by_the_marks_that_point_to_them(tmp_path: Path) -> None:
    path = tmp_path / "b.html"
    path.write_text(
        f"<html><body><h2>Chapter I</h2><p>{P[0]}<a href='#n1'><sup>1</sup></a></p><p>{P[1]}</p><h3>Notes</h3>"
        "<p><a name='n1'>1</a>. A note at the end.</p><p><a href='#top'>Back to top</a></p></body></html>"
    )
    (book,) = html.read(path)
    assert [note.text for note in book.notes] == ["A note at the end."]
    assert blocks(book) == [("paragraph", P[0]), ("paragraph", P[1])]


def test_paragraphs_with_the_class_of_a_heading_are_headings(tmp_path: Path) -> None:
    path = tmp_path / "b.html"
    path.write_text(
        "<html><head><title>The Ferry - Wikisource</title></head><body>"
        f"<p class='chapter-title'>The Boat</p><p class='subtitle'>A beginning</p><p>{P[0]}</p><p>{P[1]}</p>"
        f"<p class='chapter-title'>The Bank</p><p>{P[2]}</p></body></html>"
    )
    (book,) = html.read(path)
    assert book.title == "The Ferry"
    assert [chapter.title for chapter in book.chapters] == ["The Boat\nA beginning", "The Bank"]


def read(tmp_path: Path, page: str, encoding: str = "utf-8") -> Book:
    path = tmp_path / "b.html"
    path.write_bytes(page.encode(encoding))
    (book,) = html.read(path)
    return book


def test_what_word_exports(tmp_path: Path) -> None:
    mark = (
        '<a style="mso-footnote-id:ftn1" href="#_ftn1" name="_ftnref1"><span class=MsoFootnoteReference>'
        "<![if !supportFootnotes]>[1]<![endif]></span></a>"
    )
    book = read(
        tmp_path,
        '<html><head><meta http-equiv=Content-Type content="text/html; charset=windows-1252"><title>The Ferry</title>'
        '</head><body><p class=MsoTitle>The Ferry</p><p class=MsoToc1><a href="#_Toc1">Chapter One 2</a></p>'
        f'<h1><a name="_Toc1">Chapter One</a></h1><p class=MsoNormal><span>{P[0]}<o:p></o:p></span></p>'
        f"<p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>{P[1]}{mark}</p>"
        "<div style='mso-element:footnote' id=ftn1><p class=MsoFootnoteText><a href='#_ftnref1' name='_ftn1'>[1]</a> "
        "A coin of silver.</p></div></body></html>",
        "cp1252",
    )
    assert blocks(book) == [("paragraph", P[0]), ("paragraph", P[1])]
    assert [chapter.title for chapter in book.chapters] == ["Chapter One"]
    assert [note.text for note in book.notes] == ["A coin of silver."]


def test_what_libreoffice_exports(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        '<html><head><meta name="author" content="A. Writer"/></head><body>'
        '<div title="header"><p>The Ferry 12</p></div>'
        '<div id="Table of Contents1"><p>Contents</p><p><a href="#a">Chapter One 1</a></p></div>'
        f'<h1 class="western"><a name="a"></a>Chapter One</h1><p>{P[0]}<a class="sdfootnoteanc" name="f1anc" '
        f'href="#f1sym"><sup>1</sup></a></p><p><br/><br/></p><p>{P[1]}</p><div id="sdfootnote1"><p><a '
        'class="sdfootnotesym" name="f1sym" href="#f1anc">1</a>A coin.</p></div>'
        '<div title="footer"><p>Page 3</p></div></body></html>',
    )
    assert blocks(book) == [("paragraph", P[0]), ("paragraph", P[1])]
    assert [note.text for note in book.notes] == ["A coin."]
    assert {drop.text for drop in book.dropped if drop.reason == "page furniture"} == {"The Ferry 12", "Page 3"}


def test_a_page_of_a_wiki_is_its_text_alone(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        "<html lang=fr><head><title>Le Bac/I - Wikisource</title></head><body><h1 id=firstHeading>Le Bac/I</h1>"
        "<div id=siteSub>La bibliothèque libre.</div><div id=mw-content-text><div class=mw-parser-output>"
        "<div class='ws-noexport headertemplate'>Le Bac, 1890 (p. 1-9).</div><h2><span>I</span>"
        "<span class=mw-editsection>[<a href=e>modifier</a>]</span></h2>"
        "<p>Le bac partit à six heures<sup class=reference><a href='#n'>[1]</a></sup>.</p>"
        "<span class='pagenum ws-pagenum'>\u200b</span><div class=poem><p>Sur l’eau grise<br>Le vent passe.</p></div>"
        "<ol class=references><li id=n><span class=mw-cite-backlink><a href='#r'>↑</a></span> Le soir.</li></ol></div>"
        "</div><div id=mw-navigation><h2>Menu de navigation</h2></div></body></html>",
    )
    assert [(chapter.title, chapter.text) for chapter in book.chapters] == [
        ("I", "I\n\nLe bac partit à six heures.\n\nSur l’eau grise\nLe vent passe.")
    ]
    assert [note.text for note in book.notes] == ["Le soir."]


def test_the_foot_of_a_title_page_goes_with_it(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        "<html><head><title>The Ferry, by A. Writer</title></head><body><h1>THE FERRY</h1><h3>BY</h3><h2>A. WRITER</h2>"
        f"<p>LONDON<br>PRINTED FOR NOBODY<br>1890</p><h2>CHAPTER I</h2><p>{P[0]}</p><h2>CHAPTER II</h2><p>{P[1]}</p>",
    )
    assert [chapter.text for chapter in book.chapters] == [f"CHAPTER I\n\n{P[0]}", f"CHAPTER II\n\n{P[1]}"]


def test_a_cell_of_links_beside_the_text_goes(tmp_path: Path) -> None:
    menu = "<br>".join(f"<a href={name}.html>{name}</a>" for name in ("Home", "Books", "Mail", "Links"))
    book = read(tmp_path, f"<table><tr><td>{menu}</td><td>{P[0]}<br><br>&nbsp;&nbsp;{P[1]}</td></tr></table>")
    assert blocks(book) == [("paragraph", P[0]), ("paragraph", P[1])]


def test_a_page_of_frames_gives_what_it_has_without_them(tmp_path: Path) -> None:
    frames = f"<frameset><frame src=a.html><noframes><body><p>{P[0]}</p></body></noframes></frameset>"
    book = read(tmp_path, f"<html><head><title>The Ferry</title></head>{frames}</html>")
    assert blocks(book) == [("paragraph", P[0])]
    assert book.warnings == ("a page of frames: the pages that it shows are other files",)


def test_preformatted_text_is_read_as_plain_text_is(tmp_path: Path) -> None:
    wrapped = "\n".join([P[0][:40], P[0][41:]])
    book = read(tmp_path, f"<pre>\nCHAPTER I\n\n{wrapped}\n\nCHAPTER II\n\n{P[1]}\n</pre>")
    assert [chapter.title for chapter in book.chapters] == ["CHAPTER I", "CHAPTER II"]


def test_a_file_cut_to_nothing_is_no_book(tmp_path: Path) -> None:
    for data in (b"", b"<html", b"<!-- "):
        path = tmp_path / "b.html"
        path.write_bytes(data)
        with pytest.raises(BookError) as raised:
            html.read(path)
        assert raised.value.code in ("not-a-book", "empty")


def test_what_stands_around_the_text_is_told_in_the_order_of_the_page(tmp_path: Path) -> None:
    path = tmp_path / "b.html"
    path.write_text(
        "<html><body><p>Shop</p><div><p>Shelf</p><div><p>Row</p><div><p>Seat</p>"
        f"<main><h1>The Ferry</h1><p>{P[0]}</p><p>{P[1]}</p><p>{P[2]}</p></main></div></div></div></body></html>"
    )
    (book,) = html.read(path)
    assert [drop.text for drop in book.dropped if drop.reason == "page furniture"] == ["Shop", "Shelf", "Row", "Seat"]
