"""Stretches to rows: what the model sees at once.

A *segment* is a run of target tokens of one stretch together with the tokens before each of them; a *row* is one or
more segments side by side, at most a window long, kept exactly apart by restarting positions.  Targets are shifted here
once and for all: input i is the token before target i, so that no token is lost at a row's edge.  Where the base
expects a start token it opens every segment, just as it will open every prompt; where it expects none, the first token
of a stretch has nothing before it and can only be read (`TokenCount.context`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quire.recipe.schema import TrainSettings
from quire.tokens.cutting import cut_rows
from quire.tokens.stretches import Stretch
from quire.tokens.tables import (
    FIRST,
    LAST,
    STRETCH,
    TRAINED_FROM,
    Mask,
    Piece,
    Row,
    RowsOfPieces,
    Segment,
    Stretches,
    Whole,
    count_targets,
    kept_rows,
    picked_rows,
    place_of,
    row_table,
    stretch_table,
    table_of_rows,
    targets_among,
    without_idle_rows,
)

__all__ = ["IGNORED", "Row", "RowArrays", "Rows", "Segment", "TokenCount", "join_rows", "make_rows", "rows_of_pieces"]

IGNORED = -100  # torch's cross-entropy leaves such targets out
WEIGHT_STEPS = 1 << 24
"""A weight is a whole number of so small steps: sums are exact, and the same on every machine."""

Keep = Callable[[NDArray[np.int32], Whole], Mask]
"""Ids of stretches laid end to end, and where each begins: which of them stay targets."""


@dataclass(frozen=True)
class TokenCount:
    """Where the tokens of the stretches went: `text` = distinct tokens, end-of-text marks included."""

    text: int
    trained: int  # distinct tokens that are a target
    context: int  # distinct tokens that are no target
    targets: int  # targets in one epoch: more than `trained` where windows overlap


@dataclass(frozen=True, eq=False)
class Rows:
    """All rows of one part, and how to turn one into arrays.

    `weights` say how often each row comes in an epoch; None where each comes once.
    """

    stretches: Sequence[Stretch]
    rows: Sequence[Row]
    start: int | None
    weights: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """The arrays behind it all."""
        if isinstance(self.stretches, Stretches) and isinstance(self.rows, RowsOfPieces):
            return tuple(map(Piece, self.stretches.tables, self.rows.tables))
        text = stretch_table(self.stretches)
        return (Piece(text, table_of_rows(text, self.rows)),)

    @property
    def per_epoch(self) -> int:
        """Rows that an epoch gives out."""
        return rows_per_epoch(len(self), self.weights)

    def targets(self) -> Whole:
        """Learned tokens of every row."""
        return np.concatenate([np.zeros(0, np.int64), *(piece.rows.targets for piece in self.pieces)])

    def targets_in(self, index: int) -> int:
        """Learned tokens of a row."""
        piece, inside = self._place(index)
        return int(piece.rows.targets[inside])

    def tokens_per_epoch(self) -> tuple[int, int]:
        """Tokens that an epoch learns, and those that it computes, learned or not; weights respected."""
        weights = np.ones(len(self)) if self.weights is None else self.weights
        lengths = np.concatenate([np.zeros(0, np.int64), *map(_lengths, self.pieces)])
        return round(float(self.targets() @ weights)), round(float(lengths @ weights))

    def learned(self, reached: Collection[int] | None = None) -> list[NDArray[np.bool_]]:
        """For each stretch, which of its tokens are a target.  `reached`: only these rows are seen."""
        masks: list[Mask] = []
        for piece, segments in self._segments(reached):
            masks += np.split(targets_among(piece.text, segments), piece.text.bounds[1:-1])[: len(piece.text)]
        return masks

    def count(self, reached: Collection[int] | None = None) -> TokenCount:
        """What is trained and what is not; together they are all there is.  `reached`: only these rows are seen."""
        text = sum(piece.text.own_tokens for piece in self.pieces)
        trained = sum(count_targets(piece.text, segments) for piece, segments in self._segments(reached))
        every = self.targets()
        targets = int(every.sum() if reached is None else every[np.fromiter(reached, np.int64, len(reached))].sum())
        return TokenCount(text=text, trained=trained, context=text - trained, targets=targets)

    def ends_not_learned(self) -> Whole:
        """The stretches that end a work but do not teach that it ends there."""
        missing: list[Whole] = []
        first = 0
        for piece in self.pieces:
            text, segments = piece.text, piece.rows.segments
            wanted = text.ends.copy()
            if text.learned is not None and len(text):
                wanted &= text.learned[text.bounds[1:] - 1]
            at_end = segments[:, LAST] == np.diff(text.bounds)[segments[:, STRETCH]]
            teaching = at_end & (segments[:, LAST] > segments[:, TRAINED_FROM])
            wanted[segments[teaching, STRETCH]] = False
            missing.append(np.flatnonzero(wanted) + first)
            first += len(text)
        return np.concatenate([np.zeros(0, np.int64), *missing])

    def arrays(self, index: int) -> RowArrays:
        """The row's inputs, positions and targets."""
        piece, inside = self._place(index)
        text = piece.text
        inputs, positions, targets = [], [], []
        for stretch, first, last, trained_from in piece.rows.of_row(inside).tolist():
            begin = int(text.bounds[stretch])
            if self.start is None:
                inputs.append(text.ids[begin + first - 1 : begin + last - 1])
            else:
                inputs.append(np.concatenate(([np.int32(self.start)], text.ids[begin + first : begin + last - 1])))
            positions.append(np.arange(last - first))
            learned = text.ids[begin + first : begin + last].astype(np.int64)
            learned[: trained_from - first] = IGNORED
            if text.learned is not None:
                learned[~text.learned[begin + first : begin + last]] = IGNORED
            targets.append(learned)
        return RowArrays(
            np.concatenate(inputs).astype(np.int64),
            np.concatenate(positions),
            np.concatenate(targets),
            tuple(len(positions_) for positions_ in positions),
        )

    def masked(self, keep: Keep) -> Rows:
        """The same rows, where only the targets that `keep` names are learned; the ends of works always are."""
        pieces = []
        for piece in self.pieces:
            text = piece.text
            kept = keep(text.ids, text.bounds[:-1]).copy()
            kept[text.bounds[1:][text.ends] - 1] = True
            if text.learned is not None:
                kept &= text.learned
            text = replace(text, learned=kept)
            pieces.append(without_idle_rows(Piece(text, row_table(text, piece.rows.segments, piece.rows.offsets))))
        return rows_of_pieces(pieces, self.start)

    def between(self, first: int, last: int) -> Rows:
        """Rows `first` … `last` (exclusive) alone, with the text that they see and no other."""
        pieces = []
        at = 0
        for piece in self.pieces:
            begin, end = max(first - at, 0), min(last - at, len(piece.rows))
            if (begin, end) == (0, len(piece.rows)):
                pieces.append(piece)
            elif begin < end:
                pieces.append(kept_rows(piece, begin, end, 1 if self.start is None else 0))
            at += len(piece.rows)
        weights = None if self.weights is None else self.weights[first:last]
        return replace(rows_of_pieces(pieces, self.start), weights=weights)

    def spread(self, count: int) -> Rows:
        """So many of the rows, evenly spread over all, on the same arrays; all of them where there are no more."""
        if count >= len(self):
            return self
        picked = np.zeros(len(self), dtype=bool)
        picked[np.arange(count) * len(self) // count] = True
        context = 1 if self.start is None else 0
        shares = np.split(picked, self._firsts[1:-1])
        pieces = [picked_rows(piece, own, context) for piece, own in zip(self.pieces, shares, strict=True)]
        weights = None if self.weights is None else self.weights[picked]
        return replace(rows_of_pieces(pieces, self.start), weights=weights)

    @cached_property
    def _firsts(self) -> Whole:
        return np.cumsum([0, *(len(piece.rows) for piece in self.pieces)])

    def _place(self, index: int) -> tuple[Piece, int]:
        number, inside = place_of(self._firsts, index)
        return self.pieces[number], inside

    def _segments(self, reached: Collection[int] | None) -> Iterator[tuple[Piece, NDArray[np.int32]]]:
        """The segments of every piece, of the rows that are reached."""
        if reached is None:
            yield from ((piece, piece.rows.segments) for piece in self.pieces)
            return
        wanted = np.zeros(len(self), dtype=bool)
        wanted[np.fromiter(reached, np.int64, len(reached))] = True
        for piece, first in zip(self.pieces, self._firsts.tolist(), strict=False):
            chosen = np.repeat(wanted[first : first + len(piece.rows)], np.diff(piece.rows.offsets))
            yield piece, piece.rows.segments[chosen]


@dataclass(frozen=True)
class RowArrays:
    """int64 arrays (length,): input ids, positions (restarting with every segment), targets (IGNORED or a token)."""

    inputs: NDArray[np.int64]
    positions: NDArray[np.int64]
    targets: NDArray[np.int64]
    segments: tuple[int, ...]


def make_rows(stretches: Sequence[Stretch], settings: TrainSettings, start: int | None) -> Rows:
    """Cut stretches into windows and, with `pack`, fill rows with them.  Nothing is padded and nothing is dropped.

    A window in which nothing may be learned makes no row; its tokens are counted as context.
    """
    return rows_of_pieces([without_idle_rows(cut_rows(stretch_table(stretches), settings, start))], start)


def rows_of_pieces(pieces: Sequence[Piece], start: int | None) -> Rows:
    """The rows of several pieces, one after another."""
    texts = [piece.text for piece in pieces]
    return Rows(Stretches(texts), RowsOfPieces([piece.rows for piece in pieces], texts), start)


def join_rows(several: Sequence[Rows], weights: Sequence[float]) -> Rows:
    """Rows of several sources in one epoch; `weights` say how often those of each come."""
    joined = rows_of_pieces([piece for rows in several for piece in rows.pieces], several[0].start)
    own = [np.ones(len(rows)) if rows.weights is None else rows.weights for rows in several]
    every = np.concatenate([one * weight for one, weight in zip(own, weights, strict=True)])
    return joined if bool((every == 1).all()) else replace(joined, weights=every)


def in_steps(weights: NDArray[np.float64]) -> Whole:
    """Weights as whole numbers of steps."""
    return np.maximum(np.rint(weights * WEIGHT_STEPS).astype(np.int64), 1)


def rows_per_epoch(rows: int, weights: NDArray[np.float64] | None) -> int:
    """Rows that an epoch gives out: as many as there are, or as their weights come to."""
    if weights is None:
        return rows
    return max(1, (int(in_steps(weights).sum()) + WEIGHT_STEPS // 2) // WEIGHT_STEPS)


def _lengths(piece: Piece) -> Whole:
    """Tokens of every row."""
    segments = piece.rows.segments
    sums = np.concatenate((np.zeros(1, np.int64), np.cumsum(segments[:, LAST] - segments[:, FIRST], dtype=np.int64)))
    return sums[piece.rows.offsets[1:]] - sums[piece.rows.offsets[:-1]]
