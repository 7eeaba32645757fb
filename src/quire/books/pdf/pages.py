"""The pages of a PDF one after the other: their lines, and which of them hold no text that can be read, and why."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from quire.books import pulse
from quire.books.book import Place
from quire.books.draft import Draft
from quire.books.pdf.furniture import Page
from quire.books.pdf.lines import Line, page_lines, page_text
from quire.books.pdf.nameless import read_fonts, unnamed
from quire.books.pdf.shown import SCAN_COVERAGE, Hiding, Sight
from quire.books.pdf.words import PICTURE, UNREADABLE, are, name_pages
from quire.errors import BookError

MOST_PAGES = 10_000
# A file that claims pages which it does not have is read no further after so many in a row.
MOST_MISSING = 200
# A page with so few characters and a picture over so much of it is a scan.
SCAN_CHARS = 30
# Letters drawn as shapes: a page of text has hundreds of them, an ornament or a rule has few.
DRAWN_SHAPES = 150
# A page with so many pieces of text should give some characters for them.
LOST_TEXTS = 40

_SPACE = re.compile(r"\s+")
_HALF = re.compile("[\ud800-\udfff]")


@dataclass
class Reading:
    """The pages that could be opened, and the numbers (from 0) of those that gave no text of their own."""

    pages: list[Page] = field(default_factory=list)
    claimed: int = 0
    pictures: list[int] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    recognised: list[int] = field(default_factory=list)
    guessed: list[int] = field(default_factory=list)
    partly: list[int] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    illustrated: int = 0
    hidden: list[tuple[Hiding, str, int]] = field(default_factory=list)
    notes: list[tuple[str, str, int]] = field(default_factory=list)
    ended: bool = False
    # Of some characters of every page: how many have no name in their font.
    missing: int = 0
    asked: int = 0

    @property
    def blank(self) -> bool:
        """Whether no page has anything on it."""
        return not (self.pictures or self.unreadable or self.illustrated or self.hidden or self.notes) and not any(
            page.lines for page in self.pages
        )

    @property
    def doubtful(self) -> bool:
        """Whether so many characters have no name that the fonts' own tables may be at fault."""
        return self.missing > 0.01 * self.asked


def read_pages(document: pypdfium2.PdfDocument, layers: Callable[[], frozenset[str]] = frozenset) -> Reading:
    """Every page of a document, one open at a time; `layers` gives the names of the layers that are off."""
    reading = Reading(claimed=len(document))
    sight = Sight(bool(pdfium.FPDFCatalog_IsTagged(document.raw)), layers)
    missing = 0
    for number in range(min(reading.claimed, MOST_PAGES)):
        pulse.beat()
        try:
            page = document[number]
        except pypdfium2.PdfiumError:
            reading.damaged.append(number)
            missing += 1
            if missing >= MOST_MISSING:
                reading.ended = True
                break
            continue
        missing = 0
        try:
            _read_page(reading, sight, page, number)
        finally:
            page.close()
    if reading.ended:
        del reading.damaged[-missing:]
    return reading


def _read_page(reading: Reading, sight: Sight, page: Any, number: int) -> None:
    shown = sight.prepare(page)
    text_page = pdfium.FPDFText_LoadPage(page.raw)
    if not text_page:
        reading.damaged.append(number)
        return
    try:
        text = page_text(text_page)
        read = _read_names(reading, text, text_page, number)
        lines = [] if read is None else [_sound(line) for line in page_lines(text_page, number, read)]
    finally:
        pdfium.FPDFText_ClosePage(text_page)
    reading.hidden += [(reason, words, number) for reason, words in shown.hidden]
    _read_annotations(reading, page.raw, number)
    solid = len(_SPACE.sub("", text))
    # PDFium leaves out what it has no name for at all: far more pieces of text are drawn than there are characters.
    if read is None or (shown.texts >= LOST_TEXTS and solid < 0.3 * shown.texts):
        reading.unreadable.append(number)
        reading.hidden += [("text that cannot be read", line.text, number) for line in lines]
        lines = []
    few = number not in reading.unreadable[-1:] and solid < SCAN_CHARS
    if few and (shown.coverage >= SCAN_COVERAGE or (shown.shapes >= DRAWN_SHAPES and not lines)):
        reading.pictures.append(number)
        reading.hidden += [("hidden text", line.text, number) for line in lines]
        lines = []
    elif shown.recognised and lines:
        reading.recognised.append(number)
    elif not lines and shown.coverage >= 0.2:
        reading.illustrated += 1
    reading.pages.append(Page(number, shown.width, shown.height, lines))


def _read_names(reading: Reading, text: str, text_page: Any, number: int) -> str | None:
    """The text of a page with the characters that its fonts mean; None where they do not say."""
    missing, asked = unnamed(text, text_page)
    reading.missing += missing
    reading.asked += asked
    named = read_fonts(text, text_page, missing / max(1, asked))
    if named is None:
        return None
    if named.guessed:
        reading.guessed.append(number)
    if named.partly:
        reading.partly.append(number)
    return named.text


def _sound(line: Line) -> Line:
    """A line with a size and an extent that lengths can be compared with, and whole characters.

    PDFium gives the halves of characters beyond the first plane one by one; fonts may be set at sizes of 0 or less.
    """
    if line.size > 0.01 and line.left <= line.right and not _HALF.search(line.text):
        return line
    text = line.text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    size = abs(line.size) if abs(line.size) > 0.01 else 1.0
    return replace(line, text=text, size=size, left=min(line.left, line.right), right=max(line.left, line.right))


