"""Lists that name pages: the contents before a text or behind it, and the index at its end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from quire.books import pulse
from quire.books.pdf.furniture import Page
from quire.books.pdf.lines import Line

# Of an entry of a list its end tells; the patterns are for lines that people have set.
LONGEST_ENTRY = 300
_LEADER = re.compile(r"(?:[.·]\s*){4,}\s*(?:\d{1,4}|[ivxl]+)?\s*$|(?:\.\s?){5,}|…{2,}\s*\d{1,4}\s*$")
_ENTRY = re.compile(r"\S.*?[\s.·…](\d{1,4}|[ivxl]+)$")
_WORD = re.compile(r"[^\W\d_]{2}")
_CONTENTS = re.compile(
    r"(?:table of )?contents|table des|inhalt|índice|indice|sommaire|inhoud|table\.?$", re.IGNORECASE
)
_LONGEST_LABEL = 40
# Above the heading of a list stand at most a few lines: the work's name, a part of a running head.
_HEAD_ROWS = 6
_INDEX = re.compile(
    r"(?:general |alphabetical )?index(?: (?:of|to|des|alphab).*)?|(?:sach|personen)?register", re.IGNORECASE
)
_PAGES = r"\d{1,3}[a-z]?(?: ?[–-] ?\d{1,3}[a-z]?)?"
_INDEX_ENTRY = re.compile(rf"(?<!\d),\s*{_PAGES}(?:,\s*{_PAGES})*[.,]?$|(?<=\d),?\s*(?:et seqq?|n)\.?[,;.]?$")


@dataclass(frozen=True, slots=True)
class _Listed:
    """The rows of a page that are a list, the last page number it names, and whether it has a heading or goes on."""

    start: int
    stop: int
    last: int


def drop_lists(pages: Sequence[Page]) -> None:
    """The entries of a list of contents go, and what stands between them; so does an index."""
    found: list[tuple[Page, list[list[Line]], _Listed]] = []
    goes_on, indexed = 0, False
    for place, page in enumerate(pages):
        pulse.beat()
        indexed = page.number > 0.8 * len(pages) and _is_index(page, indexed)
        if indexed:
            _take(page, "index", list(page.lines))
            goes_on = 0
            continue
        early = page.number < 0.15 * len(pages) + 5 or page.number > 0.9 * len(pages)
        rows = _rows(page) if early else []
        listed = _find_contents([_text(row) for row in rows], goes_on, 10 * len(pages) + 100)
        if listed is None:
            goes_on = 0
            continue
        if goes_on and found and listed.start == 0 and found[-1][0] is pages[place - 1]:
            # What stands under the last number of a page is the beginning of an entry.
            before, above, last = found[-1]
            found[-1] = before, above, _Listed(last.start, len(above), last.last)
        found.append((page, rows, listed))
        goes_on = listed.last
    for page, rows, listed in found:
        _take(page, "contents", [line for row in rows[listed.start : listed.stop] for line in row])


def _take(page: Page, reason: str, lines: Sequence[Line]) -> None:
    for line in lines:
        page.take(reason, line)


def _is_index(page: Page, goes_on: bool) -> bool:
    """Whether most lines end in page numbers, under a heading that says so or in the order of the alphabet.

    In two columns each line tells; the sub-entries of a long index have an order of their own.
    """
    texts = [line.plain.strip()[-LONGEST_ENTRY:] for line in page.lines]
    entries = [text for text in texts if _INDEX_ENTRY.search(text) and _WORD.search(text)]
    if len(texts) < 4 or len(entries) < 0.45 * len(texts):
        return False
    if goes_on or any(_INDEX.fullmatch(text) for text in texts[:_HEAD_ROWS]):
        return True
    opened = [text[0].lower() for text in entries if text[0].isalpha()]
    rises = sum(above <= below for above, below in zip(opened, opened[1:], strict=False))
    return rises >= 0.6 * (len(opened) - 1) and len(opened) >= 0.4 * len(entries)


def _rows(page: Page) -> list[list[Line]]:
    """The lines of a page row by row: a number far right of its entry belongs to it."""
    rows: list[list[Line]] = []
    for line in sorted(page.lines, key=lambda one: (-one.y, one.left)):
        if rows and abs(rows[-1][0].y - line.y) < 0.3 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


def _text(row: Sequence[Line]) -> str:
    return " ".join(line.plain.strip() for line in sorted(row, key=lambda one: one.left))


def _find_contents(rows: Sequence[str], goes_on: int, most: int) -> _Listed | None:
    """The part of a page that is a list of chapters, from its heading or first entry to the last entry.

    A heading says so, or the page before has such a list (`goes_on` is its last number), or leaders lead to the
    numbers.  The numbers rise and are none beyond `most`: those of a table do neither.
    """
    label = next((i for i, row in enumerate(rows[:_HEAD_ROWS]) if _is_label(row)), None)
    named = label is not None or goes_on > 0
    # Under a heading the numbers may have been cut off.
    pages = ((i, entry_page(row) or (-1 if named and _led(row) else 0)) for i, row in enumerate(rows))
    entries = [(i, number) for i, number in pages if number and i > (-1 if label is None else label)]
    if len(entries) < (2 if named else 4):
        return None
    first = entries[0][0]
    # Above the first entry stand the name of a part, the beginning of a long entry, a heading in other words.
    follows = (
        first <= 0.4 * len(rows) if goes_on else first <= 2 and all(len(row) <= _LONGEST_LABEL for row in rows[:first])
    )
    start = label if label is not None else 0 if follows else first
    stop = entries[-1][0] + 1
    length = stop - start
    leaders = sum(_led(row) for row in rows[start:stop])
    numbers = [number for _, number in entries if number > 0]
    pairs = list(zip([goes_on, *numbers] if goes_on else numbers, numbers if goes_on else numbers[1:], strict=False))
    rises = sum(above <= below for above, below in pairs) >= 0.8 * len(pairs)
    if not rises or max(numbers, default=0) > most or (len(numbers) >= 4 and len(set(numbers)) < 2):
        return None
    led = leaders >= 0.4 * length
    if not led and not (named and len(entries) >= 0.4 * length - 1):
        return None
    return _Listed(start, stop, max(1, goes_on, *numbers))


def _led(row: str) -> bool:
    return bool(_LEADER.search(row[-LONGEST_ENTRY:]))


def _is_label(row: str) -> bool:
    return len(row) <= _LONGEST_LABEL and bool(_CONTENTS.match(row))


def entry_page(row: str) -> int:
    """The page number with which an entry of a list ends; 0 where it has none, -1 where it tells no order."""
    text = row[-LONGEST_ENTRY:]
    match = _ENTRY.fullmatch(text)
    if match is None or not _WORD.search(text[: match.start(1)]):
        return 0
    return int(match[1]) or -1 if match[1].isdigit() else -1
