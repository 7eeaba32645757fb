"""The measures of a book's type: margins, the indent of paragraphs, the space between blocks, verse or prose."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from quire.books.pdf.lines import MARK_OPEN, Line

SENTENCE_END = re.compile(r"[.!?…:;][”’»\"')\]]*$|[—–]$|[”»]$")
SENTENCE_STOP = re.compile(r"[.!?…][”’»\"')\]]*$")
# Which of the lines' ends, from the shortest to the longest, is taken for the margin: a few run over.
FULLEST = 0.95


@dataclass(frozen=True, slots=True)
class Measure:
    """The type of a book, in points: size and line step of the body, the indent of a paragraph's first line, and the
    distance of two baselines beyond which another block begins.  `spaced`: paragraphs are told by that distance alone;
    `verse`: most are stanzas.
    """

    size: float
    step: float
    indent: float
    gap: float
    spaced: bool = False
    verse: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """Lines from top to bottom between two margins; `height` is the page's."""

    lines: tuple[Line, ...]
    left: float
    right: float
    height: float


@dataclass(frozen=True, slots=True)
class Frame:
    """The margins between which a block is set, and the size of the body's type."""

    margin: float
    edge: float
    size: float

    def room(self, line: Line) -> float:
        """What a line leaves free at its end."""
        return self.edge - line.right

    def had_room(self, last: Line, following: Line, edge: float | None = None) -> bool:
        """Whether the first word of the following line would have had room at the end of the last."""
        width = (last.right - last.left) / max(1, len(last.plain))
        word = following.plain.split(" ", 1)[0]
        room = self.room(last) if edge is None else edge - last.right
        return room > width * (len(word) + 1) + 0.4 * last.size

    def is_right(self, line: Line) -> bool:
        """Whether a line is set to the right: a signature, a date, the author of an epigraph."""
        return line.left - self.margin > 0.35 * (self.edge - self.margin) and self.room(line) < 1.5 * self.size

    def is_centred(self, line: Line, indent: float) -> bool:
        """Whether a line stands in the middle, and not where paragraphs begin."""
        left, right = line.left - self.margin, self.room(line)
        return abs(left - right) < 1.2 * self.size and left > indent + self.size


def begins_line(text: str) -> bool:
    """Whether a line does not begin with a small letter."""
    return not next((char for char in text if char.isalnum()), "").islower()


def set_margins(
    columns: Sequence[tuple[list[Line], int, float]], size: float, fullest: float = FULLEST
) -> list[Column]:
    """Columns with their margins: those that columns of the same side and place have in most of the book.

    Each comes as (lines, place, page height); `place` tells left from right columns.  `fullest` says which of the
    lines, from the shortest to the longest, reaches the right margin.
    """
    lefts: dict[tuple[int, int], Counter[float]] = defaultdict(Counter)
    rights: dict[tuple[int, int], list[float]] = defaultdict(list)
    for lines, place, _ in columns:
        for line in lines:
            if abs(line.size - size) < 0.1 * size and len(line.text) > 12:
                key = (line.page % 2, place)
                lefts[key][round(line.left * 2) / 2] += 1
                rights[key].append(line.right)
    common = {key: _leftmost_common(found) for key, found in lefts.items() if found.total() >= 20}
    edges = {key: sorted(rights[key])[int(fullest * (len(rights[key]) - 1))] for key in common}
    result = []
    for lines, place, height in columns:
        key = (lines[0].page % 2, place)
        left, right = _own_margins(lines, size)
        # A page that was shifted (a scan, a cropped page) keeps its own margins.
        if key in common and (left is None or abs(left - common[key]) < 3 * size):
            left, right = common[key], edges[key]
        if left is None:
            left, right = min(line.left for line in lines), max(line.right for line in lines)
        result.append(Column(tuple(lines), left, right, height))
    return result


def _leftmost_common(lefts: Counter[float]) -> float:
    """The margin: the leftmost edge at which a good share of the lines begins (dialogue may indent more lines)."""
    total = lefts.total()
    merged = {x: sum(count for other, count in lefts.items() if abs(other - x) <= 0.75) for x in lefts}
    return min((x for x, count in merged.items() if count >= 0.15 * total), default=lefts.most_common(1)[0][0])


