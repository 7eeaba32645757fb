"""Paragraphs, verse and headings out of plain lines, as plain text files and `<pre>` hold them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

# So many lines that all begin with capitals are no wrapped prose.
_SURELY_LINES = 4
_LONGEST_VERSE = 140
SENTENCE_END = re.compile(r"[.!?…:][”’»\"')\]]*\s*$")


@dataclass(frozen=True)
class Lines:
    """Lines that stand together: no blank one between them.  `number` is the first one's, counting from 1; `gap` is
    how many blank lines stand before."""

    lines: tuple[str, ...]
    number: int
    gap: int

    @cached_property
    def text(self) -> str:
        return " ".join(line.strip() for line in self.lines)


@dataclass(frozen=True, slots=True)
class Gone:
    """What is no text of the book: why, what it says, and the number of its line."""

    reason: str
    text: str
    number: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file sets its text: the length at which lines are broken (0: each line is a paragraph), and whether a
    paragraph begins with an indented line instead of after a blank one."""

    width: int
    indented: bool


def group_lines(text: str, ends: bool = False) -> list[Lines]:
    """Runs of lines without a blank line between them.  White space at line ends goes, unless `ends` keeps it."""
    groups: list[Lines] = []
    current: list[str] = []
    first = gap = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            if not current:
                first = number
            current.append(line.expandtabs(4) if ends else line.expandtabs(4).rstrip())
            continue
        if current:
            groups.append(Lines(tuple(current), first, gap))
            current, gap = [], 0
        gap += 1
    if current:
        groups.append(Lines(tuple(current), first, gap))
    return groups


