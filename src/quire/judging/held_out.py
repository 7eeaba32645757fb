"""The text that was held out for judging, as texts of chapters or works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from quire.books.book import Passage, Shelf
from quire.judging.loss import ENOUGH_UNITS
from quire.prompts.conversation import conversation_of, shown
from quire.tokens.stretches import join_passages, text_of

Kind = Literal["chapters", "works"]


@dataclass(frozen=True)
class HeldOut:
    """Unbroken texts; `units[i]` names the chapter or work (see `kind`) that text i belongs to."""

    texts: tuple[str, ...]
    units: tuple[str, ...]
    kind: Kind


def held_out(shelf: Shelf, passages: Sequence[Passage]) -> HeldOut:
    """The test text: by works where test text comes from at least eight of them, otherwise by chapters.

    `passages` is the whole cut, in reading order.
    """
    groups = join_passages(passages, "test")
    works = len({group[0].book for group in groups}) >= ENOUGH_UNITS
    if not works:
        groups = [list(same) for group in groups for _, same in groupby(group, key=lambda passage: passage.chapter)]
    places = [(group[0].book, -1 if works else group[0].chapter) for group in groups]
    names = _names(shelf, places)
    texts = tuple(_text(group) for group in groups)
    return HeldOut(texts, tuple(names[place] for place in places), "works" if works else "chapters")


def _text(group: Sequence[Passage]) -> str:
    """Neighbouring passages as they stand in the book; a conversation as it is shown, so that it is read as one."""
    return shown(conversation_of(group[0])) if group[0].turns else text_of(group)


def place_name(shelf: Shelf, book: int, chapter: int) -> str:
    """`Chapter 3`, or its title; with the work's title before it where there are several works."""
    work = shelf.books[book]
    if chapter < 0 or (len(work.chapters) == 1 and len(shelf) > 1):
        return work.title or f"Work {book + 1}"
    title = " ".join((work.chapters[chapter].title or f"Chapter {chapter + 1}").split())
    return f"{work.title}, {title}" if len(shelf) > 1 else title


def _names(shelf: Shelf, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """A name of its own for every place: a second `Sonnet` is `Sonnet (2)`."""
    named: dict[tuple[int, int], str] = {}
    seen: Counter[str] = Counter()
    for place in dict.fromkeys(places):
        name = place_name(shelf, *place)
        seen[name] += 1
        named[place] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return named
