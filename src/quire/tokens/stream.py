"""The order in which rows are seen: a fresh shuffle for every epoch, and a position that can be named and returned to.

The order of epoch e depends on the seed, the part and e alone, so that seeking costs one shuffle, not a replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Position:
    """How many rows have been given out since the beginning of the part."""

    rows: int = 0


class Stream:
    """Rows of one part, epoch after epoch, without a gap between them."""

    def __init__(self, rows: int, seed: int, part: int) -> None:
        assert rows > 0
        self._rows = rows
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
        return self._given // self._rows

    def seek(self, position: Position) -> None:
        """Go on from `position` as if everything before it had been given out."""
        self._given = position.rows

    def take(self, count: int) -> Sequence[int]:
        """The indices of the next `count` rows."""
        taken = []
        for _ in range(count):
            epoch, at = divmod(self._given, self._rows)
            if epoch != self._epoch:
                self._order = order_of(self._rows, self._key, epoch)
                self._epoch = epoch
            taken.append(int(self._order[at]))
            self._given += 1
        return taken


def order_of(rows: int, key: tuple[int, int], epoch: int) -> NDArray[np.int64]:
    """The shuffle of one epoch (Philox, whose stream for a key is fixed across machines and numpy versions)."""
    seed, part = key
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, part, epoch))))
    return generator.permutation(rows)
