"""Stretches to rows: what the model sees at once.

A *segment* is a run of target tokens of one stretch together with the tokens before each of them; a *row* is one or
more segments side by side, at most a window long, kept exactly apart by restarting positions.  Targets are shifted here
once and for all: input i is the token before target i, so that no token is lost at a row's edge.  Where the base
expects a start token it opens every segment, just as it will open every prompt; where it expects none, the first token
of a stretch has nothing before it and can only be read (`TokenCount.context`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quire.recipe.schema import TrainSettings
from quire.tokens.stretches import Stretch

IGNORED = -100  # torch's cross-entropy leaves such targets out


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
class TokenCount:
    """Where the tokens of the stretches went: `text` = distinct tokens, end-of-text marks included."""

    text: int
    trained: int  # distinct tokens that are a target
    context: int  # distinct tokens that are no target
    targets: int  # targets in one epoch: more than `trained` where windows overlap


@dataclass(frozen=True)
class Rows:
    """All rows of one part, and how to turn one into arrays."""

    stretches: tuple[Stretch, ...]
    rows: tuple[Row, ...]
    start: int | None

    def __len__(self) -> int:
        return len(self.rows)

    def targets_in(self, index: int) -> int:
        """Learned tokens of a row."""
        return sum(segment.trained for segment in self.rows[index])

    def learned(self, reached: Collection[int] | None = None) -> list[NDArray[np.bool_]]:
        """For each stretch, which of its tokens are a target.  `reached`: only these rows are seen."""
        masks = [np.zeros(len(stretch.ids), dtype=bool) for stretch in self.stretches]
        for index in range(len(self.rows)) if reached is None else reached:
            for segment in self.rows[index]:
                masks[segment.stretch][segment.trained_from : segment.last] = True
        return masks

    def count(self, reached: Collection[int] | None = None) -> TokenCount:
        """What is trained and what is not; together they are all there is.  `reached`: only these rows are seen."""
        text = sum(len(stretch.ids) for stretch in self.stretches)
        trained = int(sum(int(mask.sum()) for mask in self.learned(reached)))
        targets = sum(self.targets_in(index) for index in (range(len(self.rows)) if reached is None else reached))
        return TokenCount(text=text, trained=trained, context=text - trained, targets=targets)

    def arrays(self, index: int) -> RowArrays:
        """The row's inputs, positions and targets."""
        inputs, positions, targets = [], [], []
        for segment in self.rows[index]:
            ids = self.stretches[segment.stretch].ids
            if self.start is None:
                inputs.append(ids[segment.first - 1 : segment.last - 1])
            else:
                inputs.append(np.concatenate(([np.int32(self.start)], ids[segment.first : segment.last - 1])))
            positions.append(np.arange(segment.length))
            learned = ids[segment.first : segment.last].astype(np.int64)
            learned[: segment.trained_from - segment.first] = IGNORED
            targets.append(learned)
        lengths = tuple(segment.length for segment in self.rows[index])
        return RowArrays(
            np.concatenate(inputs).astype(np.int64), np.concatenate(positions), np.concatenate(targets), lengths
        )


@dataclass(frozen=True)
class RowArrays:
    """int64 arrays (length,): input ids, positions (restarting with every segment), targets (IGNORED or a token)."""

    inputs: NDArray[np.int64]
    positions: NDArray[np.int64]
    targets: NDArray[np.int64]
    segments: tuple[int, ...]


def make_rows(stretches: Sequence[Stretch], settings: TrainSettings, start: int | None) -> Rows:
    """Cut stretches into windows and, with `pack`, fill rows with them.  Nothing is padded and nothing is dropped."""
    first = 0 if start is not None else 1
    kept = tuple(stretches)
    if settings.pack and settings.chunk is None and settings.stride in (None, settings.window):
        rows = _fill(kept, settings.window, first)
    else:
        segments = [s for i, stretch in enumerate(kept) for s in _windows(i, stretch, settings, first)]
        rows = _pack(segments, settings.window) if settings.pack else [(segment,) for segment in segments]
    return Rows(kept, tuple(rows), start)


def _fill(stretches: Sequence[Stretch], window: int, first: int) -> list[Row]:
    """Rows filled to the brim, stretch after stretch, each cut where the row is full."""
    rows: list[Row] = []
    row: list[Segment] = []
    room = window
    for number, stretch in enumerate(stretches):
        at = first
        while at < len(stretch.ids):
            last = min(at + room, len(stretch.ids))
            row.append(Segment(number, at, last, at))
            room -= last - at
            at = last
            if room == 0:
                rows.append(tuple(row))
                row, room = [], window
    if row:
        rows.append(tuple(row))
    return rows


def _windows(number: int, stretch: Stretch, settings: TrainSettings, first: int) -> list[Segment]:
    """Windows over one stretch, `stride` apart; the last one is as long as what is left of the text."""
    end = len(stretch.ids)
    stride = settings.stride or settings.window
    segments: list[Segment] = []
    learned_to = first
    at = first
    while at < end and learned_to < end:
        last = min(at + settings.window, end)
        segments.append(Segment(number, at, last, learned_to if settings.overlap == "context" else at))
        learned_to = last
        at += stride
    return segments


def _pack(segments: Sequence[Segment], window: int) -> list[Row]:
    """Segments side by side in rows of at most `window` tokens: longest first, each into the fullest row it fits."""
    order = sorted(range(len(segments)), key=lambda i: (-segments[i].length, i))
    rows: list[list[int]] = []
    by_room: list[list[int]] = [[] for _ in range(window + 1)]
    for index in order:
        length = segments[index].length
        room = next((r for r in range(length, window + 1) if by_room[r]), None)
        if room is None:
            rows.append([index])
            target, left = len(rows) - 1, window - length
        else:
            target, left = by_room[room].pop(), room - length
            rows[target].append(index)
        by_room[left].append(target)
    return [tuple(segments[i] for i in row) for row in rows]
