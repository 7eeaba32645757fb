"""Tables, one work a row: JSON lines and arrays, CSV, Parquet; their columns kept, `where` keeps what is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from quire.books.book import SAID, Book, Dropped, Place
from quire.books.limits import MIB, PLAIN, ReadOptions
from quire.books.rows.columns import NAME_COLUMN, flatten, names_of
from quire.books.rows.conversations import Unfit
from quire.books.rows.plays import find_columns, read_rows
from quire.books.rows.row import Bad, Entry, Values
from quire.books.rows.tables import find_format, open_rows
from quire.books.rows.where import Filter
from quire.books.rows.works import Decided, decide, make_said, make_work, show_row, take_head, unit_of
from quire.errors import BookError

MOST_TEXT = 400 * MIB
"""Characters, which all stay in memory: more is for `stream`."""
_LISTED = 1000
SHAPES = (
    'give each conversation a line: {"messages": [{"role": "user", "content": …}, {"role": "assistant", …}]}, '
    'or each completion: {"prompt": …, "completion": …}'
)


class _Drops:
    """What was dropped, row by row; of a reason that comes again and again, after a while only how often."""

    def __init__(self) -> None:
        self._listed: list[Dropped] = []
        self._counts: dict[str, int] = {}
        self._last: dict[str, Place] = {}

    def add(self, reason: str, text: str, place: Place, count: int = 1) -> None:
        self._counts[reason] = self._counts.get(reason, 0) + 1
        if count > 1:
            text = f"{count} rows; {text}"
        if self._counts[reason] <= _LISTED:
            self._listed.append(Dropped(reason, text, place))
        self._last[reason] = place

    def all(self) -> tuple[Dropped, ...]:
        more = [
            Dropped(reason, f"{count - _LISTED} more, the last at {self._last[reason]}", self._last[reason])
            for reason, count in self._counts.items()
            if count > _LISTED
        ]
        return (*self._listed, *more)


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """One book for each row that has text.

    Raises BookError when nothing is a row, when the text column cannot be told, or when `where` matches nothing.
    """
    try:
        return _read(path, options)
    except MemoryError:
        raise _too_large(path) from None


def _read(path: Path, options: ReadOptions) -> list[Book]:
    table = find_format(path)
    names = tuple(name for name in (options.text, *(column for column, _ in options.where)) if name)
    entries = open_rows(path, table, names=names)
    head = take_head(entries)
    works = _Works(path, options, unit_of(table))
    every = chain(head, entries)
    play = find_columns(names_of(head), options)
    if play is not None:
        books = works.take(read_rows(path, works.kept(every, play.words), play, options))
    else:
        decided = decide(path, head, options)
        if decided.kind in SAID:
            books = works.take(works.said(every, decided))
        else:
            books = works.take(works.each(every, decided))
    works.filter.check(path)
    if not books and not works.column:
        raise works.nothing_said()
    if not books:
        raise BookError(
            f"{path} holds no text in its column {works.column!r}",
            then=NAME_COLUMN,
            code="not-a-book",
        )
    # One book has to carry what belongs to the file as a whole.
    books[0] = replace(books[0], dropped=(*books[0].dropped, *works.drops.all()))
    return books


class _Works:
    """The works of one table while it is read."""

    def __init__(self, path: Path, options: ReadOptions, unit: str) -> None:
        self.path, self.options, self.unit = path, options, unit
        self.drops = _Drops()
        self.filter = Filter(options.where)
        self.column = ""

    def kept(self, entries: Iterator[Entry], column: str) -> Iterator[tuple[int, Values]]:
        """The rows that are asked for, flattened.  Raises BookError where no row has the column of the text."""
        self.column = column
        there = False
        for entry in entries:
            if isinstance(entry, Bad):
                self.drops.add(entry.reason, entry.text, self.place(entry.number), entry.count)
                continue
            values = flatten(entry.values)
            there = there or column in values
            if self.filter.keeps(values):
                yield entry.number, values
        if not there:
            what = f"{self.path} has no column {column!r}; its columns are {', '.join(self.filter.names)}"
            raise BookError(what[:1000], then=NAME_COLUMN, code="not-a-book")

    def each(self, entries: Iterator[Entry], decided: Decided) -> Iterator[Book]:
        """A work for each row that has text."""
        for number, values in self.kept(entries, decided.column):
            book = make_work(self.path, self.place(number), values, decided, self.options)
            if book is None:
                self.drops.add("row without text", show_row(values), self.place(number))
            else:
                yield book

    def said(self, entries: Iterator[Entry], decided: Decided) -> Iterator[Book]:
        """A work for each row that is a conversation or a completion."""
        for entry in entries:
            if isinstance(entry, Bad):
                self.drops.add(entry.reason, entry.text, self.place(entry.number), entry.count)
            elif self.filter.keeps(flatten(entry.values)):
                made = make_said(self.path, self.place(entry.number), entry.values, decided.kind, decided.language)
                if isinstance(made, Unfit):
                    shown = f"{made.detail}; {show_row(entry.values)}" if made.detail else show_row(entry.values)
                    self.drops.add(made.reason, shown, self.place(entry.number))
                else:
                    yield made

    def nothing_said(self) -> BookError:
        """Why not one row is a conversation or a completion: the commonest reason, and where it stands first."""
        dropped = self.drops.all()
        first = dropped[0]
        return BookError(
            f"{self.path} holds nothing to learn from: {len(dropped):,} rows, the first, {first.place}: {first.reason}",
            then=SHAPES,
            code="not-a-book",
        )

    def take(self, books: Iterator[Book]) -> list[Book]:
        taken: list[Book] = []
        length = 0
        for book in books:
            length += sum(len(block.text) for chapter in book.chapters for block in chapter.blocks)
            if length > MOST_TEXT:
                raise _too_large(self.path)
            taken.append(book)
        return taken

    def place(self, number: int) -> Place:
        return Place(str(self.path), self.unit, number)


def _too_large(path: Path) -> BookError:
    return BookError(
        f"{path} holds more text than is held in memory at once",
        then="set stream: true for it, which reads it row by row",
        code="too-large",
    )
