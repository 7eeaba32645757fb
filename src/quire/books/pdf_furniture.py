"""Running heads, folios, contents pages and footnotes of a PDF: found by comparing pages, taken out of the body."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from quire.books.pdf_lines import MARK_CLOSE, MARK_OPEN, Line

_DIGITS = re.compile(r"\d+")
_FOLIO = re.compile(r"^[\[(–—-]?\s*(\d{1,4})\b|\b(\d{1,4})\s*[\])–—-]?$")
_ROMAN_FOLIO = re.compile(r"^[\[(–—-]?\s*([ivxlc]{1,8})\s*[\])–—-]?$|^([ivxlc]{1,8})\s{1,}\S|\S\s+([ivxlc]{1,8})$")
_LEADER = re.compile(r"(?:\.\s?){4,}\s*\d{1,4}\s*$|(?:\.\s?){5,}|…{2,}\s*\d{1,4}\s*$")
_ENTRY = re.compile(r"\S.*?\s\.?\s*(?:\d{1,4}|[ivxl]+)$")
_INDEX_ENTRY = re.compile(
    r",\s*\d{1,3}(?:[–-]\d{1,3})?(?:,\s*\d{1,3}(?:[–-]\d{1,3})?)*\.?$|,\s*(?:et seqq?|n)\.?[,;.]?$"
)
_NOTE_START = re.compile(rf"^{MARK_OPEN}[^{MARK_CLOSE}]+{MARK_CLOSE}|^(?:\d{{1,3}}|[*†‡§¶]{{1,3}})[.)]?\s*[^\s\d]")


@dataclass
class Page:
    """A page while its lines are sorted out."""

    number: int
    width: float
    height: float
    lines: list[Line]
    dropped: list[tuple[str, Line]] = field(default_factory=list)

    def take(self, reason: str, line: Line) -> None:
        self.lines.remove(line)
        self.dropped.append((reason, line))


def body_size(pages: Sequence[Page]) -> float:
    """The size in which most characters are set, in points."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[round(line.size * 4) / 4] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def line_step(pages: Sequence[Page], size: float) -> float:
    """The usual distance between two baselines of the body, in points."""
    steps: Counter[float] = Counter()
    for page in pages:
        body = sorted((line for line in page.lines if abs(line.size - size) < 0.15 * size), key=lambda line: -line.y)
        for above, below in zip(body, body[1:], strict=False):
            step = above.y - below.y
            if 0.8 * size < step < 2.6 * size:
                steps[round(step * 4) / 4] += 1
    return steps.most_common(1)[0][0] if steps else 1.25 * size


def drop_furniture(pages: Sequence[Page], step: float) -> None:
    """Take running heads, running feet and folios off all pages: at most two lines at either edge."""
    for top in (True, False):
        for _ in range(2):
            edges = {page.number: _edge(page, top) for page in pages if page.lines}
            judged = {number: line for number, line in edges.items() if line is not None}
            for page in pages:
                line = judged.get(page.number)
                if line is not None and _is_furniture(page, line, judged, pages, top, step):
                    reason = "folio" if _DIGITS.sub("", line.plain).strip(" -–—[]()") == "" else "running head"
                    for beside in [other for other in page.lines if abs(other.y - line.y) < 0.3 * line.size]:
                        page.take(reason if beside is line else "running head", beside)


def _edge(page: Page, top: bool) -> Line | None:
    """The outermost line of a page: of those on one height the longest."""
    extreme = max(line.y for line in page.lines) if top else min(line.y for line in page.lines)
    beside = [line for line in page.lines if abs(line.y - extreme) < 0.3 * line.size]
    return max(beside, key=lambda line: len(line.text))


def _mask(line: Line) -> str:
    return _DIGITS.sub("#", line.plain.lower()).strip()


def _is_furniture(
    page: Page, line: Line, edges: dict[int, Line], pages: Sequence[Page], top: bool, step: float
) -> bool:
    """By four signs: the page's number, the same words on other pages, a place that only furniture has, a gap."""
    text = line.plain.strip()
    if len(text) > 120:
        return False
    gap = _gap(page, line, top)
    apart = gap > 1.15 * step or len(page.lines) == 1
    offset = _folio_offset(edges, pages)
    if offset is not None and _has_folio(text, page.number + offset) and (apart or len(text) < 60):
        return True
    if re.fullmatch(r"[\[(–—-]?\s*(?:\d{1,4}|[ivxlc]{1,8})\s*[\])–—-]?", text) and apart and len(page.lines) > 1:
        return _in_zone(line, edges) >= 2
    same = sum(
        _mask(other) == _mask(line) and abs(other.y - line.y) < 3 for n, other in edges.items() if n != page.number
    )
    if same >= 2 and (apart or same >= 4):
        return True
    if same >= 1 and apart and _has_number(text):
        return True
    # Heads that name the chapter stand where other pages have heads, beyond the first line of text.
    zone = [other for number, other in edges.items() if number != page.number and abs(other.y - line.y) < 1.5]
    masks = Counter(_mask(other) for other in zone)
    repeated = sum(count for count in masks.values() if count >= 2)
    return (
        apart
        and len(zone) >= max(3, 0.08 * len(edges))
        and repeated >= 0.5 * len(zone)
        and _small(line, page, gap, step)
    )