def _read_annotations(reading: Reading, page: Any, number: int) -> None:
    """What was written on a page after it was set: comments, and the fields of forms."""
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), 1000)):
        note = pdfium.FPDFPage_GetAnnot(page, index)
        if not note:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(note)
        if kind == pdfium.FPDF_ANNOT_WIDGET:
            reading.notes.append(("form field", _annotation_text(note, b"V"), number))
        elif kind not in (pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP):
            reading.notes.append(("comment on the page", _annotation_text(note, b"Contents"), number))
        pdfium.FPDFPage_CloseAnnot(note)


def _annotation_text(note: Any, key: bytes) -> str:
    size = pdfium.FPDFAnnot_GetStringValue(note, key, None, 0)
    if not 2 < size <= 200_000:
        return ""
    buffer = (pdfium.FPDF_WCHAR * (size // 2 + 1))()
    pdfium.FPDFAnnot_GetStringValue(note, key, buffer, size)
    return printable(bytes(buffer)[: size - 2].decode("utf-16-le", "replace"))


def printable(text: str) -> str:
    """Text without characters that a terminal would obey."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def report(draft: Draft, reading: Reading, ocr: bool) -> None:
    """Say what of the pages was not read; what was taken out goes to `dropped` with its page.

    Raises BookError when (nearly) all of them are pictures, or text that cannot be read.  With `ocr` nobody need be
    told that recognition can be had.
    """
    _refuse(draft, reading, ocr)
    count = len(reading.pages) + len(reading.damaged)
    hint = "" if ocr else "; --ocr has them recognised"
    for numbers, reason, why in (
        (reading.pictures, PICTURE, "pictures without text"),
        (reading.unreadable, UNREADABLE, "text that cannot be read (its font names no characters)"),
    ):
        if numbers:
            which = f"{name_pages(numbers)} ({len(numbers)} of {count})"
            draft.warnings.append(f"{which} {are(numbers)} {why}, left out{hint}")
            for number in numbers:
                draft.drop(reason, f"page {number + 1}: {reason}", _place(draft, number))
    if reading.recognised:
        draft.warnings.append(
            f"{name_pages(reading.recognised)} ({len(reading.recognised)} of {count}): the text was recognised by a "
            "machine in pictures of the pages; look for its mistakes"
        )
    if reading.guessed:
        draft.warnings.append(
            f"{name_pages(reading.guessed)} ({len(reading.guessed)} of {count}): the font names no characters; the "
            "text was read by the usual order of a font's letters; look whether it is right"
        )
    if reading.partly:
        draft.warnings.append(
            f"on {name_pages(reading.partly)} ({len(reading.partly)} of {count}) some of the text is in fonts that "
            "name no characters, and was left out"
        )
    if reading.damaged:
        draft.warnings.append(
            f"{name_pages(reading.damaged)} ({len(reading.damaged)} of {count}) {are(reading.damaged)} damaged "
            "and were left out"
        )
    if reading.ended:
        draft.warnings.append(f"the file claims {reading.claimed:,} pages, but only {count} could be found")
    elif reading.claimed > MOST_PAGES:
        draft.warnings.append(f"only the first {MOST_PAGES:,} of {reading.claimed:,} pages were read")
    _report_hidden(draft, reading)


def _report_hidden(draft: Draft, reading: Reading) -> None:
    for reason, text, number in reading.hidden:
        draft.drop(reason, printable(text), _place(draft, number))
    for kind, text, number in reading.notes:
        draft.drop(kind, text, _place(draft, number))
    unseen = sorted({number for reason, text, number in reading.hidden if reason == "hidden text" and text.strip()})
    if unseen:
        draft.warnings.append(f"text that no reader of {name_pages(unseen)} sees was left out")
    said = [number for kind, text, number in reading.notes if kind == "comment on the page" and text]
    if said:
        draft.warnings.append(f"comments on {name_pages(sorted(set(said)))} were left out ({len(said)})")


def _refuse(draft: Draft, reading: Reading, ocr: bool) -> None:
    count = len(reading.pages)
    empty = not any(page.lines for page in reading.pages)
    if not count:
        raise BookError(f"{draft.path} has no page that can be opened", then="get the file again", code="damaged")
    then = (
        "look at its pages: a better scan may help"
        if ocr
        else "recognise its text with --ocr, or first, with OCRmyPDF for example: ocrmypdf --force-ocr in.pdf out.pdf"
    )
    if reading.unreadable and (empty or len(reading.unreadable) >= 0.9 * count):
        raise BookError(
            f"{draft.path} holds text that cannot be read: its fonts name no characters "
            f"({len(reading.unreadable)} of {count} pages)",
            then=then,
            code="image-only",
        )
    pictures = len(reading.pictures) + (reading.illustrated if empty else 0)
    if pictures and (empty or pictures >= 0.9 * count):
        raise BookError(
            f"{draft.path} is image-only: its {pictures} pages are pictures without text", then=then, code="image-only"
        )


def _place(draft: Draft, number: int) -> Place:
    return Place(draft.path, "page", number + 1)
