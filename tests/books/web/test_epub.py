"""EPUB: order, chapters, verse, notes, what is left out, what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import bookfiles as making
from quire.books.book import Book
from quire.books.web import epub
from quire.errors import BookError

P = making.PARAGRAPHS


def read(path: Path) -> Book:
    (book,) = epub.read(path)
    return book


def test_chapters_come_from_headings_in_spine_order(tmp_path: Path) -> None:
    pages = {
        "z.xhtml": f"<body><h2>Chapter I</h2><p>{P[0]}</p><p>{P[1]}</p></body>",
        "a.xhtml": f"<body><h2>Chapter <span>II</span></h2><p>{P[2]}</p></body>",
    }
    book = read(making.epub(tmp_path / "b.epub", pages))
    assert (book.title, book.author, book.language) == ("The Ferry", "A. Writer", "en")
    assert [chapter.title for chapter in book.chapters] == ["Chapter I", "Chapter II"]
    assert [block.text for block in book.chapters[0].blocks] == [P[0], P[1]]
    assert book.chapters[1].blocks[0].place.inside == "OEBPS/a.xhtml"


def test_verse_keeps_lines_and_stanzas(tmp_path: Path) -> None:
    verse = (
        '<blockquote epub:type="z3998:verse"><p><span>One line,</span><br/><span class="i1">and one set in.</span></p>'
        "<p><span>Another stanza</span><br/><span>ends here.</span></p></blockquote>"
    )
    old = (
        '<div class="poem"><div class="stanza"><div class="line">'
        'A first</div><div class="line">A second</div></div></div>'
    )
    book = read(making.epub(tmp_path / "b.epub", {"a.xhtml": f"<body><h2>I</h2><p>{P[0]}</p>{verse}{old}</body>"}))
    assert [(b.kind, b.text) for b in book.chapters[0].blocks[1:]] == [
        ("verse", "One line,\nand one set in."),
        ("verse", "Another stanza\nends here."),
        ("verse", "A first\nA second"),
    ]


def test_notes_stand_aside_and_their_marks_go(tmp_path: Path) -> None:
    body = (
        f'<body><h2>I</h2><p>The moon<a epub:type="noteref" href="#n1">1</a> rose<sup><a href="#n2">2</a></sup>.</p>'
        f'<aside epub:type="footnote" id="n1"><p>Ours.</p></aside><p>{P[0]}</p></body>'
    )
    end = (
        '<body><section epub:type="endnotes"><h2>Notes</h2><ol><li id="n2"><p>Late. '
        '<a href="#r" epub:type="backlink">↩</a></p></li></ol></section></body>'
    )
    book = read(making.epub(tmp_path / "b.epub", {"a.xhtml": body, "n.xhtml": end}))
    assert book.chapters[0].blocks[0].text == "The moon rose."
    assert [note.text for note in book.notes] == ["Ours.", "Notes", "Late."] or [n.text for n in book.notes] == [
        "Ours.",
        "Late.",
    ]


def test_navigation_and_imprint_are_left_out_with_reasons(tmp_path: Path) -> None:
    links = "".join(f'<p><a href="c{n}.xhtml">Chapter {n}</a></p>' for n in range(8))
    pages = {
        "titlepage.xhtml": '<body><section epub:type="titlepage"><h1>The Ferry</h1></section></body>',
        "imprint.xhtml": '<body><section epub:type="imprint"><p>Printed nowhere.</p></section></body>',
        "list.xhtml": f"<body><h2>Contents</h2>{links}</body>",
        "a.xhtml": f"<body><h2>I</h2><p>{P[0]}</p></body>",
        "rights.xhtml": "<body><p>Copyright © 2020 A. Writer. All rights reserved. ISBN 1234567890.</p></body>",
        "colophon.xhtml": (
            '<body epub:type="backmatter"><section epub:type="colophon"><p>Set in lead.</p></section></body>'
        ),
    }
    book = read(making.epub(tmp_path / "b.epub", pages))
    assert [chapter.title for chapter in book.chapters] == ["I"]
    assert {drop.reason for drop in book.dropped} == {"title page", "imprint", "contents", "copyright page", "colophon"}


def test_headings_come_from_the_contents_where_pages_have_none(tmp_path: Path) -> None:
    ncx = (
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>'
        '<navPoint><navLabel><text>I. The Boat</text></navLabel><content src="a.xhtml"/></navPoint>'
        '<navPoint><navLabel><text>II. The Bank</text></navLabel><content src="b.xhtml#x"/></navPoint></navMap></ncx>'
    )
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata/><manifest>'
        '<item id="n" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
        '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="b" href="b.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine toc="n"><itemref idref="a"/><itemref idref="b"/></spine></package>'
    )
    page = "<html><body>{}</body></html>"
    path = making.zipped(
        tmp_path / "b.epub",
        {
            "book.opf": opf,
            "toc.ncx": ncx,
            "a.xhtml": page.format(f"<p>I.</p><p>The Boat</p><p>{P[0]}</p>"),
            "b.xhtml": page.format(f"<p>{P[1]}</p>"),
        },
    )
    book = read(path)
    assert [chapter.title for chapter in book.chapters] == ["I.\nThe Boat", "II. The Bank"]
    assert [block.text for block in book.chapters[0].blocks] == [P[0]]


def test_a_page_that_is_not_well_formed_is_read_as_browsers_do(tmp_path: Path) -> None:
    book = read(
        making.epub(tmp_path / "b.epub", {"a.xhtml": f"<body><h2>I</h2><p>{P[0]}<p>It&rsquo;s &nbsp;open</b></body>"})
    )
    assert book.chapters[0].blocks[1].text.startswith("It’s")


def test_no_entity_is_resolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("very secret words")
    page = (
        f'<!DOCTYPE html [<!ENTITY x SYSTEM "{secret.as_uri()}"><!ENTITY '
        f'y "lol">]><html><body><p>A &x; and &y; gap.</p></body></html>'
    )
    path = making.epub(tmp_path / "b.epub", {"a.xhtml": "<body/>"})
    entries = {name: zipfile.ZipFile(path).read(name) for name in zipfile.ZipFile(path).namelist()}
    entries["OEBPS/a.xhtml"] = page.encode()
    book = read(making.zipped(path, entries))
    assert "secret words" not in book.text
    assert "gap." in book.text


def test_protected_text_is_refused_and_obfuscated_fonts_are_not(tmp_path: Path) -> None:
    enc = (
        '<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData>'
        '<e:EncryptionMethod Algorithm="{}"/><e:CipherData><e:CipherReference URI="OEBPS/{}"/></e:CipherData>'
        "</e:EncryptedData></encryption>"
    )
    pages = {"a.xhtml": f"<body><h2>I</h2><p>{P[0]}</p></body>"}
    aes = {"META-INF/encryption.xml": enc.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "a.xhtml")}
    # Text that can be read is read, whatever is said of it: a lock that was taken off leaves its notice behind.
    assert read(making.epub(tmp_path / "open.epub", pages, extra=aes)).words
    with zipfile.ZipFile(tmp_path / "open.epub") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries["OEBPS/a.xhtml"] = bytes(range(128, 256)) * 8
    with pytest.raises(BookError, match="DRM"):
        read(making.zipped(tmp_path / "drm.epub", entries))
    font = {"META-INF/encryption.xml": enc.format("http://www.idpf.org/2008/embedding", "f.otf")}
    assert read(making.epub(tmp_path / "font.epub", pages, extra=font)).words


def test_a_missing_page_is_named_in_a_warning(tmp_path: Path) -> None:
    path = making.epub(tmp_path / "b.epub", {"a.xhtml": f"<body><p>{P[0]}</p></body>", "gone.xhtml": "<body/>"})
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist() if "gone" not in name}
    book = read(making.zipped(path, entries))
    assert any("gone.xhtml" in warning for warning in book.warnings)


def test_a_page_of_notes_is_known_by_the_marks_of_other_pages(tmp_path: Path) -> None:
    pages = {
        "1.xhtml": f'<body><h2>Chapter I</h2><p>{P[0]}<sup><a href="9.xhtml#n1" id="r1">1</a></sup></p></body>',
        "2.xhtml": f"<body><h2>Chapter II</h2><p>{P[1]}</p></body>",
        "9.xhtml": '<body><p><b>Notes</b></p><p><a id="n1" href="1.xhtml#r1">1</a>. A late note.</p></body>',
    }
    book = read(making.epub(tmp_path / "b.epub", pages))
    assert [note.text for note in book.notes] == ["A late note."]
    assert [block.text for chapter in book.chapters for block in chapter.blocks] == [P[0], P[1]]


def test_a_page_that_ends_too_early_is_read_with_a_warning(tmp_path: Path) -> None:
    path = making.epub(tmp_path / "b.epub", {"a.xhtml": f"<body><p>{P[0]}</p></body>", "b.xhtml": "<body/>"})
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries["OEBPS/b.xhtml"] = f"<html><body><p>{P[1]}</p><p>{P[2][:30]}".encode()
    book = read(making.zipped(path, entries))
    assert [block.text for chapter in book.chapters for block in chapter.blocks] == [P[0], P[1], P[2][:30]]
    assert book.warnings == ("OEBPS/b.xhtml is cut short: what is there was read",)


def test_a_book_of_pictures_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(BookError) as raised:
        read(making.epub(tmp_path / "b.epub", {"a.xhtml": "<body><img src='1.jpg' alt='a page'/></body>"}))
    assert raised.value.code == "image-only"


def test_a_caption_is_short_and_beside_a_picture(tmp_path: Path) -> None:
    figure = "<figure><img src='1.jpg' alt=''/><figcaption>{}</figcaption></figure>"
    long = " ".join(P) + " " + P[0]
    body = f"<body><h2>I</h2><p>{P[0]}</p>{figure.format('A boat.')}{figure.format(long)}</body>"
    book = read(making.epub(tmp_path / "b.epub", {"a.xhtml": body}))
    assert [block.text for block in book.chapters[0].blocks] == [P[0], long]
    assert [drop.text for drop in book.dropped if drop.reason == "caption"] == ["A boat."]


@pytest.mark.parametrize("label", ["Section 1", "Start", "page_3.xhtml", "Dedication"])
def test_labels_that_nothing_printed_are_no_headings(tmp_path: Path, label: str) -> None:
    nav = (
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body>'
        f'<nav epub:type="toc"><ol><li><a href="a.xhtml">{label}</a></li>'
        '<li><a href="b.xhtml">Chapter I</a></li></ol></nav></body></html>'
    )
    pages = {"a.xhtml": f"<body><p>{P[0]}</p></body>", "b.xhtml": f"<body><p>{P[1]}</p></body>"}
    path = making.epub(tmp_path / "b.epub", pages, extra={"OEBPS/nav.xhtml": nav})
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    item = b'<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    entries["OEBPS/book.opf"] = entries["OEBPS/book.opf"].replace(b"<manifest>", item)
    book = read(making.zipped(path, entries))
    assert [chapter.title for chapter in book.chapters] == [None, "Chapter I"]