def _small(line: Line, page: Page, gap: float, step: float) -> bool:
    """Heads are no larger than the text, and no sentence that begins a page."""
    sizes = [other.size for other in page.lines if other is not line]
    return not sizes or line.size <= 1.15 * sorted(sizes)[len(sizes) // 2] and gap > 1.3 * step


def _in_zone(line: Line, edges: dict[int, Line]) -> int:
    return sum(abs(other.y - line.y) < 2 and _has_number(other.plain) for other in edges.values()) - 1


def _gap(page: Page, line: Line, top: bool) -> float:
    """Points between a line at the edge and the nearest line inwards."""
    others = [abs(other.y - line.y) for other in page.lines if abs(other.y - line.y) >= 0.3 * line.size]
    return min(others, default=1e9)


def _has_number(text: str) -> bool:
    return bool(_FOLIO.search(text) or _ROMAN_FOLIO.search(text))


def _has_folio(text: str, number: int) -> bool:
    return any(int(match[1] or match[2]) == number for match in _FOLIO.finditer(text))


def _folio_offset(edges: dict[int, Line], pages: Sequence[Page]) -> int | None:
    """What is to be added to a page's place in the file to get its printed number, if many pages agree on it."""
    offsets: Counter[int] = Counter()
    for number, line in edges.items():
        for match in _FOLIO.finditer(line.plain.strip()):
            offsets[int(match[1] or match[2]) - number] += 1
    if not offsets:
        return None
    offset, count = offsets.most_common(1)[0]
    return offset if count >= max(3, 0.05 * len(pages)) or (count >= 2 and len(pages) <= 6) else None


def drop_lists(pages: Sequence[Page]) -> None:
    """Pages of contents (lines that end with dots and a number) and of an index go as a whole."""
    for page in pages:
        lines = page.lines
        if len(lines) < 4:
            continue
        leaders = sum(bool(_LEADER.search(line.plain)) for line in lines)
        entries = sum(bool(_ENTRY.fullmatch(line.plain.strip())) for line in lines)
        first = min(range(len(lines)), key=lambda index: -lines[index].y)
        named = bool(
            re.match(
                r"(?:table of )?contents|table des|inhalt|índice|indice|sommaire", lines[first].plain.strip(), re.I
            )
        )
        early = page.number < 0.15 * len(pages) + 5 or page.number > 0.9 * len(pages)
        index = sum(bool(_INDEX_ENTRY.search(line.plain.strip())) for line in lines)
        if leaders >= 0.4 * len(lines) or (named and early and entries + leaders >= 0.4 * len(lines)):
            reason = "contents"
        elif page.number > 0.8 * len(pages) and index >= 0.45 * len(lines):
            reason = "index"
        else:
            continue
        for line in list(lines):
            page.take(reason, line)


def take_footnotes(
    column: list[Line], size: float, step: float, open_note: bool
) -> tuple[list[Line], list[list[Line]], bool]:
    """The body of a column, its footnotes (each a list of lines), and whether the last note may go on overleaf.

    Notes are the lines at the foot in smaller type, from the first that begins with a mark; or all of them, when a
    note of the page before was not finished.
    """
    start = len(column)
    while start > 0 and column[start - 1].size <= 0.93 * size:
        start -= 1
    small = column[start:]
    if not small:
        return column, [], False
    marked = [index for index, line in enumerate(small) if _NOTE_START.match(line.text)]
    apart = start == 0 or column[start - 1].y - small[0].y > 1.05 * step
    if not marked and not (open_note and apart):
        return column, [], False
    first = 0 if open_note and apart and (not marked or marked[0] > 0) else marked[0]
    if first > 0 and not _starts_small(small, first, column[start - 1] if start else None):
        first = 0 if apart and open_note else first
    body, notes = column[: start + first], small[first:]
    groups: list[list[Line]] = []
    for line in notes:
        if _NOTE_START.match(line.text) or not groups:
            groups.append([])
        groups[-1].append(line)
    last = groups[-1][-1].plain.rstrip()
    return body, groups, not last.endswith((".", "!", "?", "”", "’", ")", "]", "»"))


def _starts_small(small: Sequence[Line], first: int, above: Line | None) -> bool:
    return first == 0 or above is None or small[first - 1].y - small[first].y > 0
