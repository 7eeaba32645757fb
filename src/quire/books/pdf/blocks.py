"""Paragraphs, verse and headings out of the lines of a PDF, by indentation, leading and size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from quire.books import pulse
from quire.books.draft import is_scene_break
from quire.books.hyphens import Hyphens
from quire.books.pdf.found import Found, add_breaks, even_levels
from quire.books.pdf.initials import join_initials
from quire.books.pdf.insets import find_insets
from quire.books.pdf.lines import MARK_CLOSE, MARK_OPEN, Line
from quire.books.pdf.measure import SENTENCE_END, SENTENCE_STOP, Column, Frame, Measure, begins_line
from quire.books.pdf.titles import add_heading, heading_level
from quire.books.pdf.verse import is_prose, is_turned_verse, is_verse, looks_like_verse, verse_lines

_MARK = re.compile(f"{MARK_OPEN}[^{MARK_CLOSE}]*{MARK_CLOSE}")
_ITEM = re.compile(r"\s*(?:[(\[]?(?:\d{1,3}|[a-zA-Z]|[ivxlc]{1,6})[.)\]]|[•·▪‣–—-])\s")


class Blocks:
    """Puts the lines of all columns together, block by block."""

    def __init__(self, measure: Measure, hyphens: Hyphens, noted: frozenset[int]) -> None:
        """`noted` are the pages that have notes: there raised figures are marks, elsewhere they are text."""
        self.measure = measure
        self.hyphens = hyphens
        self.noted = noted
        self.found: list[Found] = []
        self._lines: list[Line] = []
        self._frame = Frame(0.0, 0.0, measure.size)
        self._inset = False
        self._indented = False
        self._space = 0.0
        self._hangs = 0.0

    def run(self, columns: Sequence[Column]) -> list[Found]:
        """All blocks of the book in order."""
        for column in map(_from_margin, columns):
            pulse.beat()
            lines = join_initials(column, self.measure, self.hyphens.words)
            insets = find_insets(lines, self.measure, column.right)
            for index in range(len(lines)):
                self._line(column, lines, index, insets)
        self._close()
        return even_levels(add_breaks(self.found, self.measure.step))

    def _line(self, column: Column, lines: Sequence[Line], index: int, insets: Sequence[bool]) -> None:
        line = lines[index]
        above = lines[index - 1] if index else None
        below = lines[index + 1] if index + 1 < len(lines) else None
        last = self.found[-1] if self.found and not self._lines else None
        level = heading_level(self.measure, column, above, line, lines[index + 1 : index + 3], last)
        if level:
            self._close()
            heading = Found("heading", self._text(line), line.page, level, line.size)
            add_heading(self.found, heading, line, above, self._frame, self.hyphens)
            return
        if is_scene_break(line.plain):
            self._close()
            self.found.append(Found("break", line.plain, line.page))
            return
        inset = insets[index]
        wavers = below is not None and insets[index + 1] and line.y - below.y <= self.measure.gap
        if self._lines and self._starts(column, above, line, inset, wavers):
            self._close()
        if not self._lines:
            self._inset = inset
            self._space = above.y - line.y if above is not None else 0.0
            self._hangs = 0.0
            self._indented = not inset and line.left - column.left > 0.4 * self.measure.size
        if not (self._inset and self._lines):
            edge = self._own_edge(column, lines[index:], insets[index:]) if self._inset else column.right
            self._frame = Frame(column.left, edge, self.measure.size)
        self._lines.append(line)

    def _own_edge(self, column: Column, lines: Sequence[Line], insets: Sequence[bool]) -> float:
        """The right margin of a block that is set in: as far from the column's as the left one, if no line reaches
        beyond."""
        run = [line for line, _ in takewhile(lambda pair: pair[1], zip(lines, insets, strict=True))]
        inner = column.right - (min(line.left for line in run) - column.left)
        turned = any(
            above.right > inner - 3 * self.measure.size and not begins_line(below.plain)
            for above, below in zip(run, run[1:], strict=False)
        )
        return inner if len(run) > 2 and turned and all(line.right <= inner + 1 for line in run) else column.right

    def _starts(self, column: Column, above: Line | None, line: Line, inset: bool, wavers: bool) -> bool:
        """Whether a line begins a new block.  `wavers`: the next line is set in again."""
        size, frame = self.measure.size, self._frame
        last = self._lines[-1]
        if last.hyphen:
            return False
        gap = above.y - line.y if above is not None and above.page == last.page else None
        # A raised mark may push its line down.
        raised = 0.3 * size if MARK_OPEN in line.text or MARK_OPEN in last.text else 0.0
        if gap is not None and gap > self.measure.gap + raised:
            return True
        hard = frame.had_room(last, line)
        other_size = abs(line.size - last.size) > 0.08 * size and min(len(line.text), len(last.text)) > 3
        if other_size and gap is not None and (hard or gap > 1.15 * self.measure.step):
            return True
        at_margin = line.left - column.left < 0.4 * size
        if self._hangs_on(line, inset, hard, gap):
            return False
        if self._inset and not inset and len(self._lines) == 1 and not hard and at_margin and not frame.is_right(last):
            # An indent that the rest of the book does not have: the paragraph goes on at the margin.
            self._inset = False
            return False
        if hard and frame.is_right(line) and line.left - last.left > 2 * size:
            return True
        if inset or self._inset:
            if inset != self._inset and not (wavers and self._wavers(column, line)):
                return True
            lefts = min(one.left for one in self._lines)
            deeper = line.left - lefts > 0.8 * size and begins_line(line.plain)
            return not hard and deeper and len(self._lines) > 1 and not self._is_verse()
        if self.measure.indent and line.left - column.left > 0.5 * size:
            return not self._wavers_at_margin(line, line.left - column.left, hard, gap)
        return self._starts_without_indent(line, hard, gap, at_margin, above is None)

    def _starts_without_indent(
        self, line: Line, hard: bool, gap: float | None, at_margin: bool, heads_page: bool
    ) -> bool:
        """Whether a line among the paragraphs that has no indent begins a new block.

        `hard`: its first word would have had room in the line above; `gap`: points below that, None on another page.
        """
        measure, frame, last = self.measure, self._frame, self._lines[-1]
        if hard and not self._indented and gap is not None:
            verse = measure.spaced or (self._is_verse(alone=True) and frame.room(line) > measure.size)
            if verse:
                # Nothing but the line's end: verse at the margin, or lines of an address.
                return False
        ended = bool(SENTENCE_END.search(last.plain))
        if gap is None and hard:
            if measure.verse:
                # A stanza that goes on overleaf.
                return bool(SENTENCE_STOP.search(last.plain))
            if at_margin and self._goes_on_as_verse(last, line):
                return False
        if gap is None and not hard and not measure.indent and line.plain.lstrip()[:1] in "“«—":
            # Sentences end at line ends of a paragraph too, but seldom does then a speech begin.
            return ended
        if measure.indent and heads_page:
            # At the head of a page only an indent begins a paragraph, unless the last line plainly ended one.
            return hard and ended and frame.room(last) > 6 * measure.size
        return hard and (ended or frame.room(last) > 0.4 * (frame.edge - frame.margin))

    def _is_verse(self, *more: Line, alone: bool = False) -> bool:
        """Whether the lines gathered, and these more, were broken by their author."""
        return is_verse(self._frame, [*self._lines, *more], self._inset, alone)

    def _goes_on_as_verse(self, last: Line, line: Line) -> bool:
        """Whether short lines at the margin go on overleaf with another."""
        if len(self._lines) < 2 or SENTENCE_STOP.search(last.plain) or not begins_line(line.plain):
            return False
        return (
            self._frame.room(line) > line.size and self._is_verse(line) and looks_like_verse(self._frame, self._lines)
        )

    def _hangs_on(self, line: Line, inset: bool, hard: bool, gap: float | None) -> bool:
        """Whether a line set in goes on from a full line at the margin, as the items of lists do."""
        if self._inset or not inset or hard:
            return False
        if self._hangs:
            return abs(line.left - self._hangs) < 1.5
        if len(self._lines) == 1 and gap is not None and not self._indented:
            item = _ITEM.match(self._lines[0].plain)
            if item or not begins_line(line.plain):
                self._hangs = line.left
        return bool(self._hangs)

    def _wavers_at_margin(self, line: Line, offset: float, hard: bool, gap: float | None) -> bool:
        """Whether a line set in less or more than paragraphs are goes on with short lines, as every second line of a
        stanza does."""
        at_indent = abs(offset - self.measure.indent) <= max(1.5, 0.15 * line.size)
        short = self._frame.room(self._lines[-1]) > 0.3 * (self._frame.edge - self._frame.margin)
        goes_on = not SENTENCE_STOP.search(self._lines[-1].plain) and line.plain.lstrip()[:1] not in "-—–“«"
        return not at_indent and hard and short and goes_on and gap is not None and begins_line(line.plain)

    def _wavers(self, column: Column, line: Line) -> bool:
        """A verse line that goes back to a smaller inset, amid others."""
        size = self.measure.size
        near = line.left > max(column.left + 0.4 * size, min(one.left for one in self._lines) - 3 * size)
        return self._inset and near and self._is_verse(line)

    def _close(self) -> None:
        """The gathered lines become a block."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        frame = self._frame
        texts = [self._text(line) for line in lines]
        if len(lines) > 1 and not self._indented and self._are_verse(lines, texts):
            text = "\n".join(verse_lines(frame, lines, texts, self.hyphens))
            self.found.append(Found("verse", text, lines[0].page, space=self._space))
            return
        text = texts[0]
        for line, following in zip(lines, texts[1:], strict=False):
            text = self._join(text, line, following)
        small = max(line.size for line in lines) < 0.93 * self.measure.size
        centred = len(lines) == 1 and frame.is_centred(lines[0], self.measure.indent)
        plain = not (self._inset or small or centred or frame.is_right(lines[0]))
        self.found.append(Found("paragraph", text, lines[0].page, space=self._space, plain=plain))

    def _are_verse(self, lines: Sequence[Line], texts: Sequence[str]) -> bool:
        """Whether the lines of a block stay lines."""
        if self.measure.verse and sum(begins_line(text) for text in texts) >= 0.75 * len(texts):
            return True
        if not is_verse(self._frame, lines, self._inset):
            return False
        if self._inset:
            return is_turned_verse(self._frame, lines) or not is_prose(self._frame, lines)
        return looks_like_verse(self._frame, lines)

    def _text(self, line: Line) -> str:
        if MARK_OPEN not in line.text:
            return line.text.strip()
        if line.page in self.noted:
            return _MARK.sub("", line.text).strip()
        return line.text.replace(MARK_OPEN, "").replace(MARK_CLOSE, "").strip()

    def _join(self, text: str, line: Line, following: str) -> str:
        if line.hyphen:
            return self.hyphens.join(text, following, soft=True, own=line.own)
        if text.endswith(("-", "‐")) and text[-2:-1].isalpha() and following[:1].isalpha():
            return self.hyphens.join(text[:-1], following, soft=False)
        if (
            text.endswith(("—", "–"))
            and text[-2:-1].strip()
            or following.startswith("—")
            and not following.startswith("— ")
        ):
            return text + following
        return f"{text} {following}"


def _from_margin(column: Column) -> Column:
    """The column with its left margin at 0, so that lines of one block that goes on in the next can be compared."""
    lines = tuple(replace(line, left=line.left - column.left, right=line.right - column.left) for line in column.lines)
    return Column(lines, 0.0, column.right - column.left, column.height)
