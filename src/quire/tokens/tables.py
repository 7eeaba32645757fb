"""Stretches and rows as flat arrays, which can lie in a file and be mapped into memory, and how they look one by one.

A *piece* is a table of stretches and a table of the rows that are cut from them; `Rows` holds one piece or several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from quire.tokens.stretches import Stretch

Whole = NDArray[np.int64]
Mask = NDArray[np.bool_]

STRETCH, FIRST, LAST, TRAINED_FROM = range(4)
"""The columns of `RowTable.segments`."""
REPEATS, WORDS_LEARNED, WORDS_READ = range(3)
"""The columns of `StretchTable.labels`."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Targets `first` … `last` (exclusive) of a stretch; those before `trained_from` are read but not learned."""

    stretch: int
    first: int
    last: int
    trained_from: int

    @property
    def length(self) -> int:
        return self.last - self.first

    @property
    def trained(self) -> int:
        return self.last - self.trained_from


Row = tuple[Segment, ...]


@dataclass(frozen=True)
class StretchTable:
    """`ids` of all stretches one after another; stretch i is `ids[bounds[i]:bounds[i + 1]]`.

    `learned` says of every token whether it may be a target; None where all may.  `labels` (n, 3) int32 are what a
    conversation's stretch says besides (repeats, words learned, words only read), -1 for others; None without any.
    """

    ids: NDArray[np.int32]
    bounds: Whole
    books: NDArray[np.int32]
    ends: Mask
    learned: Mask | None = None
    labels: NDArray[np.int32] | None = None
    seen: int | None = None

    @property
    def own_tokens(self) -> int:
        """All of them, or those that are `seen` by some rows, each once: what a piece of a conversation repeats is not
        counted again."""
        if self.seen is not None:
            return self.seen
        repeats = 0 if self.labels is None else int(np.maximum(self.labels[:, REPEATS], 0).sum())
        return len(self.ids) - repeats

    def __len__(self) -> int:
        return len(self.books)

    def stretch(self, number: int) -> Stretch:
        """One of them, as a look into the arrays."""
        start, stop = int(self.bounds[number]), int(self.bounds[number + 1])
        learned = None if self.learned is None else self.learned[start:stop]
        plain = Stretch(self.ids[start:stop], int(self.books[number]), bool(self.ends[number]), learned)
        if self.labels is None or self.labels[number, REPEATS] < 0:
            return plain
        repeats, words, read = self.labels[number].tolist()
        return replace(plain, repeats=repeats, words=(words, read))


@dataclass(frozen=True)
class RowTable:
    """`segments` (s, 4) int32: stretch, first, last, trained_from; row i has `segments[offsets[i]:offsets[i + 1]]`.

    `targets` are the learned tokens of every row.
    """

    segments: NDArray[np.int32]
    offsets: Whole
    targets: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.targets)

    def of_row(self, index: int) -> NDArray[np.int32]:
        """The segments of a row."""
        return self.segments[self.offsets[index] : self.offsets[index + 1]]


@dataclass(frozen=True)
class Piece:
    """Stretches and the rows cut from them."""

    text: StretchTable
    rows: RowTable


def stretch_table(stretches: Sequence[Stretch]) -> StretchTable:
    """The arrays of stretches that lie apart in memory."""
    lengths = np.fromiter((len(s.ids) for s in stretches), np.int64, len(stretches))
    bounds = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
    ids = np.concatenate([s.ids for s in stretches]) if stretches else np.zeros(0, np.int32)
    learned = None
    if any(s.learned is not None for s in stretches):
        learned = np.ones(len(ids), dtype=bool)
        for stretch, start in zip(stretches, bounds.tolist(), strict=False):
            if stretch.learned is not None:
                learned[start : start + len(stretch.ids)] = stretch.learned
    books = np.fromiter((s.book for s in stretches), np.int32, len(stretches))
    ends = np.fromiter((s.ends_work for s in stretches), bool, len(stretches))
    return StretchTable(ids.astype(np.int32, copy=False), bounds, books, ends, learned, _labels(stretches))


