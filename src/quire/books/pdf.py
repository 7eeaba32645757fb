"""PDF: body text in reading order out of typeset pages; heads, folios and notes aside; pictures of pages refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from quire.books.book import Book, Place
from quire.books.draft import Draft, finish
from quire.books.headings import recognise
from quire.books.hyphens import Hyphens
from quire.books.language import detect_language
from quire.books.limits import PLAIN, ReadOptions
from quire.books.pdf_blocks import Blocks
from quire.books.pdf_furniture import (
    Page,
    body_size,
    drop_furniture,
    drop_lists,
    find_mark,
    line_step,
    note_label,
    take_footnotes,
)
from quire.books.pdf_lines import MARK_CLOSE, MARK_OPEN, Line, columns_of, find_gutter, page_lines
from quire.books.pdf_measure import Column, Measure, find_gap, find_indent, is_book_of_verse, set_margins
from quire.books.pdf_rescue import rescue
from quire.errors import BookError

MOST_PAGES = 10_000
CUT_OFF = "the file is cut off or damaged: only the pages that are whole were read"
# A file that claims pages which it does not have is read no further after so many in a row.
MOST_MISSING = 200
# A page with so few characters and a picture over so much of it is a scan.
SCAN_CHARS = 30
SCAN_COVERAGE = 0.78
_PLACEHOLDER = re.compile(
    r"^(?:microsoft word\s*-.*|untitled.*|document\d*|.*\.(?:docx?|indd|tex|qxd|pdf|rtf|odt))$", re.IGNORECASE
)
_GUTENBERG_TITLE = re.compile(r"^the project gutenberg e-?book\s*(?:#\s*\d+)?\s*(?:of)?\s*:?\s*", re.IGNORECASE)
_LEGAL = re.compile(r"all rights reserved|copyright|©|\bISBN\b|tous droits|dépôt légal", re.IGNORECASE)


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of a PDF.  Raises BookError when it is damaged, locked, made of pictures, or holds no text."""
    draft = Draft(str(path))
    document = _open(path, draft)
    try:
        count = min(len(document), MOST_PAGES)
        _read_metadata(draft, document)
        pages, scanned, failed = _read_pages(document, count)
    finally:
        document.close()
    if not pages:
        raise BookError(f"{path} has no page that can be opened", then="get the file again")
    if scanned and scanned >= 0.9 * len(pages):
        raise BookError(
            f"{path} is image-only: its {scanned} pages are pictures without text",
            then="recognise its text first, with OCRmyPDF for example: ocrmypdf in.pdf out.pdf",
        )
    if scanned:
        draft.warnings.append(f"{scanned} of {count} pages are pictures without text and were left out")
    if failed:
        draft.warnings.append(f"{failed} of {count} pages are damaged and were left out")
    _fill(draft, pages)
    if not draft.title:
        draft.title = path.stem
    cut = f"{path} is cut off or damaged: no page of it is whole" if _is_rescued(draft) else ""
    return [finish(draft, options, cut)]


def _is_rescued(draft: Draft) -> bool:
    """Whether the book was read from what is left of a damaged file."""
    return CUT_OFF in draft.warnings


def _open(path: Path, draft: Draft) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise BookError(
                f"{path} is locked with a password", then="save a copy without a password and read that"
            ) from None
        if rescued := rescue(path.read_bytes()):
            with suppress(pypdfium2.PdfiumError):
                document = pypdfium2.PdfDocument(rescued)
                draft.warnings.append(CUT_OFF)
                return document
        raise BookError(
            f"{path} is a damaged PDF ({error})", then="get the file again, or convert it to .epub"
        ) from None


def _read_metadata(draft: Draft, document: pypdfium2.PdfDocument) -> None:
    facts = document.get_metadata_dict(skip_empty=True)
    title = _GUTENBERG_TITLE.sub("", facts.get("Title", "").strip())
    draft.title = "" if _PLACEHOLDER.match(title) else title.rstrip(".")
    draft.author = facts.get("Author", "").strip()


