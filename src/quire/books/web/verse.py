"""Verse as pages mark it: lines parted by `<br>`, one `<span>` each, or one block each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from quire.books.markup import Element, squeeze
from quire.books.web.looks import Look

if TYPE_CHECKING:
    from quire.books.web.walk import Walk

_ENDS = re.compile(r"[.!?…:;”’»\"')\]—–-]$")
_SPEAKS = ("“", "«", '"', "—", "–", "‘")
# Few lines of verse are longer; paragraphs are.
_LONG_LINE = 75
_LONGEST_LINE = 90


def read_verse(walk: Walk, element: Element, look: Look, note: bool, stanza_of: Element | None) -> None:
    """A block of verse.  Single lines of one parent, one right after the other, are a stanza."""
    if not walk.holds_block(element):
        lines = _lines(walk, element, note)
        parent = element.getparent()
        last = walk.draft.items[-1] if walk.draft.items else None
        if len(lines) == 1 and stanza_of is not None and stanza_of is parent and last and last.kind == "verse":
            last.text = f"{last.text}\n{lines[0]}"
        elif lines:
            walk.add("verse", "\n".join(lines), note)
        if len(lines) == 1 and not look.kinds and not note:
            walk.stanza = parent
        return
    _Stanzas(walk, note, merged=look.stanza or not look.typed_verse).read(element)


class _Stanzas:
    """The lines of a block of verse that holds others, gathered into stanzas."""

    def __init__(self, walk: Walk, note: bool, merged: bool) -> None:
        self.walk = walk
        self.note = note
        # Whether blocks of one line are lines of one stanza, though nothing calls them lines.
        self.merged = merged
        self.lines: list[str] = []

    def read(self, element: Element) -> None:
        walk = self.walk
        walk.parts.append(element.text or "")
        for child in element:
            look = walk.looks.of(child)
            if look.block or look.gone:
                self._loose()
                self._child(child, look)
            elif look.plain:
                walk.flow(child, verse=True, note=self.note)
            else:
                walk.inline(child, look, verse=True, note=self.note)
            walk.parts.append(child.tail or "")
        self._loose()
        self._close()

    def _child(self, child: Element, look: Look) -> None:
        walk = self.walk
        leaf = look.name in ("p", "div", "li", "dd", "line") and not (
            look.gone or look.heading or look.note or walk.holds_block(child)
        )
        found = _lines(walk, child, self.note) if leaf and walk.reason(child, look) is None else []
        if len(found) == 1 and (self.merged or look.line):
            self.lines.append(found[0])
            return
        self._close()
        if found:
            walk.add("verse", "\n".join(found), self.note)
        elif not leaf:
            walk.block(child, look, verse=True, note=self.note)
            walk.stanza = None

    def _loose(self) -> None:
        """What stands between the blocks."""
        text = squeeze("".join(self.walk.parts))
        self.walk.parts.clear()
        self.lines.extend(part for part in (part.strip(" ") for part in text.split("\v")) if part)

    def _close(self) -> None:
        if self.lines:
            self.walk.add("verse", "\n".join(self.lines), self.note)
            self.lines.clear()


def _lines(walk: Walk, element: Element, note: bool) -> list[str]:
    """The lines of a leaf of verse."""
    spans = [child for child in element if walk.looks.of(child).name == "span"]
    if len(spans) < 2 or len(spans) != len(element) or (element.text or "").strip():
        return walk.text_of(element, note)
    if any((span.tail or "").strip() or walk.looks.of(span).gone for span in spans):
        return walk.text_of(element, note)
    return [line for span in spans for line in walk.text_of(span, note)]


def are_lines(lines: list[str]) -> bool:
    """Whether lines parted by `<br>` were meant as lines: an address or verse, not a paragraph broken by a
    converter.
    """
    if len(lines) < 2:
        return False
    low = sum(line[:1].islower() for line in lines[1:])
    mean = sum(map(len, lines)) / len(lines)
    return len(lines) == 2 or (mean <= _LONGEST_LINE and low <= 0.5 * (len(lines) - 1)) or (not low and mean <= 140)


def are_paragraphs(lines: list[str]) -> bool:
    """Whether lines parted by `<br>` are each a paragraph: long ones that end as sentences do, or people talking."""
    if len(lines) < 2 or any(line[:1].islower() for line in lines):
        return False
    ended = sum(bool(_ENDS.search(line)) for line in lines) >= 0.9 * len(lines)
    talk = sum(line.startswith(_SPEAKS) for line in lines) >= max(2, 0.5 * len(lines))
    long = max(map(len, lines)) > _LONG_LINE and sum(map(len, lines)) / len(lines) > 0.6 * _LONG_LINE
    return ended and (long or talk)
