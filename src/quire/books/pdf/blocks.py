"""Paragraphs, verse and headings out of the lines of a PDF, by indentation, leading and size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from quire.books.draft import SCENE_BREAK, ItemKind, is_scene_break
from quire.books.headings import is_part, is_title_line, recognise
from quire.books.hyphens import Hyphens
from quire.books.pdf.insets import find_insets
from quire.books.pdf.lines import MARK_CLOSE, MARK_OPEN, Line
from quire.books.pdf.measure import SENTENCE_END, Column, Measure

_MARK = re.compile(f"{MARK_OPEN}[^{MARK_CLOSE}]*{MARK_CLOSE}")
_ITEM = re.compile(r"\s*(?:[(\[]?(?:\d{1,3}|[a-zA-Z]|[ivxlc]{1,6})[.)\]]|[•·▪‣–—-])\s")
_STOP = re.compile(r"[.!?…][”’»\"')\]]*$")


@dataclass(frozen=True, slots=True)
class Found:
    """A block as it was found: what becomes an item of the draft.

    `space` is the distance of its first line from the one above on its page (0 at the page's head), `plain` says that
    it is set as the body's paragraphs are.
    """

    kind: ItemKind
    text: str
    page: int
    level: int = 0
    size: float = 0.0
    space: float = 0.0
    plain: bool = False


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
        self._space = 0.0
        self._hangs = 0.0

    def run(self, columns: Sequence[Column]) -> list[Found]:
        """All blocks of the book in order."""
        for column in map(_from_margin, columns):
            lines = _join_initials(column, self.measure)
            insets = find_insets(lines, self.measure)
            for index in range(len(lines)):
                self._line(column, lines, index, insets)
        self._close()
        return _even_levels(add_breaks(self.found, self.measure.step))

    def _line(self, column: Column, lines: Sequence[Line], index: int, insets: Sequence[bool]) -> None:
        line = lines[index]
        above = lines[index - 1] if index else None
        below = lines[index + 1] if index + 1 < len(lines) else None
        level = self._heading_level(column, above, lines[index + 1 : index + 3], line)
        if level:
            self._close()
            self._add_heading(line, level, above)
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
            self._margin, self._edge = column.left, column.right
            if self._inset:
                self._edge = self._own_edge(column, lines[index:], insets[index:])
        self._lines.append(line)

    def _own_edge(self, column: Column, lines: Sequence[Line], insets: Sequence[bool]) -> float:
        """The right margin of a block that is set in: as far from the column's as the left one, if no line reaches
        beyond."""
        run = [line for line, _ in takewhile(lambda pair: pair[1], zip(lines, insets, strict=True))]
        inner = column.right - (min(line.left for line in run) - column.left)
        turned = any(
            above.right > inner - 3 * self.measure.size and not _begins_line(below.plain)
            for above, below in zip(run, run[1:], strict=False)
        )
        return inner if len(run) > 2 and turned and all(line.right <= inner + 1 for line in run) else column.right

    def _starts(self, column: Column, above: Line | None, line: Line, inset: bool, wavers: bool) -> bool:
        """Whether a line begins a new block.  `wavers`: the next line is set in again."""
        size = self.measure.size
        last = self._lines[-1]
        if last.hyphen:
            return False
        gap = above.y - line.y if above is not None and above.page == last.page else None
        # A raised mark may push its line down.
        raised = 0.3 * size if MARK_OPEN in line.text or MARK_OPEN in last.text else 0.0
        if gap is not None and gap > self.measure.gap + raised:
            return True
        hard = self._had_room(last, line)
        other_size = abs(line.size - last.size) > 0.08 * size and min(len(line.text), len(last.text)) > 3
        if other_size and gap is not None and (hard or gap > 1.15 * self.measure.step):
            return True
        at_margin = line.left - column.left < 0.4 * size
        if self._hangs_on(line, inset, hard, gap):
            return False
        if self._inset and not inset and len(self._lines) == 1 and not hard and at_margin and not self._is_right(last):
            # An indent that the rest of the book does not have: the paragraph goes on at the margin.
            self._inset = False
            return False
        if hard and self._is_right(line) and line.left - last.left > 2 * size:
            return True
        if inset or self._inset:
            if inset != self._inset and not (wavers and self._wavers(column, line)):
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
            and (self.measure.spaced or self._room(line) > size)
        ):
            # Nothing but the line's end: verse at the margin, or lines of an address.
            return False
        if self.measure.verse and gap is None and hard:
            # A stanza that goes on overleaf.
            return bool(_STOP.search(last.plain))
        if gap is None and hard and at_margin and self._goes_on_as_verse(last, line):
            return False
        if gap is None and not hard and not self.measure.indent and line.plain.lstrip()[:1] in "“«—":
            # Sentences end at line ends of a paragraph too, but seldom does then a speech begin.
            return bool(SENTENCE_END.search(last.plain))
        if self.measure.indent and above is None:
            # At the head of a page only an indent begins a paragraph, unless the last line plainly ended one.
            return hard and bool(SENTENCE_END.search(last.plain)) and self._room(last) > 6 * size
        return hard and (bool(SENTENCE_END.search(last.plain)) or self._room(last) > 0.4 * (self._edge - self._margin))

    def _goes_on_as_verse(self, last: Line, line: Line) -> bool:
        """Whether short lines at the margin go on overleaf with another."""
        short = len(self._lines) > 1 and self._is_verse([*self._lines, line]) and self._looks_like_verse(self._lines)
        return short and not _STOP.search(last.plain) and _begins_line(line.plain) and self._room(line) > line.size

    def _hangs_on(self, line: Line, inset: bool, hard: bool, gap: float | None) -> bool:
        """Whether a line set in goes on from a full line at the margin, as the items of lists do."""
        if self._inset or not inset or hard:
            return False
        if self._hangs:
            return abs(line.left - self._hangs) < 1.5
        if len(self._lines) == 1 and gap is not None and not self._indented:
            item = _ITEM.match(self._lines[0].plain)
            if item or not _begins_line(line.plain):
                self._hangs = line.left
        return bool(self._hangs)

    def _wavers(self, column: Column, line: Line) -> bool:
        """A verse line that goes back to a smaller inset, amid others."""
        size = self.measure.size
        near = line.left > max(column.left + 0.4 * size, min(one.left for one in self._lines) - 3 * size)
        return self._inset and near and self._is_verse([*self._lines, line])

    def _is_right(self, line: Line) -> bool:
        """Whether a line is set to the right: a signature, a date, the author of an epigraph."""
        width = self._edge - self._margin
        return line.left - self._margin > 0.35 * width and self._room(line) < 1.5 * self.measure.size

    def _room(self, line: Line) -> float:
        return self._edge - line.right

    def _had_room(self, last: Line, following: Line, edge: float | None = None) -> bool:
        """Whether the first word of the following line would have had room at the end of the last."""
        width = (last.right - last.left) / max(1, len(last.plain))
        word = following.plain.split(" ")[0]
        room = self._room(last) if edge is None else edge - last.right
        return room > width * (len(word) + 1) + 0.4 * last.size

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
        kept = [below for above, below in pairs if not self._is_turned(above, below)]
        capitals = sum(_begins_line(below.plain) for below in kept)
        long = self._inset and len(lines) >= 4 and 3 * len(kept) >= len(pairs)
        return long and capitals >= 0.75 * len(kept)

    def _looks_like_verse(self, lines: Sequence[Line]) -> bool:
        """Whether lines at the margin begin as verse does, or are far shorter than a ragged margin makes them."""
        capitals = sum(_begins_line(line.plain) for line in lines)
        room = sum(self._room(line) for line in lines) / len(lines)
        return capitals >= 0.75 * len(lines) or room >= 0.3 * (self._edge - self._margin)

    def _is_prose(self, lines: Sequence[Line]) -> bool:
        """Whether lines that are set in were broken by a narrower measure of their own."""
        own = max(line.right for line in lines)
        pairs = list(zip(lines, lines[1:], strict=False))
        broken = sum(self._had_room(above, below, own) for above, below in pairs)
        capitals = sum(_begins_line(below.plain) for _, below in pairs)
        if len(lines) < 3:
            return bool(pairs) and not capitals and not broken and not SENTENCE_END.search(lines[0].plain)
        justified = sum(own - line.right < 1 for line in lines[:-1]) >= 0.7 * len(pairs)
        return justified or (broken < 0.5 * len(pairs) and capitals < 0.5 * len(pairs))

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
        set_so = self._is_verse(lines) and (not self._is_prose(lines) if self._inset else self._looks_like_verse(lines))
        alike = self.measure.verse and sum(_begins_line(text) for text in texts) >= 0.75 * len(texts)
        if len(lines) > 1 and not self._indented and (set_so or alike):
            text = "\n".join(self._verse_lines(lines, texts))
            self.found.append(Found("verse", text, lines[0].page, space=self._space))
            return
        text = texts[0]
        for line, following in zip(lines, texts[1:], strict=False):
            text = self._join(text, line, following)
        small = max(line.size for line in lines) < 0.93 * self.measure.size
        plain = not (
            self._inset or small or self._is_right(lines[0]) or (len(lines) == 1 and self._is_centred(lines[0]))
        )
        self.found.append(Found("paragraph", text, lines[0].page, space=self._space, plain=plain))

    def _is_centred(self, line: Line) -> bool:
        left, right = line.left - self._margin, self._edge - line.right
        return abs(left - right) < 1.2 * self.measure.size and left > self.measure.indent + self.measure.size

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

    def _heading_level(self, column: Column, above: Line | None, under: Sequence[Line], line: Line) -> int:
        """1 for a part, 2 for a chapter, 3 for what is smaller; 0 for text.  `under` are the next two lines."""
        size, step = self.measure.size, self.measure.step
        text = line.plain.strip()
        if len(text) > 120 or not any(char.isalnum() for char in text) or (line.hyphen and line.size < 1.12 * size):
            return 0
        said = recognise(text)
        before = above.y - line.y if above is not None else 1e9
        after = _distance(line, under)
        narrow = line.right - line.left < 0.9 * (column.right - column.left)
        if line.size >= 1.12 * size and (narrow or before > 1.3 * step):
            return 1 if is_part(text) else 2 if line.size >= 1.17 * size or said else 3
        centred = _is_centred(column, line, size)
        # A title of a line may stand between the number and the space below.
        titled = centred and len(under) == 2 and _is_centred(column, under[0], size) and under[0].size < 1.12 * size
        space = after > 1.2 * step or (titled and after < 2 * step and _distance(under[0], under[1:]) > 1.2 * step)
        ends = SENTENCE_END.search(text.rstrip("."))
        # A number said in words may stand right above its text.
        space = space or (said is not None and said.kind == "chapter" and narrow and len(text) < 60)
        if said is not None and before > 1.35 * step and space and (centred or said.kind != "bare") and not ends:
            return 1 if said.kind == "part" else 2
        last = self.found[-1] if self.found and not self._lines else None
        heads_on = last is not None and last.kind == "heading" and before < 3.2 * step
        if heads_on and last is not None and centred and narrow and after > 1.2 * step:
            untitled = recognise(last.text)
            named = untitled is not None and not untitled.titled and "\n" not in last.text and is_title_line(text)
            return 2 if text.isupper() or named else 0
        return 0

    def _add_heading(self, line: Line, level: int, above: Line | None) -> None:
        """Lines of one heading in one size that follow each other closely are one."""
        last = self.found[-1] if self.found else None
        text = self._text(line)
        close = above is not None and abs(above.size - line.size) < 0.5 and self._follows(above, line)
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

    def _follows(self, above: Line, line: Line) -> bool:
        """Whether a line of a heading goes on with the one above: right under it, or because that one was full."""
        distance = above.y - line.y
        return distance < 1.7 * line.size or (distance < 2.6 * line.size and not self._had_room(above, line))


def _distance(line: Line, under: Sequence[Line]) -> float:
    return line.y - under[0].y if under else 1e9


def _is_centred(column: Column, line: Line, size: float) -> bool:
    left, right = line.left - column.left, column.right - line.right
    return abs(left - right) < 1.2 * size and left > size


def add_breaks(found: Sequence[Found], step: float) -> list[Found]:
    """Blocks with a scene break where two paragraphs of the body are parted by more space than most are."""
    spaces = [
        below.space
        for above, below in zip(found, found[1:], strict=False)
        if above.plain and below.plain and 0 < below.space < 5 * step
    ]
    if not spaces:
        return list(found)
    usual = max(step, sorted(spaces)[len(spaces) // 2])
    least = usual + 0.55 * step
    wide = sum(space > least for space in spaces)
    if wide > max(2, 0.12 * len(spaces)):
        return list(found)
    broken: list[Found] = []
    for block in found:
        last = broken[-1] if broken else None
        parts = last is not None and last.plain and block.plain and least < block.space < 5 * step
        if parts and last is not None and SENTENCE_END.search(last.text) and _begins_line(block.text):
            broken.append(Found("break", SCENE_BREAK, block.page))
        broken.append(block)
    return broken


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
        beside += _under_initial(lines, index, beside, measure)
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