def numbered(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Each match with the number of the line on which it begins."""
    number, last = 1, 0
    for match in pattern.finditer(text):
        number += text.count("\n", last, match.start())
        last = match.start()
        yield number, match


def find_layout(groups: Sequence[Lines]) -> Layout:
    """Whether lines are broken at a width, and at which.

    In text that was wrapped at width W no line could have taken the next line's first word; where most lines could,
    each line is a paragraph (or a verse line) of its own.
    """
    pairs = [(a, b) for group in groups for a, b in zip(group.lines, group.lines[1:], strict=False)]
    if len(pairs) < 3:
        # Nothing but single lines, or a few short stanzas: a pair of long lines is still a wrapped paragraph.
        longest = max((len(line) for group in groups for line in group.lines), default=0)
        return Layout(longest if 40 <= longest <= 100 else 0, False)
    lengths = sorted(len(first) for first, _ in pairs)
    width = lengths[int(0.97 * (len(lengths) - 1))]
    lines = [line for group in groups for line in group.lines]
    if sum(len(line) for line in lines if len(line) > 1.3 * width + 20) >= 0.3 * sum(map(len, lines)):
        # Whole paragraphs on a line each; the only pairs of lines are verse.
        return Layout(0, False)
    long_lines = [first for first, _ in pairs if len(first) > 0.65 * width]
    ended = sum(bool(SENTENCE_END.search(line)) for line in long_lines)
    if len(long_lines) >= 3 and ended >= 0.85 * len(long_lines) and min(map(len, long_lines)) < 0.85 * width:
        # Lines that a width breaks seldom end a sentence.
        return Layout(0, False)
    # Prose may be a small part of a book of verse: any width at which lines pile up counts.
    full = sum(_is_full(first, second, width) for first, second in pairs)
    wrapped = width <= 200 and full >= 0.4 * len(pairs)
    if not wrapped and width <= 120:
        nearly_full = sum(length >= 0.85 * width for length in lengths)
        wrapped = width >= 55 and nearly_full >= 0.15 * len(lengths)
    if not wrapped:
        return Layout(0, False)
    width -= _room_left(pairs, width)
    return Layout(width, _is_indented(groups, width))


def _room_left(pairs: Sequence[tuple[str, str]], width: int) -> int:
    """How much room lines of prose leave at their end although the next word would fit.

    Typists who break lines where the sense does leave much, and then a short line alone says nothing of verse.  What
    begins in lower case goes on from the line before; where most lines do, they tell.
    """
    goes_on = [(a, b) for a, b in pairs if b.lstrip()[:1].islower() and indent_of(a) <= 4 and indent_of(b) <= 4]
    if len(goes_on) < 60 or len(goes_on) < 0.5 * len(pairs):
        return 0
    rooms = sorted(width - len(a) - 1 - len(b.split()[0]) for a, b in goes_on)
    room = rooms[int(0.95 * (len(rooms) - 1))]
    return min(max(0, room), int(0.6 * width))


def _is_full(line: str, following: str, width: int) -> bool:
    """Whether `line` had no room for the first word of the next one."""
    return len(line) + 1 + len(following.split()[0]) > width


def _is_indented(groups: Sequence[Lines], width: int) -> bool:
    """Paragraphs without blank lines between them: long runs of lines in which some are indented."""
    long_runs = [group for group in groups if len(group.lines) >= 6]
    lines = [line for group in long_runs for line in group.lines]
    if len(lines) < 0.5 * sum(len(group.lines) for group in groups):
        return False
    indented = sum(1 <= indent_of(line) <= 10 for line in lines)
    # What stands at the margin goes on from a line that had no more room: nothing else does in such a text.
    pairs = [(a, b) for group in long_runs for a, b in zip(group.lines, group.lines[1:], strict=False)]
    before = [_is_full(first, second, width) for first, second in pairs if indent_of(second) == 0]
    goes_on = sum(before) >= 0.85 * len(before) and len(before) >= 0.05 * len(lines)
    full = sum(len(line) > 0.75 * width for line in lines)
    return 0.01 * len(lines) <= indented and (goes_on or (indented <= 0.5 * len(lines) and full >= 0.5 * len(lines)))


def indent_of(line: str) -> int:
    return len(line) - len(line.lstrip())


def usual_indent(groups: Sequence[Lines]) -> int:
    """The indent of a paragraph's first line: the commonest above the margin that is followed by a line at it."""
    counts: Counter[int] = Counter()
    for group in groups:
        indents = [indent_of(line) for line in group.lines]
        counts.update(a for a, b in zip(indents, indents[1:], strict=False) if a > b)
    return counts.most_common(1)[0][0] if counts else 0


def split_indented(group: Lines, usual: int) -> list[Lines]:
    """A run of lines cut before each line with the usual indent of a paragraph; deeper lines stay together."""
    indents = [indent_of(line) for line in group.lines]
    if len(indents) > 1 and min(indents) > 0 and (min(indents) > usual + 1 or _is_stanza(group.lines)):
        return [group]
    runs: list[Lines] = []
    current: list[str] = []
    first = group.number
    margin = min(indents)
    deep = False
    for offset, (line, indent) in enumerate(zip(group.lines, indents, strict=True)):
        deeper = indent > max(usual, margin) + 1
        starts = indent > margin and not deeper
        if current and (starts or deeper != deep):
            runs.append(Lines(tuple(current), first, group.gap if not runs else 0))
            current, first = [], group.number + offset
        current.append(line)
        deep = deeper
    runs.append(Lines(tuple(current), first, group.gap if not runs else 0))
    return runs


def _is_stanza(lines: Sequence[str], longest: int = 75) -> bool:
    """Whether lines that stand apart between blank ones are verse and not short speeches: few end a sentence."""
    ends = sum(bool(SENTENCE_END.search(line)) for line in lines)
    return max(len(line.strip()) for line in lines) <= longest and ends <= 0.7 * len(lines)


def part_unwrapped(groups: Sequence[Lines]) -> list[Lines]:
    """Groups of a text whose lines are paragraphs: each line by itself, but short lines that stand apart as stanzas."""
    parted: list[Lines] = []
    # Where blank lines part the paragraphs, several lines together are verse even when they are long.
    spaced = sum(len(group.lines) == 1 for group in groups) >= 0.7 * len(groups)
    longest, usual = (140, 100) if spaced else (75, 60)
    margin = Counter(indent_of(group.lines[0]) for group in groups).most_common(1)[0][0] if groups else 0
    for group in groups:
        if len(group.lines) > 1 and min(map(indent_of, group.lines)) >= margin + 2 and _reads_as_lines(group.lines):
            parted.append(group)
            continue
        lengths = [len(line.strip()) for line in group.lines]
        stands = len(lengths) > 1 and sum(lengths) <= usual * len(lengths) and max(lengths) <= longest
        speech = any(line.strip()[:1] in '—–-“"«‘' for line in group.lines[1:])
        if stands and (_is_stanza(group.lines, longest) or (spaced and len(lengths) > 2 and not speech)):
            parted.append(group)
            continue
        for offset, line in enumerate(group.lines):
            parted.append(Lines((line,), group.number + offset, group.gap if offset == 0 else 0))
    return parted


def is_verse(group: Lines, layout: Layout) -> bool:
    """Whether the lines of a group were broken by their author and not by a width."""
    lines = [line.strip() for line in group.lines]
    if len(lines) < 2 or layout.width == 0:
        return False
    pairs = list(zip(lines, lines[1:], strict=False))
    own = max(len(line) for line in lines)
    if len(lines) >= _SURELY_LINES and _reads_as_lines(lines):
        # A sentence that comes again and again may begin every line of a paragraph.
        uneven = not all(_is_full(first, second, own) for first, second in pairs)
        if uneven or own > layout.width:
            return True
    indent = min(map(indent_of, group.lines))
    short = sum(not _is_full(first, second, layout.width - indent) for first, second in pairs) / len(pairs)
    if short == 1.0 and len(pairs) <= 2:
        # Addresses, signatures and couplets begin their lines with capitals; a paragraph in a narrower measure does
        # not.
        return all(_begins_line(line) for line in lines[1:])
    if short < 0.6:
        return False
    capitals = sum(_begins_line(line) for line in lines) / len(lines)
    if capitals < 0.5 and indent <= 1 and own > 0.8 * layout.width:
        return False
    ragged = sum(not _is_full(first, second, own) for first, second in pairs) / len(pairs)
    return ragged >= 0.35 or (capitals >= 0.8 and short >= 0.8)


def _reads_as_lines(lines: Sequence[str]) -> bool:
    """Whether every line begins with a capital: those of wrapped prose hardly ever do."""
    firsts = (next((char for char in line if char.isalpha()), "") for line in lines)
    return all(first.isupper() for first in firsts) and max(map(len, lines)) <= _LONGEST_VERSE


def _begins_line(line: str) -> bool:
    first = next((char for char in line if char.isalnum()), "")
    return not first.islower()


def rejoin(lines: Sequence[str]) -> str:
    """Wrapped lines as one paragraph.  A hyphen at a line end joins two parts of a word that is spelt with it."""
    text = lines[0].strip()
    for line in lines[1:]:
        line = line.strip()
        joined = text.endswith("-") and not text.endswith(("--", " -")) and line[:1].isalpha() and text[-2:-1].isalpha()
        # `--` at a line end is a dash that plain text sets without spaces.
        dash = text.endswith(("--", "—")) or line.startswith(("--", "—"))
        text += line if joined or (dash and not _opens_speech(text, line)) else f" {line}"
    return text


def _opens_speech(text: str, line: str) -> bool:
    """Whether the dash at the edge has a space on its other side, so that it needs one here too."""
    if line.startswith(("--", "—")):
        return line.lstrip("-—").startswith(" ")
    return text.rstrip("-—").endswith(" ")
