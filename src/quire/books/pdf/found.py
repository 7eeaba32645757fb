"""The blocks of a PDF as they were found, and what only all of them together tell: breaks of mere space, ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quire.books.draft import SCENE_BREAK, ItemKind
from quire.books.headings import has_word, recognise
from quire.books.pdf.measure import SENTENCE_END, begins_line

# L, C, D, M: letters first.
_HIGH = 50


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


def without_scraps(found: Sequence[Found]) -> list[Found]:
    """Large lines without a word are no headings but pieces of figures, tables and formulas, unless they count.

    A letter that is also a high numeral (`C`, `D`, `M`) counts where the number before has been reached.
    """
    kept: list[Found] = []
    last = 0
    for block in found:
        if block.kind == "heading":
            said = recognise(block.text.split("\n")[0])
            number = (said.number if said is not None else None) or 0
            low = number < _HIGH or 0 < number - last <= 2 or block.text[0].isdigit()
            counts = said is not None and (said.kind != "bare" or (low and not said.titled))
            if not counts and not has_word(block.text):
                block = replace(block, kind="paragraph", level=0)
            else:
                last = number or last
        kept.append(block)
    return kept
