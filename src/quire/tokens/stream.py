"""The order in which rows are seen: a fresh shuffle for every epoch, and a position that can be named and returned to.

The order of epoch e depends on the seed, the part and e alone, so that seeking costs one shuffle, not a replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quire.tokens.rows import WEIGHT_STEPS, in_steps, rows_per_epoch

# Numbers of this stream are drawn apart from those of the shuffle, whose stream runs of earlier versions know.
_DRAW = 1


@dataclass(frozen=True)
class Position:
    """How many rows have been given out since the beginning of the part."""

    rows: int = 0


class Stream:
    """Rows of one part, epoch after epoch, without a gap between them.

    With `weights` (one a row), a row of weight 2.4 comes two or three times in an epoch, and every epoch gives out as
    many rows as the weights come to.
    """

    def __init__(self, rows: int, seed: int, part: int, weights: NDArray[np.float64] | None = None) -> None:
        assert rows > 0
        assert weights is None or len(weights) == rows
        self._rows = rows
        self._weights = weights
        self._per_epoch = rows_per_epoch(rows, weights)
        self._key = (seed, part)
        self._given = 0
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    @property
    def position(self) -> Position:
        return Position(self._given)

    @property
    def epoch(self) -> int:
        """The epoch of the next row, from 0."""
        return self._given // self._per_epoch

    def seek(self, position: Position) -> None:
        """Go on from `position` as if everything before it had been given out."""
        self._given = position.rows

    def take(self, count: int) -> Sequence[int]:
        """The indices of the next `count` rows."""
        taken: list[int] = []
        while len(taken) < count:
            epoch, at = divmod(self._given, self._per_epoch)
            if epoch != self._epoch:
                self._order = order_of(self._rows, self._key, epoch, self._weights)
                self._epoch = epoch
            found = self._order[at : at + count - len(taken)].tolist()
            taken += found
            self._given += len(found)
        return taken


def order_of(
    rows: int, key: tuple[int, int], epoch: int, weights: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """The shuffle of one epoch (Philox, whose stream for a key is fixed across machines and numpy versions)."""
    seed, part = key
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, part, epoch))))
    if weights is None:
        return generator.permutation(rows)
    drawn = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, part, epoch, _DRAW))))
    return generator.permutation(np.repeat(np.arange(rows), times_of(weights, drawn)))


def times_of(weights: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int64]:
    """How often each row comes in one epoch: the whole part of its weight, and once more for some.

    Those are a systematic sample: laid end to end in a drawn order, each as long as its fraction, a ruler with marks
    one apart, set down at a drawn place, hits a row at most once (Madow 1944).  The place is drawn among those where
    the ruler hits so many rows that the epoch has its length.
    """
    steps = in_steps(weights)
    times, fractions = np.divmod(steps, WEIGHT_STEPS)
    more = rows_per_epoch(len(weights), weights) - int(times.sum())
    order = generator.permutation(len(weights))
    ends = np.cumsum(fractions[order])
    total = int(ends[-1])
    least, rest = divmod(total, WEIGHT_STEPS)
    offset = (
        generator.integers(0, WEIGHT_STEPS - rest) if more == least else WEIGHT_STEPS - generator.integers(1, rest + 1)
    )
    marks = (ends + offset) // WEIGHT_STEPS
    hit = np.diff(marks, prepend=0) > 0
    assert int(hit.sum()) == more, "an epoch has lost or won a row"
    times[order[hit]] += 1
    return times
