"""Headings among the lines of a PDF: by size, by what they say of themselves, by the space around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quire.books.headings import is_part, is_title_line, recognise
from quire.books.hyphens import Hyphens
from quire.books.pdf.found import Found
from quire.books.pdf.lines import Line
from quire.books.pdf.measure import SENTENCE_END, Column, Frame, Measure


def heading_level(
    measure: Measure, column: Column, above: Line | None, line: Line, under: Sequence[Line], last: Found | None
) -> int:
    """1 for a part, 2 for a chapter, 3 for what is smaller; 0 for text.

    `under` are the next two lines, `last` is the block right before, if it has ended.
    """
    size, step = measure.size, measure.step
    before = above.y - line.y if above is not None else 1e9
    large = line.size >= 1.12 * size
    if not large and before <= 1.35 * step and (last is None or last.kind != "heading"):
        return 0
    text = line.plain.strip()
    if len(text) > 120 or not any(char.isalnum() for char in text) or (line.hyphen and not large):
        return 0
    narrow = line.right - line.left < 0.9 * (column.right - column.left)
    if large and (narrow or before > 1.3 * step):
        return 1 if is_part(text) else 2 if line.size >= 1.17 * size or recognise(text) else 3
    after = _distance(line, under)
    centred = _is_centred(column, line, size)
    if before > 1.35 * step and (said := recognise(text)) is not None:
        # A title of a line may stand between the number and the space below.
        titled = centred and len(under) == 2 and _is_centred(column, under[0], size) and under[0].size < 1.12 * size
        space = after > 1.2 * step or (titled and after < 2 * step and _distance(under[0], under[1:]) > 1.2 * step)
        # A number said in words may stand right above its text.
        space = space or (said.kind == "chapter" and narrow and len(text) < 60)
        if space and (centred or said.kind != "bare") and not SENTENCE_END.search(text.rstrip(".—– ")):
            return 1 if said.kind == "part" else 2
    heads_on = last is not None and last.kind == "heading" and before < 3.2 * step
    if heads_on and last is not None and centred and narrow and after > 1.2 * step:
        untitled = recognise(last.text)
        named = untitled is not None and not untitled.titled and "\n" not in last.text and is_title_line(text)
        return 2 if text.isupper() or named else 0
    return 0


def add_heading(found: list[Found], new: Found, line: Line, above: Line | None, frame: Frame, hyphens: Hyphens) -> None:
    """A heading to the blocks; lines of one heading in one size that follow each other closely are one."""
    last = found[-1] if found else None
    close = above is not None and abs(above.size - line.size) < 0.5 and _follows(frame, above, line)
    if last is not None and last.kind == "heading" and close and last.page == line.page and not recognise(new.text):
        whole = recognise(last.text)
        gap = "\n" if whole is not None and not whole.titled else " "
        if above is not None and above.hyphen:
            text = hyphens.join(last.text, new.text, soft=True, own=above.own)
        else:
            text = f"{last.text}{gap}{new.text}"
        found[-1] = replace(last, text=text)
    else:
        found.append(new)


def _follows(frame: Frame, above: Line, line: Line) -> bool:
    """Whether a line of a heading goes on with the one above: right under it, or because that one was full."""
    distance = above.y - line.y
    return distance < 1.7 * line.size or (distance < 2.6 * line.size and not frame.had_room(above, line))


def _distance(line: Line, under: Sequence[Line]) -> float:
    return line.y - under[0].y if under else 1e9


def _is_centred(column: Column, line: Line, size: float) -> bool:
    left, right = line.left - column.left, column.right - line.right
    return abs(left - right) < 1.2 * size and left > size
