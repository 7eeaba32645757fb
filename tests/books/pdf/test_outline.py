"""What a PDF says about itself: titles and authors, and bookmarks as evidence for chapters."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pypdfium2
import pytest

import bookfiles as making
from quire.books.book import Book
from quire.books.pdf import reader as pdf
from quire.books.pdf.blocks import Found
from quire.books.pdf.outline import Bookmark, apply_bookmarks, find_author, is_name, read_bookmarks, read_title

SAID = "The ferry left at dawn and came back late, and nobody on the bank had seen who stood at its rail."


def page(*heads: str) -> bytes:
    """Lines of one size and weight: nothing but its words tells a heading."""
    rows = [line for head in heads for line in (head, "", *textwrap.wrap(" ".join([SAID] * 4), 56))]
    return "".join(f"BT /F 10 Tf 40 {500 - 14 * n} Td ({row}) Tj ET\n" for n, row in enumerate(rows)).encode()


def outline(entries: list[tuple[str, int]]) -> tuple[bytes, dict[int, bytes]]:
    """A flat outline of (title, page from 0), in objects 5 to 8."""
    objects = {5: f"<< /Type /Outlines /First 6 0 R /Last {5 + len(entries)} 0 R /Count {len(entries)} >>".encode()}
    for n, (title, number) in enumerate(entries):
        links = (f"/Prev {5 + n} 0 R " if n else "") + (f"/Next {7 + n} 0 R " if n + 1 < len(entries) else "")
        dest = f"/Dest [{10 + 2 * number} 0 R /Fit]"
        objects[6 + n] = f"<< /Title ({title}) /Parent 5 0 R {links}{dest} >>".encode()
    return b"/Outlines 5 0 R", objects


def read(path: Path) -> Book:
    (book,) = pdf.read(path)
    return book


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("The Ferry", "The Ferry"),
        ("Microsoft Word - ferry_final3.doc", ""),
        ("ferry.indd", ""),
        ("untitled", ""),
        ("Untitled-1", ""),
        ("Document1", ""),
        ("C:\\\\Users\\\\me\\\\ferry", ""),
        ("a-book", ""),
        ("1984", ""),
        ("The Project Gutenberg EBook of The Ferry", "The Ferry"),
        ("Scans", "Scans"),
    ],
)
def test_titles_that_programs_leave_are_no_titles(tmp_path: Path, said: str, title: str) -> None:
    path = making.drawn_pdf(tmp_path / "a-book.pdf", [page()], info=f"/Title ({said}) /Author (A. Writer)".encode())
    document = pypdfium2.PdfDocument(path)
    assert read_title(document, path.stem) == (title, "A. Writer")
    document.close()


@pytest.mark.parametrize("said", ["user", "Administrator", "a@b.example", "Unknown", "Microsoft Office User", "-"])
def test_authors_that_programs_leave_are_nobody(tmp_path: Path, said: str) -> None:
    path = making.drawn_pdf(tmp_path / "a.pdf", [page()], info=f"/Author ({said})".encode())
    document = pypdfium2.PdfDocument(path)
    assert read_title(document, path.stem)[1] == ""
    document.close()


@pytest.mark.parametrize(
    ("lines", "author"),
    [
        (["THE FERRY", "by", "A. B. WRITER"], "A. B. Writer"),
        (["The Ferry", "A novel by Anna Writer"], "Anna Writer"),
        (["Le Bac", "par", "Jeanne de la Rive"], "Jeanne de la Rive"),
        (["The Ferry", "Anna Writer", "River Press, London"], "Anna Writer"),
        (["The Ferry", "Tales of the Bank", "River Press"], ""),
        (["The Ferry", "Anna Writer", "Bert Drawer"], ""),
    ],
)
def test_a_title_page_names_its_author(lines: list[str], author: str) -> None:
    assert find_author(lines, "The Ferry") == author


def test_names_are_short_and_capital() -> None:
    assert [line for line in ("Anna Writer", "J. Writer", "the old ferry", "Chapter One", "Anna") if is_name(line)] == [
        "Anna Writer",
        "J. Writer",
    ]
    assert not is_name("A" * 50_000 + " B")


def test_the_author_on_the_title_page_becomes_the_books(tmp_path: Path) -> None:
    front = b"BT /F 24 Tf 100 400 Td (The Ferry) Tj ET BT /F 12 Tf 100 350 Td (Anna Writer) Tj ET"
    book = read(making.drawn_pdf(tmp_path / "a.pdf", [front, *[page(f"Chapter {n}", "Noon") for n in (1, 2)]]))
    assert (book.title, book.author) == ("The Ferry", "Anna Writer")


def test_bookmarks_make_headings_of_lines_that_look_like_text(tmp_path: Path) -> None:
    names = ["Rain", "The lamp", "Bread"]
    catalogue, objects = outline([(name, n) for n, name in enumerate(names)])
    contents = [page(name) for name in names]
    book = read(making.drawn_pdf(tmp_path / "a.pdf", contents, catalogue=catalogue, objects=objects))
    assert [chapter.title for chapter in book.chapters] == names
    assert [chapter.text.count(SAID) for chapter in book.chapters] == [4, 4, 4]


def paragraph(text: str, page: int) -> Found:
    return Found("paragraph", text, page)


def heading(text: str, page: int, level: int = 1) -> Found:
    return Found("heading", text, page, level, 14.0)


def kinds(blocks: list[Found]) -> list[tuple[str, str, int]]:
    return [(block.kind, block.text, block.level) for block in blocks]


def test_large_lines_that_the_outline_does_not_know_stand_below_its_entries() -> None:
    found = [heading("Rain", 0), paragraph(SAID, 0), heading("At noon", 1), paragraph(SAID, 1), heading("Bread", 2)]
    applied = apply_bookmarks(found, [Bookmark("Rain", 0, 1), Bookmark("Bread", 2, 1)])
    assert [(text, level) for kind, text, level in kinds(applied) if kind == "heading"] == [
        ("Rain", 1),
        ("At noon", 2),
        ("Bread", 1),
    ]


def test_a_number_and_the_title_under_it_are_one_and_folders_of_the_outline_do_not_count() -> None:
    found = []
    for n, name in enumerate(["Rain", "Bread", "The lamp"], start=1):
        found += [heading(f"CHAPTER {n}", n, 2), heading(name.upper(), n, 2), paragraph(SAID, n)]
    found += [heading("Notes", 4, 2), paragraph(SAID, 4)]
    marks = [
        Bookmark("Main matter", 1, 1),
        Bookmark("1: Of rain", 1, 2),
        Bookmark("2: Bread", 2, 2),
        Bookmark("3: The lamp", 3, 2),
        Bookmark("Notes", 4, 1),
    ]
    assert {level for kind, _, level in kinds(apply_bookmarks(found, marks)) if kind == "heading"} == {1}


def test_a_numbered_title_run_into_its_text_is_cut_off_it() -> None:
    found = [paragraph(f"Chapter 1 {SAID}", 0), paragraph(f"Chapter 2 {SAID}", 3)]
    applied = apply_bookmarks(found, [Bookmark("Chapter 1", 0, 1), Bookmark("Chapter 2", 3, 1)])
    assert [(kind, text) for kind, text, _ in kinds(applied)] == [
        ("heading", "Chapter 1"),
        ("paragraph", SAID),
        ("heading", "Chapter 2"),
        ("paragraph", SAID),
    ]


def test_a_sentence_that_begins_like_a_title_is_left_alone() -> None:
    found = [heading("Rain", 0), paragraph("The Ferry Inn was full.", 1), heading("Bread", 2)]
    marks = [Bookmark("Rain", 0, 1), Bookmark("The Ferry", 1, 1), Bookmark("Bread", 2, 1)]
    assert ("paragraph", "The Ferry Inn was full.", 0) in kinds(apply_bookmarks(found, marks))


def test_an_outline_that_does_not_agree_with_the_text_changes_nothing() -> None:
    found = [heading("Rain", 0), paragraph(SAID, 0)]
    assert apply_bookmarks(found, [Bookmark(f"Other {n}", n, 1) for n in range(5)]) == found


def test_an_outline_of_pages_is_none(tmp_path: Path) -> None:
    catalogue, objects = outline([("Page 1", 0), ("Page 2", 1), ("Page 3", 2)])
    path = making.drawn_pdf(tmp_path / "a.pdf", [page()] * 3, catalogue=catalogue, objects=objects)
    document = pypdfium2.PdfDocument(path)
    assert read_bookmarks(document) == []
    document.close()


def test_an_outline_that_names_itself_ends(tmp_path: Path) -> None:
    catalogue, objects = outline([("Rain", 0), ("Bread", 0)])
    objects[6] = b"<< /Title (Rain) /First 6 0 R /Next 6 0 R /Dest [10 0 R /Fit] >>"
    path = making.drawn_pdf(tmp_path / "a.pdf", [page("Rain", "Bread")], catalogue=catalogue, objects=objects)
    document = pypdfium2.PdfDocument(path)
    assert len(read_bookmarks(document)) <= 5000
    document.close()