def _own_margins(lines: Sequence[Line], size: float) -> tuple[float | None, float]:
    body = [line for line in lines if abs(line.size - size) < 0.1 * size and len(line.text) > 12]
    if len(body) < 6:
        return None, 0.0
    lefts = Counter(round(line.left * 2) / 2 for line in body)
    return _leftmost_common(lefts), sorted(line.right for line in body)[int(FULLEST * (len(body) - 1))]


def find_indent(columns: Sequence[Column], size: float) -> float:
    """How far the first line of a paragraph is set in, in points; 0 where paragraphs are parted by space instead."""
    indents: Counter[float] = Counter()
    total = 0
    for column in columns:
        for above, line, below in zip(column.lines, column.lines[1:], column.lines[2:], strict=False):
            if abs(line.size - size) > 0.1 * size:
                continue
            total += 1
            inset = line.left - column.left
            alone = below.left - column.left < 0.4 * size and above.left - column.left < 0.4 * size
            if alone and 0.4 * size < inset < 5 * size:
                indents[round(inset * 2) / 2] += 1
    if not indents:
        return 0.0
    indent, count = indents.most_common(1)[0]
    return indent if count >= max(3, 0.01 * total) else 0.0


def is_book_of_verse(columns: Sequence[Column], size: float, step: float) -> bool:
    """Whether most lines end before the margin without an indent below, or begin with a capital, as verse does."""
    total = broken = capitals = 0
    for column in columns:
        for above, line in zip(column.lines, column.lines[1:], strict=False):
            if abs(line.size - size) < 0.1 * size and above.y - line.y < 1.1 * step and len(above.text) > 3:
                total += 1
                capitals += not next((char for char in line.text if char.isalnum()), "").islower()
                broken += column.right - above.right > 0.12 * (column.right - column.left) and (
                    line.left - column.left < 0.4 * size or line.left - column.left > 3 * size
                )
    return total >= 20 and (broken >= 0.6 * total or capitals >= 0.8 * total)


def find_gap(columns: Sequence[Column], size: float, step: float) -> tuple[float, bool]:
    """The distance of baselines beyond which a new block begins, and whether many blocks are parted by one.

    Where space between blocks is usual its commonest measure tells; half of what it adds is enough.
    """
    gaps: Counter[float] = Counter()
    ended: Counter[float] = Counter()
    total = short = stopped = 0
    for column in columns:
        for above, line in zip(column.lines, column.lines[1:], strict=False):
            # A raised mark pushes its line down.
            marked = MARK_OPEN in above.text or MARK_OPEN in line.text
            if not marked and abs(line.size - size) < 0.1 * size and abs(above.size - size) < 0.1 * size:
                total += 1
                gap = round((above.y - line.y) * 4) / 4
                gaps[gap] += 1
                ended[gap] += bool(SENTENCE_END.search(above.plain))
                if above.y - line.y < 1.1 * step and column.right - above.right > 0.2 * (column.right - column.left):
                    short += 1
                    stopped += bool(SENTENCE_END.search(above.plain))
    wider = Counter({gap: count for gap, count in gaps.items() if 1.1 * step < gap < 2.6 * step})
    near = {gap: wider[gap - 0.25] + wider[gap] + wider[gap + 0.25] for gap in wider}
    stops = {gap: ended[gap - 0.25] + ended[gap] + ended[gap + 0.25] for gap in wider}
    # Where sentences end at line ends at all, most of those before a space do.
    least_stopped = 0.4 if ended.total() >= 0.05 * total else 0.0
    usual = [g for g, count in near.items() if count >= max(4, 0.005 * total) and stops[g] >= least_stopped * count]
    if not usual:
        return 1.45 * step, False
    least = min(usual)
    often = sum(count for gap, count in wider.items() if gap >= least - 0.25) >= 0.06 * total
    # Lines that end early without a stop are verse: then too only space parts the blocks.
    often = often or (short >= 10 and stopped < 0.75 * short)
    return min(1.45 * step, step + 0.5 * (least - step)), often
