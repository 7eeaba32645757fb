"""Word: styles, revisions, notes, headings without styles."""

from __future__ import annotations

from pathlib import Path

import bookfiles as making
from bookfiles import PARAGRAPHS as P
from bookfiles import VERSE, assert_small_book
from quire.books import docx


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


def test_headings_without_styles_are_found_by_their_words(tmp_path: Path) -> None:
    body = "".join(making.word_paragraph(text) for text in ("I", P[0], P[1], "II", P[2], "III", P[3], "It was 1815."))
    (book,) = docx.read(making.docx(tmp_path / "b.docx", body))
    assert [chapter.title for chapter in book.chapters] == ["I", "II", "III"]


def test_headings_set_by_hand_are_found_by_their_looks(tmp_path: Path) -> None:
    def line(text: str, size: int) -> str:
        look = f'<w:rPr><w:b/><w:sz w:val="{size}"/></w:rPr>'
        return f'<w:p><w:pPr><w:jc w:val="center"/></w:pPr><w:r>{look}<w:t>{text}</w:t></w:r></w:p>'

    w = making.word_paragraph
    body = line("THE FERRY", 48) + line("The Boat", 32) + w(P[0]) + w(P[1]) + line("The Bank", 32) + w(P[2]) + w(P[3])
    (book,) = docx.read(making.docx(tmp_path / "b.docx", body))
    assert book.title == "THE FERRY"
    assert [chapter.title for chapter in book.chapters] == ["The Boat", "The Bank"]
