"""The columns of a PDF page, and the order in which people read its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quire.books.pdf.lines import Line, is_initial


def find_gutter(lines: Sequence[Line], width: float) -> float | None:
    """The x of the white stripe between two columns, or None.

    Few lines cross it, and on both sides stand lines side by side: many, or a few at the foot of a chapter that fills
    one column and a bit.
    """
    if len(lines) < 8:
        return None
    best: tuple[float, float] | None = None
    for step in range(35, 66):
        x = width * step / 100
        crossing = sum(line.left < x - 2 and line.right > x + 2 for line in lines)
        if crossing > 0.2 * len(lines):
            continue
        left = [line for line in lines if line.right <= x + 2]
        right = [line for line in lines if line.left >= x - 2]
        if min(len(left), len(right)) < max(3, 0.15 * len(lines)) and not _are_few_beside(left, right, crossing):
            continue
        room = min((line.left for line in right), default=x) - max((line.right for line in left), default=x)
        # The two columns need not have their lines at the same heights.
        heights = {round(line.y / 6) + step for line in left for step in (-1, 0, 1)}
        beside = sum(round(line.y / 6) in heights for line in right)
        if beside >= 0.3 * len(right) and (best is None or (-crossing, room) > best[:2]):
            best = (-crossing, room)
            chosen = x
    return chosen if best is not None else None


def _are_few_beside(left: Sequence[Line], right: Sequence[Line], crossing: int) -> bool:
    """Whether the right column has only begun: some lines as wide as the left ones, from one margin on."""
    if not 2 <= len(right) < len(left) or crossing > 0.06 * len(left):
        return False
    size = right[0].size
    begin, end = min(line.left for line in right), max(line.right for line in left)
    margins = [line for line in right if line.left - begin < 3 * size]
    full = sorted(line.right - line.left for line in left)[len(left) // 2]
    wide = max(line.right - line.left for line in right) > 0.8 * full
    return 0.5 * size < begin - end < 6 * size and len(margins) >= 0.6 * len(right) and wide


def columns_of(lines: Sequence[Line], gutter: float | None) -> list[list[Line]]:
    """Lines of a page in reading order, a list for each column; what runs across both stands between bands."""
    ordered = _top_down(lines)
    if gutter is None:
        return [_close_gaps(ordered)] if ordered else []
    columns: list[list[Line]] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in ordered:
        if _runs_across(line, lines, gutter):
            columns += [column for column in (left, right) if column]
            left, right = [], []
            columns.append([line])
        elif line.left < gutter - 3:
            left.append(line)
        else:
            right.append(line)
    return [_close_gaps(column) for column in [*columns, left, right] if column]


def _runs_across(line: Line, lines: Sequence[Line], gutter: float) -> bool:
    """Whether a line reaches over both columns; one of the left column that is too long for it does not, beside which
    the right column has its own."""
    if line.left >= gutter - 3 or line.right <= gutter + 3:
        return False
    return not any(other.left > gutter and abs(other.y - line.y) < 0.6 * line.size for other in lines)


def _close_gaps(lines: Sequence[Line]) -> list[Line]:
    """Pieces of one line that a wide gap parted, together again."""
    closed: list[Line] = []
    for line in lines:
        last = closed[-1] if closed else None
        near = last is not None and abs(last.y - line.y) <= 0.2 * min(last.size, line.size)
        if last is not None and near and line.left >= last.right and not is_initial(last, line):
            text = f"{last.text} {line.text}"
            closed[-1] = replace(
                last, text=text, right=line.right, hyphen=line.hyphen, own=line.own, size=max(last.size, line.size)
            )
        else:
            closed.append(line)
    return closed


def _top_down(lines: Sequence[Line]) -> list[Line]:
    """By height; lines of nearly one height from left to right."""
    ordered = sorted(lines, key=lambda line: (-line.y, line.left))
    result: list[Line] = []
    for line in ordered:
        position = len(result)
        while (
            position
            and abs(result[position - 1].y - line.y) < 0.35 * line.size
            and result[position - 1].left > line.left
        ):
            position -= 1
        result.insert(position, line)
    return result
