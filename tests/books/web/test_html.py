"""HTML: the text out of its furniture, its encoding, headings without markup."""

from __future__ import annotations

from pathlib import Path

from bookfiles import PARAGRAPHS as P
from bookfiles import VERSE, assert_small_book, blocks
from quire.books.web import html


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
