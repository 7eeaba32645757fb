"""Chapters out of items: which headings open one, which stand inside one, which two are one heading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from quire.books.book import Block, Chapter, Matter
from quire.books.headings import is_numbered, is_part

if TYPE_CHECKING:
    from quire.books.draft import Draft, Item


_HEAD = 12


@dataclass(frozen=True, slots=True)
class Opened:
    """A chapter, and what the source itself says of it: the role of such a text in a book, and where it stands."""

    chapter: Chapter
    role: str = ""
    matter: Matter | None = None


def gather_chapters(draft: Draft, items: Iterable[Item]) -> list[Opened]:
    """The chapters of items that hold no notes; a heading that only repeats the one before it is dropped."""
    merged = _join_headings(draft, list(items))
    deepest = _chapter_level(merged)
    opened: list[Opened] = []
    start: Item | None = None
    blocks: list[Block] = []

    def close() -> None:
        title = start.text or None if start is not None else None
        chapter = _chapter(title, blocks)
        if chapter.title or chapter.blocks:
            opened.append(Opened(chapter, start.role if start else "", start.matter if start else None))

    for item in merged:
        kind = item.kind
        assert kind != "note"
        if kind == "chapter" or (kind == "heading" and item.level <= deepest):
            close()
            start, blocks = item, []
        else:
            blocks.append(Block(kind, item.text, item.place, item.speaker))
    close()
    return opened


def _chapter(title: str | None, blocks: list[Block]) -> Chapter:
    """Scene breaks part two scenes: one at either end of a chapter, or after another, parts nothing."""
    kept: list[Block] = []
    for block in blocks:
        if block.kind != "break" or (kept and kept[-1].kind != "break"):
            kept.append(block)
    if kept and kept[-1].kind == "break":
        kept.pop()
    return Chapter(title, tuple(kept))


def _join_headings(draft: Draft, items: list[Item]) -> list[Item]:
    """`Chapter I` and `The Storm` right after it are one heading; a part and its first chapter are two."""
    joined: list[Item] = []
    for item in items:
        if item.kind != "heading" and item.kind != "chapter":
            joined.append(item)
            continue
        last = joined[-1] if joined else None
        if item.kind == "heading" and last is not None and last.kind == "heading":
            repeats = item.text.lower() == last.text.lower()
            number_first = is_numbered(last.text) and not is_numbered(item.text) and not repeats
            if number_first and item.level >= last.level and "\n" not in last.text and len(item.text) <= 160:
                joined[-1] = replace(last, text=f"{last.text}\n{item.text}")
                continue
            if repeats:
                draft.drop("repeated heading", item.text, item.place)
                continue
        if last is not None and last.kind == "chapter":
            joined.pop()
            if item.kind == "heading" and not (item.role or item.matter):
                item = replace(item, role=last.role, matter=last.matter)
        joined.append(item)
    return joined


def _chapter_level(items: Sequence[Item]) -> int:
    """The lowest rank of heading that opens chapters.

    The highest rank does.  The rank below does too where nearly every heading of the higher one is followed at once by
    one of the lower: parts hold chapters, but a section inside a chapter has text before it.
    """
    headings = [(index, item) for index, item in enumerate(items) if item.kind == "heading"]
    levels = sorted({item.level for _, item in headings})
    if not levels:
        return 0
    deepest = levels[0]
    for upper, lower in zip(levels, levels[1:], strict=False):
        owners = [index for index, item in headings if item.level == upper]
        followed = [index for index in owners if index + 1 < len(items) and items[index + 1].kind == "heading"]
        parts = [index for index in owners if is_part(items[index].text)]
        lowers = [item for _, item in headings if item.level == lower]
        numbered = sum(is_numbered(item.text) for item in lowers)
        # A preface without any heading inside says nothing of what holds what.
        holders = _holders(headings, upper)
        held = sum(index in holders for index in parts) >= max(1, 0.5 * len(holders))
        opening = sum(_opens_file(items, index) for index, item in headings if item.level == lower)
        holds = (
            len(followed) >= 0.5 * len(owners)
            or len(parts) >= 0.5 * len(owners)
            or held
            or (opening >= max(3, 0.8 * len(lowers)) and len(lowers) > len(owners))
        )
        single = len(owners) <= 2 and len(lowers) >= 3 and numbered >= 0.5 * len(lowers)
        # One heading above all others at the head of the book is its title.
        title = len(owners) == 1 and owners[0] <= _HEAD and len(lowers) >= 3
        # Chapters with numbers are chapters, whatever stands above them without one.
        counted = numbered >= max(5, 0.5 * len(lowers)) and not any(is_numbered(items[i].text) for i in owners)
        if not (holds or single or title or counted):
            break
        deepest = lower
    return deepest


def _holders(headings: Sequence[tuple[int, Item]], rank: int) -> set[int]:
    """Where the headings of a rank stand that have lower ones under them."""
    return {
        index
        for (index, item), (_, following) in zip(headings, headings[1:], strict=False)
        if item.level == rank < following.level
    }


def _opens_file(items: Sequence[Item], index: int) -> bool:
    """Whether an item is the first of its file, in a book of many files."""
    inside = items[index].place.inside
    return bool(inside) and (index == 0 or items[index - 1].place.inside != inside)
