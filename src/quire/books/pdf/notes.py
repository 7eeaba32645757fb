"""Footnotes of a PDF: taken out of the columns, each with its page; their marks put between signs in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from quire.books import pulse
from quire.books.hyphens import Hyphens
from quire.books.pdf.blocks import Blocks
from quire.books.pdf.columns import columns_of, find_gutter
from quire.books.pdf.furniture import NOTE_START, SUPERIORS, Page, find_mark, note_label
from quire.books.pdf.lines import MARK_CLOSE, MARK_OPEN, Line
from quire.books.pdf.measure import Column, Measure

_LABEL = re.compile(r"^(?:\d{1,3}|[*†‡§¶‖]{1,3}|[⁰¹²³⁴-⁹]{1,3}|[a-z](?=\s))[.)]?\s*")
_GLUED = re.compile(r"\d{1,3}[^\W\d_a-zà-ÿ]|\d{1,3}[“«‘]")
_WORD_END = re.compile(r"[^\W\d_]{3}[.,;:!?»”’)\]…—]*$")
_ENDED = (".", "!", "?", "…", "”", "’", ")", "]", "»", '"')


def columns_and_notes(
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
    unmarked: list[str] = []
    for page, gutter in zip(pages, gutters, strict=True):
        pulse.beat()
        before, known = len(columns), len(notes)
        for column in columns_of(page.lines, gutter if two else None):
            after = notes[-1][-1] if notes and notes[-1][-1].page >= page.number - 1 else None
            body, found, goes_on = take_footnotes(column, size, step, open_note, after)
            if found and notes and not _label_of(found[0][0]):
                notes[-1].extend(found.pop(0))
            notes.extend(found)
            open_note = goes_on
            if body:
                place = 0 if gutter is None or not two else 1 + (body[0].left >= gutter - 3)
                columns.append((body, place, page.height))
        # Some typesetters set a note on the page before the one that has its mark.
        for label in unmarked:
            _unmark(columns[before:], label)
        labels = [note_label(group[0].text) for group in notes[known:]]
        unmarked = [label for label in labels if not _mark(columns[before:], label)]
    return columns, notes


def take_footnotes(
    column: list[Line], size: float, step: float, open_note: bool, after: Line | None = None
) -> tuple[list[Line], list[list[Line]], bool]:
    """The body of a column, its footnotes (each a list of lines), and whether the last note may go on overleaf.

    Notes are the lines at the foot in smaller type, from the first that begins with a mark; or all of them, when a
    note of the page before was not finished, or they are set as its last line, `after`, was.
    """
    start = len(column)
    while start > 0 and column[start - 1].size <= 0.93 * size:
        start -= 1
    small = column[start:]
    if not small:
        return column, [], False
    marked = [index for index, line in enumerate(small) if _label_of(line)]
    apart = start == 0 or column[start - 1].y - small[0].y > 1.05 * step
    goes_on = apart and (open_note or (after is not None and _is_set_alike(small, after)))
    if not marked and not goes_on:
        return column, [], False
    first = 0 if goes_on else marked[0]
    body, notes = column[: start + first], small[first:]
    groups: list[list[Line]] = []
    for line in notes:
        if not groups or _begins_note(groups[-1], line):
            groups.append([])
        groups[-1].append(line)
    last = groups[-1][-1].plain.rstrip()
    return body, groups, not last.endswith(_ENDED)


def note_text(lines: Sequence[Line], size: float, step: float, hyphens: Hyphens) -> str:
    """The lines of a note as one paragraph, without its mark."""
    measure = Measure(size, step, 0, 1.45 * step)
    (found, *_) = Blocks(measure, hyphens, frozenset()).run([_as_column(lines)])
    return _LABEL.sub("", " ".join(found.text.split()))


def _is_set_alike(small: Sequence[Line], after: Line) -> bool:
    """Whether lines at a foot go on with the note that stands at the foot before: in its size, lines as long."""
    same = all(abs(line.size - after.size) < 0.3 for line in small)
    return same and len(small[0].text) > 3 and not small[0].plain[:1].isupper()


def _label_of(line: Line) -> str:
    return note_label(line.text) if NOTE_START.match(line.text) else ""


def _begins_note(group: Sequence[Line], line: Line) -> bool:
    """Whether a line begins the next note, and is not one that goes on with a number."""
    label = _label_of(line)
    if not label:
        return False
    before = _label_of(group[0])
    if line.text.startswith(MARK_OPEN) or not label.isdigit():
        return True
    # Among notes with symbols a figure begins none.
    if before and not before.isdigit():
        return False
    follows = not before or int(label) in (int(before) + 1, 1)
    if group[0].text.startswith(MARK_OPEN):
        # The first has its figure raised, so that a second without must have it right at its first word.
        return follows and bool(_GLUED.match(line.text))
    return follows


def _as_column(lines: Sequence[Line]) -> Column:
    """Lines of a note set as one paragraph: nothing in it begins another."""
    width = max(line.right for line in lines)
    flat = [
        Line(
            line.text.replace(MARK_OPEN, "").replace(MARK_CLOSE, " "),
            0, width, -float(i), 1, line.page, line.hyphen, 0, line.own,
        )
        for i, line in enumerate(lines)
    ]  # fmt: skip
    return Column(tuple(flat), 0, width, 1e9)


def _mark(columns: Sequence[tuple[list[Line], int, float]], label: str) -> bool:
    """Put the mark of a note between signs, at the first word of the page's columns that bears it; whether one does."""
    for lines, _, _ in columns if label else ():
        for index, line in enumerate(lines):
            if span := find_mark(line.text, label):
                start, stop = span
                if line.text[start] != MARK_OPEN:
                    text = f"{line.text[:start]}{MARK_OPEN}{label}{MARK_CLOSE}{line.text[stop:]}"
                    lines[index] = replace(line, text=text)
                return True
    return not label


def _is_sure(text: str, start: int) -> bool:
    """Whether what may be a mark is raised, or stands behind a whole word: the figure of `P1` is none."""
    return text[start] == MARK_OPEN or text[start] in SUPERIORS or bool(_WORD_END.search(text[:start]))


def _unmark(columns: Sequence[tuple[list[Line], int, float]], label: str) -> None:
    """Take the mark of a note that stands on the page before out of the text."""
    for lines, _, _ in columns:
        for index, line in enumerate(lines):
            if (span := find_mark(line.text, label)) and _is_sure(line.text, span[0]):
                lines[index] = replace(line, text=line.text[: span[0]] + line.text[span[1] :])
                return


def _parts(page: Page, gutter: float) -> bool:
    """Whether the gutter of other pages parts most lines of this one too."""
    crossing = sum(line.left < gutter - 3 and line.right > gutter + 3 for line in page.lines)
    return bool(page.lines) and crossing <= 0.4 * len(page.lines)