def _labels(stretches: Sequence[Stretch]) -> NDArray[np.int32] | None:
    if not any(s.words is not None for s in stretches):
        return None
    each = [(-1, -1, -1) if s.words is None else (s.repeats, *s.words) for s in stretches]
    return np.array(each, dtype=np.int32).reshape(-1, 3)


def row_table(text: StretchTable, segments: NDArray[np.int32], offsets: Whole) -> RowTable:
    """Rows over `text`, with the number of targets of each."""
    if text.learned is None:
        trained = segments[:, LAST].astype(np.int64) - segments[:, TRAINED_FROM]
    else:
        begin = text.bounds[segments[:, STRETCH]]
        before = np.concatenate((np.zeros(1, np.int64), np.cumsum(text.learned, dtype=np.int64)))
        trained = before[begin + segments[:, LAST]] - before[begin + segments[:, TRAINED_FROM]]
    sums = np.concatenate((np.zeros(1, np.int64), np.cumsum(trained)))
    targets = (sums[offsets[1:]] - sums[offsets[:-1]]).astype(np.int32)
    return RowTable(segments, offsets, targets)


def table_of_rows(text: StretchTable, rows: Sequence[Row]) -> RowTable:
    """The arrays of rows that are written out one by one."""
    flat = [(s.stretch, s.first, s.last, s.trained_from) for row in rows for s in row]
    segments = np.array(flat, dtype=np.int32).reshape(-1, 4)
    sizes = np.fromiter((len(row) for row in rows), np.int64, len(rows))
    return row_table(text, segments, np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes))))


def targets_among(text: StretchTable, segments: NDArray[np.int32]) -> Mask:
    """Of every token, whether it is a target in one of the segments."""
    begin = text.bounds[segments[:, STRETCH]]
    change = np.zeros(len(text.ids) + 1, dtype=np.int32)
    np.add.at(change, begin + segments[:, TRAINED_FROM], 1)
    np.add.at(change, begin + segments[:, LAST], -1)
    reached: Mask = np.cumsum(change[:-1]) > 0
    return reached if text.learned is None else reached & text.learned


def count_targets(text: StretchTable, segments: NDArray[np.int32]) -> int:
    """How many different tokens are a target in the segments."""
    begin = text.bounds[segments[:, STRETCH]]
    starts, stops = begin + segments[:, TRAINED_FROM], begin + segments[:, LAST]
    order = np.argsort(starts, kind="stable")
    starts, stops = starts[order], stops[order]
    reached = np.concatenate((np.zeros(1, np.int64), np.maximum.accumulate(stops)[:-1]))[: len(stops)]
    starts = np.minimum(np.maximum(starts, reached), stops)
    if text.learned is None:
        return int((stops - starts).sum())
    before = np.concatenate((np.zeros(1, np.int64), np.cumsum(text.learned, dtype=np.int64)))
    return int((before[stops] - before[starts]).sum())


def kept_rows(piece: Piece, first: int, last: int, context: int) -> Piece:
    """Rows `first` … `last` alone, and of the stretches only what they see.

    `context` is 1 where the token before a segment's first target is read from the stretch.
    """
    rows = piece.rows
    chosen = rows.segments[rows.offsets[first] : rows.offsets[last]]
    return _with_segments(piece.text, chosen, rows.offsets[first : last + 1] - rows.offsets[first], context)


def picked_rows(piece: Piece, picked: Mask, context: int) -> Piece:
    """Some of the rows, over the same arrays of text: nothing of it is copied, and what no row sees is not counted.

    `context` is as in `kept_rows`.
    """
    text, rows = piece.text, piece.rows
    sizes = np.diff(rows.offsets)
    segments = rows.segments[np.repeat(picked, sizes)]
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes[picked])))
    begin = text.bounds[segments[:, STRETCH]]
    starts, stops = begin + segments[:, FIRST] - context, begin + segments[:, LAST]
    ends = np.zeros(len(text), dtype=bool)
    ends[segments[stops == text.bounds[segments[:, STRETCH] + 1], STRETCH]] = True
    order = np.argsort(starts, kind="stable")
    starts, stops = starts[order], stops[order]
    reached = np.concatenate((np.zeros(1, np.int64), np.maximum.accumulate(stops)[:-1]))[: len(stops)]
    seen = int(np.maximum(stops - np.maximum(starts, reached), 0).sum())
    return Piece(replace(text, ends=ends & text.ends, seen=seen), RowTable(segments, offsets, rows.targets[picked]))


