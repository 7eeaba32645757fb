"""PDF: body text in reading order out of typeset pages; heads, folios and notes aside; pictures of pages refused."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pypdfium2

from quire.books import pulse
from quire.books.book import Book, Place
from quire.books.draft import Draft
from quire.books.finishing.finish import finish
from quire.books.hyphens import Hyphens
from quire.books.language import detect_language
from quire.books.limits import MIB, PLAIN, ReadOptions
from quire.books.pdf.blocks import Blocks
from quire.books.pdf.cmaps import mend_tables
from quire.books.pdf.found import Found, without_scraps
from quire.books.pdf.front import drop_title_pages, read_header
from quire.books.pdf.furniture import (
    Page,
    body_size,
    drop_furniture,
    line_step,
    put_back,
)
from quire.books.pdf.layers import hidden_layers
from quire.books.pdf.lines import Line
from quire.books.pdf.lists import drop_lists
from quire.books.pdf.measure import Column, Measure, find_gap, find_indent, is_book_of_verse, set_margins
from quire.books.pdf.notes import columns_and_notes, note_text
from quire.books.pdf.outline import Bookmark, apply_bookmarks, read_bookmarks, read_title
from quire.books.pdf.pages import Reading, read_pages, report
from quire.books.pdf.rescue import rescue
from quire.errors import BookError

CUT_OFF = "the file is cut off or damaged: only the pages that are whole were read"
MOST_BYTES = 256 * MIB


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of a PDF.  Raises BookError when it is damaged, locked, made of pictures, or holds no text."""
    draft = Draft(str(path))
    reading, bookmarks = _read_document(path, draft)
    report(draft, reading, options.ocr)
    _fill(draft, reading.pages, bookmarks)
    if not draft.title:
        draft.title = path.stem
    if CUT_OFF not in draft.warnings:
        written = sum(bool(text.strip()) for _, text, _ in reading.notes)
        only = f"{path} holds no text but {written} comments and form fields" if written else ""
        return [finish(draft, options, only)]
    try:
        return [finish(draft, options, f"{path} is cut off or damaged: no page of it is whole")]
    except BookError as error:
        raise BookError(error.what, then="get the file again", code="damaged") from None


def _read_document(path: Path, draft: Draft) -> tuple[Reading, list[Bookmark]]:
    """The pages of a file and its outline; of a file whose pages do not open, or are all blank, what can be rescued: a
    table that points astray leads to nothing."""
    document = _open(path, draft)
    try:
        reading = read_pages(document, lambda: hidden_layers(_bytes(path)))
        if reading.doubtful and (mended := mend_tables(_bytes(path))):
            document.close()
            document = pypdfium2.PdfDocument(mended)
            reading = read_pages(document, lambda: hidden_layers(mended))
        if reading.blank and CUT_OFF not in draft.warnings and (again := _open_rescued(path)):
            found = read_pages(again)
            if found.blank and reading.pages:
                again.close()
            else:
                document.close()
                document, reading = again, found
                draft.warnings.append(CUT_OFF)
        draft.title, draft.author = read_title(document, path.stem)
        if names := _attached(document):
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            draft.warnings.append(f"attached files were not read: {', '.join(names[:5])}{more}")
        return reading, read_bookmarks(document)
    finally:
        document.close()


def _open(path: Path, draft: Draft) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        reason = str(error).lower()
        if "password" in reason or "security" in reason:
            raise BookError(
                f"{path} is locked with a password" if "password" in reason else f"{path} is locked",
                then="save a copy without a password and read that",
                code="protected",
            ) from None
        if document := _open_rescued(path):
            draft.warnings.append(CUT_OFF)
            return document
        raise BookError(
            f"{path} is a damaged PDF ({error})", then="get the file again, or convert it to .epub", code="damaged"
        ) from None


def _bytes(path: Path) -> bytes:
    """A file as a whole, for a look into it; nothing of one that is too large to be held twice."""
    return path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""


def _open_rescued(path: Path) -> pypdfium2.PdfDocument | None:
    """The document that is left in a damaged file, if any."""
    if rescued := rescue(_bytes(path)):
        with suppress(pypdfium2.PdfiumError):
            return pypdfium2.PdfDocument(rescued)
    return None


def _attached(document: pypdfium2.PdfDocument) -> list[str]:
    """The names of files that travel inside the document: a portfolio is nothing but such files."""
    names: list[str] = []
    for index in range(min(document.count_attachments(), 100)):
        with suppress(pypdfium2.PdfiumError):
            names.append("".join(char for char in document.get_attachment(index).get_name() if char.isprintable()))
    return names


def _fill(draft: Draft, pages: list[Page], bookmarks: Sequence[Bookmark]) -> None:
    """From lines to the items of the draft."""
    size = body_size(pages)
    step = line_step(pages, size)
    whole = [list(page.lines) for page in pages]
    read_header(draft, pages)
    said = draft.title, draft.author
    pulse.beat()
    drop_furniture(pages, size, step, [gone.text for gone in draft.dropped if gone.reason == "running head"])
    pulse.beat()
    drop_lists(pages)
    drop_title_pages(draft, pages, size)
    if not any(page.lines for page in pages):
        # A leaflet of one large page: what looks like heads and titles is all there is.
        for page, lines in zip(pages, whole, strict=True):
            page.lines, page.dropped = lines, []
        draft.title, draft.author = said
    if wrong := put_back(pages, whole):
        kinds = ", ".join(wrong)
        draft.warnings.append(f"what looked like {kinds} is much of the text, and was left in it")
        if "title page" in wrong:
            draft.title, draft.author = said
    pulse.beat()
    columns, notes = columns_and_notes(pages, size, step)
    pulse.beat()
    body = set_margins(columns, size)
    verse = is_book_of_verse(body, size, step)
    if verse:
        body = set_margins(columns, size, 1.0)
    indent = 0.0 if verse else find_indent(body, size)
    for page in pages:
        for reason, line in page.dropped:
            draft.drop(reason, line.plain, _place(draft, line.page))
    pulse.beat()
    hyphens = _hyphens(body)
    # A note may stand overleaf of its mark.
    noted = frozenset(page for group in notes for page in (group[0].page, group[0].page - 1))
    gap, spaced = find_gap(body, size, step)
    measure = Measure(size, step, indent, gap, verse or (spaced and not indent), verse)
    pulse.beat()
    blocks = without_scraps(Blocks(measure, hyphens, noted).run(body))
    pulse.beat()
    found = _with_text(apply_bookmarks(blocks, bookmarks))
    for block in found:
        draft.add(block.kind, block.text, _place(draft, block.page), block.level)
    for group in notes:
        draft.add("note", note_text(group, size, step, hyphens), _place(draft, group[0].page))


def _with_text(found: list[Found]) -> list[Found]:
    """Blocks of which some are text: where all are headings, none is."""
    if any(block.kind in ("paragraph", "verse") for block in found):
        return found
    return [replace(block, kind="paragraph") if block.kind == "heading" else block for block in found]


def _place(draft: Draft, page: int) -> Place:
    return Place(draft.path, "page", page + 1)


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