def _read_pages(document: pypdfium2.PdfDocument, count: int) -> tuple[list[Page], int, int]:
    """The pages with their lines, how many of them are scans, and how many could not be opened."""
    pages: list[Page] = []
    scanned = failed = 0
    row = 0
    for number in range(count):
        try:
            page = document[number]
        except pypdfium2.PdfiumError:
            failed, row = failed + 1, row + 1
            if row >= MOST_MISSING:
                break
            continue
        row = 0
        text_page = page.get_textpage()
        width, height = page.get_size()
        lines = page_lines(text_page.raw, number)
        if sum(len(line.text) for line in lines) < SCAN_CHARS and _covered(page, width * height) >= SCAN_COVERAGE:
            scanned += 1
            lines = []
        pages.append(Page(number, width, height, lines))
        text_page.close()
        page.close()
    return pages, scanned, failed


def _covered(page: Any, area: float) -> float:
    """The share of the page that its largest picture covers."""
    largest = 0.0
    for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4):
        left, bottom, right, top = item.get_bounds()
        largest = max(largest, abs(right - left) * abs(top - bottom))
    return largest / area if area else 0.0


def _fill(draft: Draft, pages: list[Page]) -> None:
    """From lines to the items of the draft."""
    size = body_size(pages)
    step = line_step(pages, size)
    drop_furniture(pages, size, step)
    drop_lists(pages)
    _drop_title_pages(draft, pages, size)
    columns, notes = _columns_and_notes(pages, size, step)
    body = set_margins(columns, size)
    verse = is_book_of_verse(body, size, step)
    if verse:
        body = set_margins(columns, size, 1.0)
    indent = 0.0 if verse else find_indent(body, size)
    for page in pages:
        for reason, line in page.dropped:
            draft.drop(reason, line.plain, _place(draft, line.page))
    hyphens = _hyphens(body)
    noted = frozenset(group[0].page for group in notes)
    gap, spaced = find_gap(body, size, step)
    measure = Measure(size, step, indent, gap, verse or (spaced and not indent), verse)
    found = Blocks(measure, hyphens, noted).run(body)
    for block in found:
        draft.add(block.kind, block.text, _place(draft, block.page), block.level)
    for group in notes:
        text = " ".join(
            Blocks(Measure(size, step, 0, 1.45 * step), hyphens, frozenset())
            .run([_as_column(group)])[0:1][0]
            .text.split()
        )
        draft.add(
            "note", re.sub(r"^(?:\d{1,3}|[*†‡§¶]{1,3}|[⁰¹²³⁴-⁹]{1,3})[.)]?\s*", "", text), _place(draft, group[0].page)
        )


def _place(draft: Draft, page: int) -> Place:
    return Place(draft.path, "page", page + 1)


def _as_column(lines: Sequence[Line]) -> Column:
    """Lines of a note set as one paragraph: nothing in it begins another."""
    width = max(line.right for line in lines)
    flat = [
        Line(line.text.replace(MARK_OPEN, "").replace(MARK_CLOSE, " "), 0, width, -float(i), 1, line.page, line.hyphen)
        for i, line in enumerate(lines)
    ]
    return Column(tuple(flat), 0, width, 1e9)


