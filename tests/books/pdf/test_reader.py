"""PDF: pages that the tests set themselves: heads, folios, notes, columns, hyphens, and pages that are pictures."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pypdfium2
import pytest

import bookfiles as making
from quire.books import pulse
from quire.books.book import Book
from quire.books.pdf import reader as pdf
from quire.errors import BookError

WORDS = "river ferry stone bread winter candle window sailor garden silver morning letter".split()


def prose(number: int, words: int = 60) -> str:
    chosen = [WORDS[(number * 7 + i * i) % len(WORDS)] for i in range(words)]
    return f"P{number} {' '.join(chosen)}."


def set_pages(
    paragraphs: list[str], measure: int = 58, lines: int = 24, head: bool = True, shift: float = 8.0
) -> list[list[making.Placed]]:
    """Paragraphs set with an indent, a head and a folio on each page; pages alternate their margins."""
    rows: list[tuple[float, str]] = []
    for text in paragraphs:
        wrapped = textwrap.wrap(text, measure, initial_indent="  ")
        rows += [(14.0 if n == 0 else 0.0, row.strip()) for n, row in enumerate(wrapped)]
    pages = []
    for number, start in enumerate(range(0, len(rows), lines), start=1):
        left = 40.0 + shift * (number % 2)
        page: list[making.Placed] = []
        if head:
            page.append((left, 510, 9, f"{number} A. WRITER" if number % 2 == 0 else f"The Ferry {number}"))
        page += [
            (left + indent, 480 - 14.0 * row, 10, text)
            for row, (indent, text) in enumerate(rows[start : start + lines])
        ]
        pages.append(page)
    return pages


def read(path: Path) -> Book:
    (book,) = pdf.read(path)
    return book


def paragraphs_of(book: Book) -> list[str]:
    return [block.text for chapter in book.chapters for block in chapter.blocks]


def test_paragraphs_run_on_over_pages_without_heads_and_folios(tmp_path: Path) -> None:
    texts = [prose(n) for n in range(30)]
    book = read(making.pdf(tmp_path / "b.pdf", set_pages(texts)))
    assert paragraphs_of(book) == texts
    assert {drop.reason for drop in book.dropped} == {"running head"}


def test_large_lines_are_chapter_headings(tmp_path: Path) -> None:
    pages = []
    for n in range(1, 4):
        first, *rest = set_pages([prose(n * 10 + m) for m in range(8)], head=False, shift=0)
        pages += [[(150.0, 505.0, 16.0, f"Chapter {n}"), *first], *rest]
    book = read(making.pdf(tmp_path / "b.pdf", pages))
    assert [chapter.title for chapter in book.chapters] == ["Chapter 1", "Chapter 2", "Chapter 3"]
    assert paragraphs_of(book) == [prose(n * 10 + m) for n in range(1, 4) for m in range(8)]


def test_footnotes_stand_aside_with_their_page(tmp_path: Path) -> None:
    pages = set_pages([prose(n) for n in range(20)])
    x, y, size, text = pages[1][5]
    pages[1][5] = (x, y, size, text)
    pages[1].append((pages[1][1][0], 100.0, 7.0, "1"))
    pages[1].append((pages[1][1][0] + 6, 100.0, 7.0, "A note on the ferry."))
    book = read(making.pdf(tmp_path / "b.pdf", pages))
    assert [(note.text, note.place.number) for note in book.notes] == [("A note on the ferry.", 2)]
    assert paragraphs_of(book) == [prose(n) for n in range(20)]


def test_words_cut_at_line_ends_are_joined_by_the_books_own_words(tmp_path: Path) -> None:
    whole = [prose(n) for n in range(12)]
    lines = [
        ("The morning gar-", "den lay in frost and a well-known sailor came by to ask"),
        ("after the well-", "known letter that the winter had brought to this house"),
    ]
    page: list[making.Placed] = []
    y = 480.0
    for first, second in lines:
        page += [(54.0, y, 10.0, first + " " * 0), (40.0, y - 14, 10.0, second)]
        y -= 28
    book = read(making.pdf(tmp_path / "b.pdf", [*set_pages(whole, head=False), page]))
    assert "morning garden lay" in book.text
    assert "after the well-known letter" in book.text


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    pages: list[list[making.Placed]] = []
    texts: list[str] = []
    for n in range(4):
        page: list[making.Placed] = []
        for column, left in enumerate((30.0, 190.0)):
            text = prose(n * 2 + column, 70)
            texts.append(text)
            rows = textwrap.wrap(text, 27, initial_indent="  ")
            page += [(left + (10 if r == 0 else 0), 480 - 12.0 * r, 9.0, row.strip()) for r, row in enumerate(rows)]
        # As some programs write it: row by row across the page.
        pages.append(sorted(page, key=lambda placed: (-placed[1], placed[0])))
    assert paragraphs_of(read(making.pdf(tmp_path / "b.pdf", pages))) == texts


def test_pages_of_pictures_are_refused_and_counted(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="image-only: its 2 pages") as caught:
        read(making.pdf(tmp_path / "a.pdf", [[], []], image=True))
    assert "ocrmypdf" in caught.value.then


def test_a_locked_file_is_refused(tmp_path: Path) -> None:
    pages = set_pages([prose(1)], head=False)
    with pytest.raises(BookError, match="locked with a password"):
        read(making.pdf(tmp_path / "a.pdf", pages, password=b"secret"))
    assert paragraphs_of(read(making.pdf(tmp_path / "b.pdf", pages, password=b""))) == [prose(1)]


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = making.pdf(tmp_path / "a.pdf", set_pages([prose(1)]))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(BookError, match=r"damaged PDF|no text|no page"):
        read(path)


def test_ligature_characters_and_t1_codes_are_repaired() -> None:
    from quire.books.cleaning import Cleaner
    from quire.books.pdf.lines import _repair

    assert _repair("\x10a\x11 \x16 \x1c\x1dat") == "“a” — fiflat"
    assert Cleaner().clean("o\ufb03ce \ufb01nds") == "office finds"


@pytest.mark.parametrize(
    ("name", "share", "notes"),
    [("heart-of-darkness_two-column", 0.999, 0), ("frankenstein_typeset", 0.999, 14)],
)
def test_typeset_books_of_the_data_are_read_word_for_word(
    shared_data: Path, name: str, share: float, notes: int
) -> None:
    book = read(shared_data / "books" / f"{name}.pdf")
    true = (shared_data / "books" / f"{name}.truth.txt").read_text(encoding="utf-8")
    ours = " ".join(" ".join(paragraphs_of(book)).split())
    words = true.split()
    position = found = 0
    for word in words:
        at = ours.find(word, position, position + 400)
        if at >= 0:
            found, position = found + 1, at + len(word)
    assert found >= share * len(words)
    assert abs(len(ours.split()) - len(words)) <= 0.001 * len(words)
    assert len(book.notes) == notes


def spaced(texts: list[str], measure: int = 58) -> list[list[making.Placed]]:
    """Paragraphs without an indent, parted by half a line of space, on as many pages as they need."""
    pages: list[list[making.Placed]] = [[]]
    y = 480.0
    for text in texts:
        rows = text.split("\n") if "\n" in text else textwrap.wrap(text, measure)
        if y - 12 * len(rows) < 40:
            pages.append([])
            y = 480.0
        for row in rows:
            pages[-1].append((40.0, y, 10, row))
            y -= 12.0
        y -= 6.0
    return pages


def test_paragraphs_parted_by_space_alone_are_kept_apart(tmp_path: Path) -> None:
    texts = [prose(n, 37) for n in range(40)]
    assert paragraphs_of(read(making.pdf(tmp_path / "b.pdf", spaced(texts)))) == texts


def test_verse_at_the_margin_keeps_its_lines(tmp_path: Path) -> None:
    stanza = "The ferry is late,\nThe candle is low,\nThe sailor will wait\nUntil it may go."
    texts = [stanza if n % 5 == 4 else prose(n, 45) for n in range(30)]
    book = read(making.pdf(tmp_path / "b.pdf", spaced(texts)))
    found = [block.text for chapter in book.chapters for block in chapter.blocks if block.kind == "verse"]
    assert found == [stanza] * 6
    assert paragraphs_of(book) == texts


def test_a_book_of_poems_is_verse_throughout(tmp_path: Path) -> None:
    poems = [[f"Line {n} {m} of {WORDS[(n + m) % 12]}," for m in range(8)] for n in range(24)]
    pages: list[list[making.Placed]] = []
    for first in range(0, len(poems), 3):
        page: list[making.Placed] = []
        y = 500.0
        for number in range(first, first + 3):
            page.append((40.0, y, 12.0, f"Song of the {WORDS[number % 12]} and the {WORDS[number // 12 + 3]}"))
            page += [(40.0, y - 24 - 12 * row, 10, line) for row, line in enumerate(poems[number])]
            y -= 160
        pages.append(page)
    book = read(making.pdf(tmp_path / "b.pdf", pages))
    assert [block.text.split("\n") for chapter in book.chapters for block in chapter.blocks] == poems
    assert len(book.chapters) == 24


def test_running_heads_larger_than_the_text_go(tmp_path: Path) -> None:
    pages = set_pages([prose(n) for n in range(30)], head=False)
    for number, page in enumerate(pages, start=1):
        page.insert(0, (60.0, 512.0, 12.5, f"{number} The Ferry" if number % 2 == 0 else f"The Ferry {number}"))
    book = read(making.pdf(tmp_path / "b.pdf", pages))
    assert paragraphs_of(book) == [prose(n) for n in range(30)]
    assert len(book.chapters) == 1


def test_a_note_mark_that_is_not_raised_leaves_its_word(tmp_path: Path) -> None:
    texts = [prose(n) for n in range(20)]
    pages = set_pages([text.replace("ferry", "ferry1", 1) if n == 4 else text for n, text in enumerate(texts)])
    page = next(page for page in pages if any("ferry1" in text for *_, text in page))
    page.append((page[1][0], 90.0, 7.5, "1The bridge came later."))
    book = read(making.pdf(tmp_path / "b.pdf", pages))
    assert [note.text for note in book.notes] == ["The bridge came later."]
    assert paragraphs_of(book) == texts


def test_an_initial_over_two_lines_goes_back_to_its_word(tmp_path: Path) -> None:
    (page, *rest) = set_pages([prose(n) for n in range(12)], head=False, shift=0)
    first = [(60.0, 500.0, 10, "he boat was late and nobody on the bank knew why,"), (60.0, 488.0, 10, "or asked.")]
    lowered = [(x, y - 40, size, text) for x, y, size, text in page[:-3]]
    book = read(making.pdf(tmp_path / "b.pdf", [[(40.0, 488.0, 26.0, "T"), *first, *lowered], *rest]))
    assert paragraphs_of(book)[0] == "The boat was late and nobody on the bank knew why, or asked."


def test_a_file_without_its_end_gives_the_pages_that_are_whole(tmp_path: Path) -> None:
    path = making.pdf(tmp_path / "b.pdf", set_pages([prose(n) for n in range(40)]))
    data = path.read_bytes()
    path.write_bytes(data[: data.rfind(b"endobj", 0, int(0.7 * len(data))) + 6])
    book = read(path)
    assert paragraphs_of(book)[:3] == [prose(n) for n in range(3)]
    assert any("cut off" in warning for warning in book.warnings)


def test_a_table_that_points_astray_leads_to_the_pages_all_the_same(tmp_path: Path) -> None:
    content = b"BT /F 12 Tf 40 400 Td (The ferry left at dawn.) Tj ET\n"
    path = making.drawn_pdf(tmp_path / "a.pdf", [content])
    data = path.read_bytes()
    offset = b"%010d" % data.index(b"11 0 obj")
    assert data.count(offset) == 1
    path.write_bytes(data.replace(offset, b"%010d" % (len(data) - 30)))
    book = read(path)
    assert book.text == "The ferry left at dawn."
    assert pdf.CUT_OFF in book.warnings


def test_the_space_between_short_speeches_is_not_taken_for_the_line_step(tmp_path: Path) -> None:
    texts = [prose(n, 30) if n % 4 == 0 else f"So said {WORDS[n % 12]} {n}." for n in range(60)]
    assert paragraphs_of(read(making.pdf(tmp_path / "b.pdf", spaced(texts)))) == texts


def test_slides_and_short_poems_are_no_title_pages(tmp_path: Path) -> None:
    first: list[making.Placed] = [(60, 400, 24, "The Ferry"), (60, 360, 12, "a talk by A. Writer")]
    slides: list[list[making.Placed]] = [
        [(60, 400, 24, f"Of the {word}"), *((60.0, 360.0 - 20 * n, 12.0, f"the {word} has {n} oars") for n in range(5))]
        for word in WORDS
    ]
    book = read(making.pdf(tmp_path / "a.pdf", [first, *slides]))
    assert [drop.text for drop in book.dropped if drop.reason == "title page"] == ["The Ferry", "a talk by A. Writer"]
    assert all(f"the {word} has 4 oars" in book.text for word in WORDS)


def test_half_title_and_title_before_pages_full_of_text_go(tmp_path: Path) -> None:
    half: list[making.Placed] = [(60, 400, 18, "The Ferry")]
    title: list[making.Placed] = [(60, 400, 24, "The Ferry"), (60, 300, 14, "Anna Writer")]
    book = read(making.pdf(tmp_path / "a.pdf", [half, title, *set_pages([prose(n) for n in range(20)])]))
    assert (book.title, book.author) == ("The Ferry", "Anna Writer")
    assert [drop.place.number for drop in book.dropped if drop.reason == "title page"] == [1, 2, 2]


def test_signs_of_life_go_on_after_the_last_page(tmp_path: Path) -> None:
    path = making.pdf(tmp_path / "a.pdf", set_pages([prose(n) for n in range(3)]))
    beats: list[int] = []
    pulse.listen(lambda: beats.append(1))
    try:
        read(path)
    finally:
        pulse.listen(None)
    assert len(beats) >= 5 + len(pypdfium2.PdfDocument(path))
