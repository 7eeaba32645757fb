"""The blocks of a PDF as they were found, and what only all of them together tell: breaks of mere space, ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quire.books.draft import SCENE_BREAK, ItemKind
from quire.books.pdf.measure import SENTENCE_END, begins_line


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
        if parts and last is not None and SENTENCE_END.search(last.text) and begins_line(block.text):
            broken.append(Found("break", SCENE_BREAK, block.page))
        broken.append(block)
    return broken


def even_levels(found: Sequence[Found]) -> list[Found]:
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
