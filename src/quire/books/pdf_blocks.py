"""Paragraphs, verse and headings out of the lines of a PDF, by indentation, leading and size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from quire.books.draft import ItemKind, is_scene_break
from quire.books.headings import is_part, recognise
from quire.books.hyphens import Hyphens
from quire.books.pdf_lines import MARK_CLOSE, MARK_OPEN, Line
from quire.books.pdf_measure import SENTENCE_END, Column, Measure

_MARK = re.compile(f"{MARK_OPEN}[^{MARK_CLOSE}]*{MARK_CLOSE}")
_STOP = re.compile(r"[.!?…][”’»\"')\]]*$")


@dataclass(frozen=True, slots=True)
class Found:
    """A block as it was found: what becomes an item of the draft."""

    kind: ItemKind
    text: str
    page: int
    level: int = 0
    size: float = 0.0


class Blocks:
    """Puts the lines of all columns together, block by block."""

    def __init__(self, measure: Measure, hyphens: Hyphens, noted: frozenset[int]) -> None:
        """`noted` are the pages that have notes: there raised figures are marks, elsewhere they are text."""
        self.measure = measure
        self.hyphens = hyphens
        self.noted = noted
        self.found: list[Found] = []
        self._lines: list[Line] = []
        self._margin = 0.0
        self._edge = 0.0
        self._inset = False
        self._indented = False

    def run(self, columns: Sequence[Column]) -> list[Found]:
        """All blocks of the book in order."""
        for column in map(_from_margin, columns):
            lines = _join_initials(column, self.measure)
            for index, line in enumerate(lines):
                self._line(column, lines, index, line)
        self._close()
        return _even_levels(self.found)

    def _line(self, column: Column, lines: Sequence[Line], index: int, line: Line) -> None:
        above = lines[index - 1] if index else None
        below = lines[index + 1] if index + 1 < len(lines) else None
        level = self._heading_level(column, above, below, line)
        if level:
            self._close()
            self._add_heading(line, level, above)
            return
        if is_scene_break(line.plain):
            self._close()
            self.found.append(Found("break", line.plain, line.page))
            return
        inset = self._is_inset(column, line)
        if self._lines and self._starts(column, above, line, inset):
            self._close()
        if not self._lines:
            self._inset = inset
            self._indented = not inset and line.left - column.left > 0.4 * self.measure.size
        self._margin, self._edge = column.left, column.right
        self._lines.append(line)

    def _is_inset(self, column: Column, line: Line) -> bool:
        """Set in further than a paragraph's first line: verse, a quotation, a signature."""
        return line.left - column.left > self.measure.indent + 0.45 * self.measure.size

    def _starts(self, column: Column, above: Line | None, line: Line, inset: bool) -> bool:
        """Whether a line begins a new block."""
        size = self.measure.size
        last = self._lines[-1]
        if last.hyphen:
            return False
        gap = above.y - line.y if above is not None and above.page == last.page else None
        if gap is not None and gap > self.measure.gap:
            return True
        hard = self._had_room(last, line)
        other_size = abs(line.size - last.size) > 0.08 * size and min(len(line.text), len(last.text)) > 3
        if other_size and gap is not None and (hard or gap > 1.15 * self.measure.step):
            return True
        at_margin = line.left - column.left < 0.4 * size
        if self._inset and not inset and len(self._lines) == 1 and not hard and at_margin and not self._is_right(last):
            # An indent that the rest of the book does not have: the paragraph goes on at the margin.
            self._inset = False
            return False
        if hard and self._is_right(line) and line.left - last.left > 2 * size:
            return True
        if inset or self._inset:
            if inset != self._inset and not self._wavers(column, line):
                return True
            lefts = min(one.left for one in self._lines)
            return (
                not hard and line.left - lefts > 0.8 * size and len(self._lines) > 1 and not self._is_verse(self._lines)
            )
        indented = line.left - column.left > 0.5 * size
        if indented and self.measure.indent:
            return True
        if (
            hard
            and not self._indented
            and gap is not None
            and (self.measure.spaced or self._is_verse(self._lines, True))
        ):
            # Nothing but the line's end: verse at the margin, or lines of an address.
            return False
        if self.measure.verse and gap is None and hard:
            # A stanza that goes on overleaf.
            return bool(_STOP.search(last.plain))
        if self.measure.indent and above is None:
            # At the head of a page only an indent begins a paragraph, unless the last line plainly ended one.
            return hard and bool(SENTENCE_END.search(last.plain)) and self._room(last) > 6 * size
        return hard and (bool(SENTENCE_END.search(last.plain)) or self._room(last) > 0.4 * (self._edge - self._margin))

    def _wavers(self, column: Column, line: Line) -> bool:
        """A verse line that goes back to a smaller inset, amid others."""
        return (
            self._inset and self._is_verse([*self._lines, line]) and line.left - column.left > 0.4 * self.measure.size
        )

    def _is_right(self, line: Line) -> bool:
        """Whether a line is set to the right: a signature, a date, the author of an epigraph."""
        width = self._edge - self._margin
        return line.left - self._margin > 0.35 * width and self._room(line) < 1.5 * self.measure.size

    def _room(self, line: Line) -> float:
        return self._edge - line.right

    def _had_room(self, last: Line, following: Line) -> bool:
        """Whether the first word of the following line would have had room at the end of the last."""
        width = (last.right - last.left) / max(1, len(last.plain))
        word = following.plain.split(" ")[0]
        return self._room(last) > width * (len(word) + 1) + 0.4 * last.size

    def _is_verse(self, lines: Sequence[Line], alone: bool = False) -> bool:
        """Lines that were broken by their author: each could have taken the next one's first word.  A line without
        another is verse when `alone` says so."""
        pairs = list(zip(lines, lines[1:], strict=False))
        if not pairs:
            return alone
        if any(above.hyphen for above, _ in pairs):
            return False
        broken = sum(self._had_room(above, below) for above, below in pairs)
        if broken >= 0.75 * len(pairs):
            return True
        # Long verse in a narrow measure: what did not fit goes on in small letters, other lines begin with capitals.
        turned = sum(self._is_turned(above, below) for above, below in pairs)
        capitals = sum(_begins_line(below.plain) for _, below in pairs)
        return self._inset and len(lines) >= 4 and broken + turned >= 0.9 * len(pairs) and capitals >= 0.5 * len(pairs)

    def _looks_like_verse(self, lines: Sequence[Line]) -> bool:
        """Whether lines at the margin begin as verse does, or are far shorter than a ragged margin makes them."""
        capitals = sum(_begins_line(line.plain) for line in lines)
        room = sum(self._room(line) for line in lines) / len(lines)
        return capitals >= 0.75 * len(lines) or room >= 0.3 * (self._edge - self._margin)

    def _is_turned(self, above: Line, below: Line) -> bool:
        """Whether a line is what did not fit into the verse line above."""
        set_in = below.left > above.left + 0.5 * below.size
        return not self._had_room(above, below) and (set_in or not _begins_line(below.plain))

    def _close(self) -> None:
        """The gathered lines become a block."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        texts = [self._text(line) for line in lines]
        set_so = self._is_verse(lines) and (self._inset or self._looks_like_verse(lines))
        alike = self.measure.verse and sum(_begins_line(text) for text in texts) >= 0.75 * len(texts)
        if len(lines) > 1 and not self._indented and (set_so or alike):
            self.found.append(Found("verse", "\n".join(self._verse_lines(lines, texts)), lines[0].page))
            return
        text = texts[0]
        for line, following in zip(lines, texts[1:], strict=False):
            text = self._join(text, line, following)
        self.found.append(Found("paragraph", text, lines[0].page))

    def _verse_lines(self, lines: Sequence[Line], texts: Sequence[str]) -> list[str]:
        """Verse lines; what did not fit into one and stands indented under it goes back to it."""
        kept = [texts[0]]
        for above, line, text in zip(lines, lines[1:], texts[1:], strict=False):
            kept[-1:] = [f"{kept[-1]} {text}"] if self._is_turned(above, line) else [kept[-1], text]
        return kept

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

    def _heading_level(self, column: Column, above: Line | None, below: Line | None, line: Line) -> int:
        """1 for a part, 2 for a chapter, 3 for what is smaller; 0 for text."""
        size, step = self.measure.size, self.measure.step
        text = line.plain.strip()
        if len(text) > 120 or not any(char.isalnum() for char in text) or (line.hyphen and line.size < 1.12 * size):
            return 0
        said = recognise(text)
        before = above.y - line.y if above is not None else 1e9
        after = line.y - below.y if below is not None else 1e9
        narrow = line.right - line.left < 0.9 * (column.right - column.left)
        if line.size >= 1.12 * size and (narrow or before > 1.3 * step):
            return 1 if is_part(text) else 2 if line.size >= 1.17 * size or said else 3
        apart = before > 1.35 * step and after > 1.2 * step
        centred = (
            abs((line.left - column.left) - (column.right - line.right)) < 1.2 * size and line.left - column.left > size
        )
        if (
            said is not None
            and apart
            and (centred or said.kind != "bare")
            and not SENTENCE_END.search(text.rstrip("."))
        ):
            return 1 if said.kind == "part" else 2
        heads_on = self.found and self.found[-1].kind == "heading" and not self._lines and before < 3.2 * step
        if heads_on and centred and narrow and text.isupper() and after > 1.2 * step:
            return 2
        return 0

    def _add_heading(self, line: Line, level: int, above: Line | None) -> None:
        """Lines of one heading in one size that follow each other closely are one."""
        last = self.found[-1] if self.found else None
        text = self._text(line)
        close = above is not None and above.y - line.y < 1.7 * line.size and abs(above.size - line.size) < 0.5
        if last is not None and last.kind == "heading" and close and last.page == line.page and not recognise(text):
            whole = recognise(last.text)
            gap = "\n" if whole is not None and not whole.titled else " "
            if above is not None and above.hyphen:
                whole_text = self.hyphens.join(last.text, text, soft=True, own=above.own)
            else:
                whole_text = f"{last.text}{gap}{text}"
            self.found[-1] = replace(last, text=whole_text)
        else:
            self.found.append(Found("heading", text, line.page, level, line.size))


def _even_levels(found: list[Found]) -> list[Found]:
    """Headings of one size have one rank: what some of them say of themselves holds for all but parts."""
    ranks: dict[float, int] = {}
    for block in found:
        if block.kind == "heading" and block.level > 1:
            size = round(block.size * 2) / 2
            ranks[size] = min(block.level, ranks.get(size, 9))
    return [
        replace(block, level=ranks[round(block.size * 2) / 2]) if block.kind == "heading" and block.level > 1 else block
        for block in found
    ]


def _begins_line(text: str) -> bool:
    """Whether a line does not begin with a small letter."""
    return not next((char for char in text if char.isalnum()), "").islower()


def _from_margin(column: Column) -> Column:
    """The column with its left margin at 0, so that lines of one block that goes on in the next can be compared."""
    lines = tuple(replace(line, left=line.left - column.left, right=line.right - column.left) for line in column.lines)
    return Column(lines, 0.0, column.right - column.left, column.height)


def _join_initials(column: Column, measure: Measure) -> list[Line]:
    """A large initial goes back to its word; the lines beside it count as standing at the margin."""
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
        shift = min(lines[position].left for position in beside) - column.left
        for position in beside:
            lines[position] = replace(lines[position], left=lines[position].left - shift)
        # A first line that the typesetter's file places under the initial is its line all the same.
        beside += [position for position in level if lines[position].y > line.y + 0.25 * line.size]
        first = min(beside, key=lambda position: -lines[position].y)
        follow = lines[first].text.lstrip()
        alone = text in ("A", "I", "O", "À", "Ô", "Y") and follow[:1].isupper() and not follow[:2].isupper()
        lines[first] = replace(lines[first], text=f"{text}{' ' if alone else ''}{follow}")
        del lines[index]
        return _join_initials(replace(column, lines=tuple(lines)), measure)
    return lines
