"""Word: styles, revisions, notes, headings without styles."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import bookfiles as making
from bookfiles import PARAGRAPHS as P
from bookfiles import VERSE, assert_small_book
from quire.books.book import Book
from quire.books.office import docx
from quire.errors import BookError


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


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(inner: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{inner}</w:p>"


def read(tmp_path: Path, body: str, parts: dict[str, str] | None = None) -> Book:
    (book,) = docx.read(making.docx(tmp_path / "b.docx", body, parts or {}))
    return book


def test_a_deleted_end_of_paragraph_joins_two(tmp_path: Path) -> None:
    body = (
        paragraph(run("The ferry left "), "<w:rPr><w:del/></w:rPr>") + paragraph(run("at six.")) + paragraph(run(P[1]))
    )
    assert read(tmp_path, body).text.startswith("The ferry left at six.")


def test_moved_text_stands_once_where_it_went(tmp_path: Path) -> None:
    moved = run("It moved.")
    body = paragraph(f"<w:moveFrom>{moved}</w:moveFrom>{run(P[0])}") + paragraph(
        f"{run(P[1])}<w:moveTo>{moved}</w:moveTo>"
    )
    book = read(tmp_path, body)
    assert book.text == f"{P[0]}\n\n{P[1]}It moved."


def test_a_large_initial_joins_its_paragraph(tmp_path: Path) -> None:
    body = paragraph(run("T"), '<w:framePr w:dropCap="drop"/>') + paragraph(run("he ferry left at six."))
    assert read(tmp_path, body).text == "The ferry left at six."


def test_fields_leave_their_results_and_lists_of_contents_go(tmp_path: Path) -> None:
    def field(code: str, result: str) -> str:
        mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
        code = f"<w:r><w:instrText>{code}</w:instrText></w:r>"
        return mark.format("begin") + code + mark.format("separate") + result + mark.format("end")

    body = paragraph(field(' TOC \\o "1-3" ', run("I. The Boat") + field(" PAGEREF _Toc1 ", run("3"))))
    body += paragraph(
        run("See ") + field(' HYPERLINK "x" ', run("the pier")) + run(", page ") + field(" PAGE ", run("7"))
    )
    book = read(tmp_path, body + paragraph(run(P[0])))
    assert book.text == f"See the pier, page\n\n{P[0]}"
    assert [drop.reason for drop in book.dropped] == ["contents"]


def test_a_drawing_shown_in_two_ways_is_read_once(tmp_path: Path) -> None:
    box = f"<w:txbxContent>{paragraph(run('In the box.'))}</w:txbxContent>"
    space = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ways = f"<mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
    drawing = f"<mc:AlternateContent {space}>{ways}</mc:AlternateContent>"
    assert read(tmp_path, paragraph(run(P[0]) + f"<w:r>{drawing}</w:r>")).text == f"{P[0]}\n\nIn the box."


def test_symbols_hyphens_and_hidden_text(tmp_path: Path) -> None:
    inner = (
        '<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r><w:r><w:t>well</w:t><w:noBreakHyphen/><w:t>known</w:t></w:r>'
    )
    inner += "<w:r><w:t>un</w:t><w:softHyphen/><w:t>cut</w:t></w:r>" + run("secret", "<w:vanish/>")
    book = read(tmp_path, paragraph(inner) + paragraph(run(P[0])))
    assert book.text.startswith("αwell-knownuncut\n")
    assert "secret" in {drop.text for drop in book.dropped}


def test_headings_through_styles_of_any_language_and_those_based_on_them(tmp_path: Path) -> None:
    styles = (
        f'<w:styles {W}><w:style w:type="paragraph" w:styleId="Titre1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="My opening"/><w:basedOn w:val="Titre1"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="Plain"><w:name w:val="Not one"/><w:basedOn w:val="Titre1"/>'
        '<w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style></w:styles>'
    )
    w = making.word_paragraph
    body = w("The Boat", "Titre1") + w(P[0]) + w("The Bank", "Mine") + w(P[1], "Plain")
    book = read(tmp_path, body, {"word/styles.xml": styles})
    assert [chapter.title for chapter in book.chapters] == ["The Boat", "The Bank"]
    assert book.chapters[1].blocks[0].text == P[1]


def test_new_pages_part_chapters_where_nothing_else_does(tmp_path: Path) -> None:
    page = '<w:p><w:r><w:br w:type="page"/></w:r></w:p>'
    part = "".join(paragraph(run(f"{text} Again.")) for text in P * 2)
    assert len(read(tmp_path, page.join([part] * 4)).chapters) == 4


def test_comments_are_counted_and_not_read(tmp_path: Path) -> None:
    comments = f"<w:comments {W}><w:comment>{paragraph(run('Too long?'))}</w:comment></w:comments>"
    book = read(tmp_path, paragraph(run(P[0])), {"word/comments.xml": comments})
    assert [(drop.reason, drop.text) for drop in book.dropped] == [("comment", "Too long?")]


def test_a_part_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
    path = making.docx(tmp_path / "b.docx", paragraph(run(P[0])) + "<w:p><w:r><w:t>And then")
    (book,) = docx.read(path)
    assert P[0] in book.text
    assert any("damaged" in warning for warning in book.warnings)


@settings(max_examples=40)
@given(data=st.data())
def test_cut_and_changed_files_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = making.docx(tmp_path / "b.docx", "".join(paragraph(run(text)) for text in P)).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    spot, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    broken = tmp_path / "broken.docx"
    for content in (whole[:cut], whole[:spot] + bytes([byte]) + whole[spot + 1 :]):
        broken.write_bytes(content)
        with suppress(BookError):
            assert docx.read(broken)