def _columns_and_notes(
    pages: Sequence[Page], size: float, step: float
) -> tuple[list[tuple[list[Line], int, float]], list[list[Line]]]:
    """The body's columns in reading order, and the footnotes, a list of lines each."""
    gutters = [find_gutter(page.lines, page.width) for page in pages]
    two = sum(gutter is not None for gutter in gutters) >= 0.3 * max(1, sum(len(page.lines) > 8 for page in pages))
    if two:
        usual = sorted(gutter for gutter in gutters if gutter is not None)
        middle = usual[len(usual) // 2]
        gutters = [
            middle if gutter is None and _parts(page, middle) else gutter
            for page, gutter in zip(pages, gutters, strict=True)
        ]
    columns: list[tuple[list[Line], int, float]] = []
    notes: list[list[Line]] = []
    open_note = False
    for page, gutter in zip(pages, gutters, strict=True):
        before, known = len(columns), len(notes)
        for column in columns_of(page.lines, gutter if two else None):
            body, found, goes_on = take_footnotes(column, size, step, open_note)
            if found and open_note and notes and not _opens_note(found[0][0]):
                notes[-1].extend(found.pop(0))
            notes.extend(found)
            open_note = goes_on
            if body:
                place = 0 if gutter is None or not two else 1 + (body[0].left >= gutter - 3)
                columns.append((body, place, page.height))
        for group in notes[known:]:
            _mark(columns[before:], note_label(group[0].text))
    return columns, notes


def _mark(columns: Sequence[tuple[list[Line], int, float]], label: str) -> None:
    """Put the mark of a note between signs, at the first word of the page's columns that bears it."""
    for lines, _, _ in columns if label else ():
        for index, line in enumerate(lines):
            if span := find_mark(line.text, label):
                start, stop = span
                if line.text[start] != MARK_OPEN:
                    text = f"{line.text[:start]}{MARK_OPEN}{label}{MARK_CLOSE}{line.text[stop:]}"
                    lines[index] = replace(line, text=text)
                return


def _parts(page: Page, gutter: float) -> bool:
    """Whether the gutter of other pages parts most lines of this one too."""
    crossing = sum(line.left < gutter - 3 and line.right > gutter + 3 for line in page.lines)
    return bool(page.lines) and crossing <= 0.4 * len(page.lines)


def _opens_note(line: Line) -> bool:
    return bool(re.match(rf"{MARK_OPEN}|\d{{1,3}}[.)]?\s*\S|[*†‡§¶]", line.text))


def _drop_title_pages(draft: Draft, pages: Sequence[Page], size: float) -> None:
    """Pages before the text that hold title, author, printer or rights in a few large or legal lines."""
    for page in pages[:12]:
        words = sum(len(line.plain.split()) for line in page.lines)
        if words >= 90:
            if _LEGAL.search(" ".join(line.plain for line in page.lines)) and words < 250:
                _take_all(page, "copyright page")
                continue
            break
        if not page.lines:
            continue
        text = " ".join(line.plain for line in page.lines)
        headed = any(recognise(line.plain) for line in page.lines)
        largest = max(page.lines, key=lambda line: line.size)
        if not headed and (largest.size >= 1.25 * size or _LEGAL.search(text) or _says_title(draft, text)):
            if not draft.title:
                same = [line.plain.strip() for line in page.lines if abs(line.size - largest.size) < 0.5]
                draft.title = " ".join(same)
            _take_all(page, "copyright page" if _LEGAL.search(text) else "title page")


def _says_title(draft: Draft, text: str) -> bool:
    plain = "".join(char for char in text.lower() if char.isalnum())
    title = "".join(char for char in draft.title.lower() if char.isalnum())
    return bool(title) and title in plain


def _take_all(page: Page, reason: str) -> None:
    for line in list(page.lines):
        page.take(reason, line)


def _hyphens(columns: Sequence[Column]) -> Hyphens:
    """What the book's own words say about hyphens: the words at cut line ends are not among them."""
    texts: list[str] = []
    cuts: list[tuple[str, str, bool]] = []
    cut = False
    above: Line | None = None
    for column in columns:
        for line in column.lines:
            words = line.plain.split(" ")
            if cut:
                words = words[1:]
                if above is not None and above.hyphen:
                    cuts.append((above.plain, line.plain, above.own))
            above = line
            cut = line.hyphen or line.plain.rstrip().endswith(("-", "‐"))
            texts.append(" ".join(words[:-1] if cut else words))
    sample = " ".join(texts[: max(400, len(texts) // 10)])
    hyphens = Hyphens(texts, detect_language(sample))
    hyphens.learn(cuts, sum(len(column.lines) for column in columns))
    return hyphens
