"""The proof of a book: a page on which what was kept and what was dropped stand side by side.

It opens without a network and without a script; every text on it is escaped, and characters that nobody sees are named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

import jinja2
from markupsafe import Markup

from quire.books.book import Block, Book, Chapter, Place, Shelf
from quire.books.copies.duplicates import describe, find_duplicates
from quire.books.visible import show_unseen
from quire.errors import BookError

MOST_CHARACTERS = 40_000_000  # of text on one page; browsers give up on much more
NOTE = "note, kept aside"


@dataclass(frozen=True, slots=True)
class Aside:
    """Something beside the text: `reason` says why it is not in it."""

    reason: str
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Row:
    """Blocks of one place (a page, or what stands between two droppings) with what was dropped there."""

    label: str
    opens: Chapter | None
    blocks: tuple[Block, ...]
    asides: tuple[Aside, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One book: its rows in reading order, and what was dropped at places that no kept text shares."""

    book: Book
    elsewhere: tuple[Aside, ...]
    rows: tuple[Row, ...]

    @property
    def dropped_words(self) -> int:
        return sum(len(drop.text.split()) for drop in self.book.dropped)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is not in the text, how often, and the number of its colour on the page."""

    name: str
    count: int
    colour: int


COLOURS = 7
MOST_DUPLICATES = 100


def proof_of(shelf: Shelf) -> str:
    """The page, as HTML.  Raises BookError when the shelf holds more than a browser can show."""
    length = sum(len(chapter.text) for book in shelf for chapter in book.chapters)
    if length > MOST_CHARACTERS:
        raise BookError(
            f"{length // 1_000_000} million characters are too many for one page", then="name fewer books for --html"
        )
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"text": as_html, "line": as_line}
    template = environment.from_string(files("quire.books").joinpath("proof.html.j2").read_text(encoding="utf-8"))
    sheets = [sheet_of(book) for book in shelf]
    reasons = reasons_of(shelf)
    duplicates = find_duplicates(shelf)
    return template.render(
        shelf=shelf,
        sheets=sheets,
        reasons=reasons,
        colours={reason.name: reason.colour for reason in reasons},
        numbers={reason.name: number for number, reason in enumerate(reasons)},
        duplicates=[describe(shelf, found) for found in duplicates[:MOST_DUPLICATES]],
        more_duplicates=max(0, len(duplicates) - MOST_DUPLICATES),
        kept_words=shelf.words,
        dropped_words=sum(sheet.dropped_words for sheet in sheets),
    )


def reasons_of(shelf: Shelf) -> list[Reason]:
    """Every reason there is, the most frequent first; notes count as one."""
    counts: dict[str, int] = {}
    for book in shelf:
        for drop in book.dropped:
            counts[drop.reason] = counts.get(drop.reason, 0) + 1
        if book.notes:
            counts[NOTE] = counts.get(NOTE, 0) + len(book.notes)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [Reason(name, count, position % COLOURS) for position, (name, count) in enumerate(ranked)]


def sheet_of(book: Book) -> Sheet:
    """The rows of a book.

    Droppings whose unit of place (page, line, paragraph of one file) is that of kept text go before the first block
    that stands after them; where the unit is the page itself, beside the page.
    """
    asides = [Aside(drop.reason, drop.text, drop.place) for drop in book.dropped]
    asides += [Aside(NOTE, note.text, note.place) for note in book.notes]
    scales = {_scale(block.place) for chapter in book.chapters for block in chapter.blocks}
    placed = sorted((a for a in asides if _scale(a.place) in scales), key=lambda aside: aside.place.number)
    waiting: dict[tuple[str, str], list[Aside]] = {}
    for aside in placed:
        waiting.setdefault(_scale(aside.place), []).append(aside)
    elsewhere = tuple(aside for aside in asides if _scale(aside.place) not in scales)
    return Sheet(book, elsewhere, tuple(_rows(book, waiting)))


def _rows(book: Book, waiting: dict[tuple[str, str], list[Aside]]) -> Iterator[Row]:
    """Blocks in order, a new row where a chapter opens, a page turns, or something was dropped in between."""
    opens: Chapter | None = None
    blocks: list[Block] = []
    asides: list[Aside] = []

    def close() -> Iterator[Row]:
        nonlocal opens
        if opens or blocks or asides:
            place = blocks[0].place if blocks else (asides[0].place if asides else None)
            yield Row(str(place) if place else "", opens, tuple(blocks), tuple(asides))
            opens = None
            blocks.clear()
            asides.clear()

    last: Place | None = None
    for chapter in book.chapters:
        yield from close()
        opens = chapter
        for block in chapter.blocks:
            turned = last is not None and block.place.unit == "page" and block.place != last
            due = _due(waiting, block.place)
            if blocks and (turned or due):
                yield from close()
            asides.extend(due)
            blocks.append(block)
            last = block.place
    yield from close()
    for left in waiting.values():
        if left:
            yield Row(str(left[0].place), None, (), tuple(left))


def _due(waiting: dict[tuple[str, str], list[Aside]], place: Place) -> list[Aside]:
    """What was dropped up to this place and has not been shown."""
    queue = waiting.get(_scale(place), [])
    count = next((index for index, aside in enumerate(queue) if aside.place.number > place.number), len(queue))
    due = queue[:count]
    del queue[:count]
    return due


def _scale(place: Place) -> tuple[str, str]:
    return place.unit, place.inside


def as_html(text: str) -> Markup:
    """Text with its line ends kept and its unseen characters named."""
    return Markup("<br>").join(show_unseen(text).split("\n"))


def as_line(text: str) -> str:
    """A heading on one line."""
    return " ".join(show_unseen(text).split())
