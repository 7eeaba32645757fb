"""Where rows are cut: windows over stretches, and which of them lie side by side.  Arrays in, arrays out: a million
rows take a second or two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quire.recipe.schema import TrainSettings
from quire.tokens.tables import FIRST, LAST, REPEATS, STRETCH, TRAINED_FROM, Piece, StretchTable, Whole, row_table

Segments = NDArray[np.int32]


def cut_rows(text: StretchTable, settings: TrainSettings, start: int | None) -> Piece:
    """Cut the stretches into rows of at most a window.  Nothing is padded and nothing is dropped.

    Without a `start` token the first token of a stretch has nothing before it, and is only read.  A conversation's
    stretch that fits into a window stays whole, whatever the stride: cut in its middle it would lose its prompt.
    """
    first = 0 if start is not None else 1
    lengths = np.diff(text.bounds)
    labelled = np.zeros(len(text), dtype=bool) if text.labels is None else text.labels[:, REPEATS] >= 0
    whole = labelled & (lengths > first) & (lengths - first <= settings.window)
    segments, offsets = _cut(np.flatnonzero(~whole), lengths, settings, first)
    if whole.any():
        numbers = np.flatnonzero(whole)
        at = np.full(len(numbers), first)
        more, sides = _rows_of(_columns(numbers, at, lengths[numbers], at), settings)
        segments = np.concatenate((segments, more))
        offsets = np.concatenate((offsets, sides[1:] + offsets[-1]))
    return Piece(text, row_table(text, segments, offsets))


def _cut(numbers: Whole, lengths: Whole, settings: TrainSettings, first: int) -> tuple[Segments, Whole]:
    """Rows of the stretches of these numbers."""
    if settings.pack and settings.chunk is None and settings.stride in (None, settings.window):
        return _fill(numbers, lengths, settings.window, first)
    return _rows_of(_windows(numbers, lengths, settings, first), settings)


def _rows_of(segments: Segments, settings: TrainSettings) -> tuple[Segments, Whole]:
    """Each segment as a row, or several of them packed into one."""
    if settings.pack:
        return _pack(segments, settings.window)
    return segments, np.arange(len(segments) + 1, dtype=np.int64)


def _fill(numbers: Whole, lengths: Whole, window: int, first: int) -> tuple[Segments, Whole]:
    """Rows filled to the brim, stretch after stretch, each cut where the row is full.

    Laid end to end, the targets are cut wherever a stretch begins and at every multiple of the window.
    """
    used = numbers[lengths[numbers] > first]
    ends = np.cumsum(lengths[used] - first)
    starts = ends - (lengths[used] - first)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.union1d(starts, np.arange(0, total, window, dtype=np.int64))
    among = np.searchsorted(starts, cuts, side="right") - 1
    stops = np.concatenate((cuts[1:], [total])) if len(cuts) else cuts
    at = cuts - starts[among] + first
    segments = _columns(used[among], at, at + (stops - cuts), at)
    heads = np.flatnonzero(cuts % window == 0)
    return segments, np.concatenate((heads, [len(segments)])).astype(np.int64)


def _windows(numbers: Whole, lengths: Whole, settings: TrainSettings, first: int) -> Segments:
    """Windows over each stretch, `stride` apart; the last one is as long as what is left of the text."""
    window, stride = settings.window, settings.stride or settings.window
    sizes = lengths[numbers]
    counts = np.where(sizes > first, 1 + -(-np.maximum(sizes - first - window, 0) // stride), 0)
    stretch = np.repeat(numbers, counts)
    number = np.arange(len(stretch)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = first + number * stride
    last = np.minimum(at + window, lengths[stretch])
    learned_to = np.where(number > 0, at - stride + window, at)
    return _columns(stretch, at, last, learned_to if settings.overlap == "context" else at)


def _pack(segments: Segments, window: int) -> tuple[Segments, Whole]:
    """Segments side by side in rows of at most `window` tokens: longest first, each into the fullest row it fits."""
    lengths = segments[:, LAST] - segments[:, FIRST]
    order = np.lexsort((np.arange(len(lengths)), -lengths))
    row_of = np.empty(len(order), dtype=np.int64)
    by_room: list[list[int]] = [[] for _ in range(window + 1)]
    open_rooms = 0  # bit r: some row has room for exactly r tokens more
    rows = 0
    for rank, length in enumerate(lengths[order].tolist()):
        fitting = open_rooms >> length
        if not fitting:
            target, left = rows, window - length
            rows += 1
        else:
            room = length + (fitting & -fitting).bit_length() - 1
            target, left = by_room[room].pop(), room - length
            if not by_room[room]:
                open_rooms &= ~(1 << room)
        by_room[left].append(target)
        open_rooms |= 1 << left
        row_of[rank] = target
    together = np.argsort(row_of, kind="stable")
    sizes = np.bincount(row_of, minlength=rows) if rows else np.zeros(0, np.int64)
    return segments[order[together]], np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes))).astype(np.int64)


def _columns(stretch: Whole, first: Whole, last: Whole, trained_from: Whole) -> Segments:
    segments = np.empty((len(stretch), 4), dtype=np.int32)
    for column, values in ((STRETCH, stretch), (FIRST, first), (LAST, last), (TRAINED_FROM, trained_from)):
        segments[:, column] = values
    return segments