def without_idle_rows(piece: Piece) -> Piece:
    """Rows that have no target at all teach nothing: they are left out, their tokens stay as context."""
    rows = piece.rows
    if bool(rows.targets.all()):
        return piece
    kept = rows.targets > 0
    sizes = np.diff(rows.offsets)
    segments = rows.segments[np.repeat(kept, sizes)]
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes[kept])))
    return Piece(piece.text, RowTable(segments, offsets, rows.targets[kept]))


def _with_segments(text: StretchTable, segments: NDArray[np.int32], offsets: Whole, context: int) -> Piece:
    """The segments, and stretches that are the unbroken runs of tokens which they see."""
    begin = text.bounds[segments[:, STRETCH]]
    starts, stops = begin + segments[:, FIRST] - context, begin + segments[:, LAST]
    change = np.zeros(len(text.ids) + 1, dtype=np.int32)
    np.add.at(change, starts, 1)
    np.add.at(change, stops, -1)
    seen = np.cumsum(change[:-1]) > 0
    edge = np.zeros(len(seen), dtype=bool)
    edge[text.bounds[:-1][text.bounds[:-1] < len(seen)]] = True
    before = np.concatenate(([False], seen[:-1]))
    opens = seen & (edge | ~before)
    heads = np.flatnonzero(opens)
    number = np.cumsum(opens) - 1
    lengths = np.bincount(number[seen], minlength=len(heads))
    bounds = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths))).astype(np.int64)
    owner = np.searchsorted(text.bounds, heads, side="right") - 1
    ends = text.ends[owner] & (heads + lengths == text.bounds[owner + 1])
    run = number[starts]
    shift = (begin - heads[run])[:, None]
    moved = np.concatenate((run[:, None], segments[:, FIRST:].astype(np.int64) + shift), axis=1).astype(np.int32)
    learned = None if text.learned is None else np.asarray(text.learned[seen])
    labels = None if text.labels is None else text.labels[owner]
    table = StretchTable(np.asarray(text.ids[seen]), bounds, text.books[owner], ends, learned, labels)
    return Piece(table, row_table(table, moved, np.asarray(offsets)))


class Stretches(Sequence[Stretch]):
    """The stretches of several pieces, one after another."""

    def __init__(self, tables: Sequence[StretchTable]) -> None:
        self.tables = tuple(tables)
        self._firsts = np.cumsum([0, *(len(table) for table in self.tables)])

    def __len__(self) -> int:
        return int(self._firsts[-1])

    @overload
    def __getitem__(self, index: int) -> Stretch: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Stretch, ...]: ...
    def __getitem__(self, index: int | slice) -> Stretch | tuple[Stretch, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        number, inside = place_of(self._firsts, index)
        return self.tables[number].stretch(inside)


class RowsOfPieces(Sequence[Row]):
    """The rows of several pieces, one after another; their segments name stretches by their number among all."""

    def __init__(self, tables: Sequence[RowTable], texts: Sequence[StretchTable]) -> None:
        self.tables = tuple(tables)
        self._firsts = np.cumsum([0, *(len(table) for table in self.tables)])
        self._stretches = np.cumsum([0, *(len(text) for text in texts)])

    def __len__(self) -> int:
        return int(self._firsts[-1])

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        number, inside = place_of(self._firsts, index)
        first = int(self._stretches[number])
        return tuple(Segment(first + stretch, *rest) for stretch, *rest in self.tables[number].of_row(inside).tolist())


def place_of(firsts: Whole, index: int) -> tuple[int, int]:
    """In which piece a number among all lies, and which it is there."""
    count = int(firsts[-1])
    if not -count <= index < count:
        raise IndexError(index)
    index %= count
    piece = int(np.searchsorted(firsts, index, side="right")) - 1
    return piece, index - int(firsts[piece])
