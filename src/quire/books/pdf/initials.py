"""Large initials of a PDF, which stand beside the first lines of a chapter, back at their words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from quire.books.pdf.lines import Line
from quire.books.pdf.measure import Column, Measure

_ALONE = ("A", "I", "O", "À", "Ô", "Y")


def _under_initial(lines: Sequence[Line], initial: int, beside: Sequence[int], measure: Measure) -> list[int]:
    """The lines below those beside an initial that keep clear of it as they do."""
    left = lines[max(beside)].left
    lowest = min(lines[position].y for position in beside)
    found: list[int] = []
    for position, line in enumerate(lines):
        reach = lines[initial].y - 1.3 * measure.size <= line.y < lowest - 1 and abs(line.left - left) < 1.5
        if reach and position != initial and left > measure.indent + 2:
            found.append(position)
    return found


def _is_word(initial: str, follow: str, words: Mapping[str, int], apart: bool) -> bool:
    """Whether an initial is a word by itself.  `apart`: its line begins further right than others beside it."""
    if initial not in _ALONE or not follow[:1].isalpha():
        return False
    if follow[:1].isupper() and not follow[:2].isupper():
        return True
    rest = re.split(r"[\W\d_]", follow, maxsplit=1)[0].lower()
    # The rest stands once in the book by itself: here.
    whole, parted = words.get(initial.lower() + rest, 0), max(0, words.get(rest, 0) - 1)
    # No word begins with the same letter twice.
    return apart and rest[:1] != rest[1:2] if bool(whole) == bool(parted) else not whole


def _to_margin(lines: list[Line], beside: Sequence[int], margin: float, measure: Measure) -> None:
    """Lines beside an initial as if it were not there.

    The first may stand nearer to it than the others; another that is set in further begins a paragraph.
    """
    first = min(beside, key=lambda position: -lines[position].y)
    others = [position for position in beside if position != first]
    least = min((lines[position].left for position in others), default=0.0)
    for position in beside:
        shift = lines[position].left - least
        inset = shift if position != first and shift > max(2.0, 0.6 * measure.indent) else 0.0
        lines[position] = replace(lines[position], left=margin + inset)


def _reach_foot(lines: list[Line], beside: Sequence[int], foot: float) -> None:
    """The lines beside an initial set as low as its foot, so that what stands below is no further from them."""
    lowest = min(lines[position].y for position in beside)
    between = any(foot < line.y < lowest for position, line in enumerate(lines) if position not in beside)
    if lowest > foot and not between:
        for position in set(beside):
            lines[position] = replace(lines[position], y=lines[position].y - lowest + foot)


def join_initials(column: Column, measure: Measure, words: Mapping[str, int]) -> list[Line]:
    """A large initial goes back to its word; the lines beside it count as standing at the margin.

    `words`: how often the book has each word.
    """
    lines = list(column.lines)
    for index, line in enumerate(lines):
        text = line.plain.strip()
        if line.size < 1.6 * measure.size or not re.fullmatch(r"[“«‘\"'—–]?\s?[^\W\d_][’']?", text):
            continue
        reach = line.y - 0.3 * measure.size, line.y + line.size
        level = [
            position
            for position, other in enumerate(lines)
            if position != index and reach[0] <= other.y <= reach[1] and other.size < 1.2 * measure.size
        ]
        beside = [position for position in level if lines[position].left >= line.right - 0.5 * measure.size]
        if not beside:
            continue
        beside += _under_initial(lines, index, beside, measure)
        nearest = min(lines[position].left for position in beside)
        apart = lines[min(beside, key=lambda position: -lines[position].y)].left - nearest > 0.15 * measure.size
        _to_margin(lines, beside, column.left, measure)
        # A first line that the typesetter's file places under the initial is its line all the same.
        beside += [position for position in level if lines[position].y > line.y + 0.25 * line.size]
        first = min(beside, key=lambda position: -lines[position].y)
        _reach_foot(lines, beside, line.y)
        follow = lines[first].text.lstrip()
        alone = _is_word(text, follow, words, apart)
        lines[first] = replace(lines[first], text=f"{text}{' ' if alone else ''}{follow}")
        del lines[index]
        return join_initials(replace(column, lines=tuple(lines)), measure, words)
    return lines
