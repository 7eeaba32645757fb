"""A model of bytes by the five before them: interpolated modified Kneser-Ney (Chen and Goodman 1998), exact.

A run of up to eight bytes is a number, its oldest byte the highest, so that in sorted runs those of one context stand
side by side.  Runs of full length are counted as they are; a shorter run counts the different bytes that stand before
it.  The probability of a byte is what its run keeps of its count after a discount, and the rest of the context's weight
times the probability after one byte less, down to 1/256 for each.

Two hundred megabytes of prose have some ten million different runs of six: they are counted in slices, with memory for
the different runs and one slice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ORDER = 5
MOST_ORDER = 7
SLICE = 1 << 23
BYTES = 256

Keys = NDArray[np.uint64]
Counts = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """Runs of one length: `keys` (n,) sorted, the share `kept` (n,) of each in its context after the discount; the
    `contexts` (m,) that they begin with, sorted, and the weight `back` (m,) that each leaves to a shorter one."""

    keys: Keys
    kept: Reals
    contexts: Keys
    back: Reals


@dataclass(frozen=True)
class ByteModel:
    """`levels` by the length of their runs, the shortest (one byte, no context) first."""

    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """The bytes of a context."""
        return len(self.levels) - 1

    @property
    def runs(self) -> int:
        """Different runs of full length."""
        return len(self.levels[-1].keys)

    def probabilities(self, data: bytes) -> Reals:
        """The probability (n,) of every byte of a text that begins there."""
        return np.concatenate([self.of_runs(keys) for keys in _slices(data, len(self.levels))] or [np.zeros(0)])

    def bits(self, data: bytes) -> float:
        """The bits that a text takes with this model and a perfect coder."""
        return sum(float(-np.log2(self.of_runs(keys)).sum()) for keys in _slices(data, len(self.levels)))

    def of_runs(self, runs: Keys) -> Reals:
        """The probability (n,) of the last byte of each run of full length, after the others."""
        found: Reals = np.full(len(runs), 1 / BYTES)
        for length, level in enumerate(self.levels, start=1):
            keys = runs & _mask(length)
            contexts = keys >> np.uint64(8)
            at, there = _look_up(level.contexts, contexts)
            found = np.where(there, level.back[at] * found, found)
            at, there = _look_up(level.keys, keys)
            found += np.where(there, level.kept[at], 0.0)
        return found


def train(texts: Iterable[bytes], order: int = ORDER, told: Callable[[int], None] = lambda _done: None) -> ByteModel:
    """Count texts, each from its own beginning, where zeros stand for what is not there.

    `told` hears after each slice how many bytes are counted.
    """
    assert 0 < order <= MOST_ORDER
    keys, counts = _count(texts, order + 1, told)
    levels: list[Level] = []
    for length in range(order + 1, 0, -1):
        levels.append(_level(keys, counts))
        if length > 1:
            # Counts of the next shorter runs: how many different bytes stand before them.
            keys, counts = _unique(np.sort(keys & _mask(length - 1)))
    return ByteModel(tuple(reversed(levels)))


def discounts(counts: Counts) -> tuple[float, float, float]:
    """What is taken off a count of one, of two, of three or more, by how many counts there are of one to four.

    Where a text is so small that the formula has no answer, half a count is taken off each.
    """
    n1, n2, n3, n4 = (int((counts == number).sum()) for number in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return 0.5, 0.5, 0.5
    y = n1 / (n1 + 2 * n2)
    one, two, three = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3
    if not (0 < one < 1 and 0 < two < 2 and 0 < three < 3):
        return 0.5, 0.5, 0.5
    return one, two, three


def _level(keys: Keys, counts: Counts) -> Level:
    taken = np.array([0.0, *discounts(counts)])[np.minimum(counts, 3)]
    contexts = keys >> np.uint64(8)
    first = np.flatnonzero(np.concatenate([[True], contexts[1:] != contexts[:-1]]))
    total = np.add.reduceat(counts, first).astype(np.float64)
    back = np.add.reduceat(taken, first) / total
    sizes = np.diff(np.append(first, len(keys)))
    return Level(keys, (counts - taken) / np.repeat(total, sizes), contexts[first], back)


def _count(texts: Iterable[bytes], length: int, told: Callable[[int], None]) -> tuple[Keys, Counts]:
    """Different runs of `length` bytes, sorted, and how often each stands in the texts."""
    keys, counts = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    waiting: list[Keys] = []
    size = done = 0
    for text in texts:
        for part in _slices(text, length):
            waiting.append(part)
            size += len(part)
            done += len(part)
            if size >= SLICE:
                keys, counts = _joined(keys, counts, waiting)
                waiting, size = [], 0
                told(done)
    keys, counts = _joined(keys, counts, waiting)
    assert len(keys), "there is no text to learn from"
    return keys, counts


def _joined(keys: Keys, counts: Counts, more: list[Keys]) -> tuple[Keys, Counts]:
    new, how_often = _unique(np.sort(np.concatenate([np.zeros(0, np.uint64), *more])))
    both = np.concatenate([keys, new])
    order = np.argsort(both, kind="stable")  # two sorted runs: a merge
    both, every = both[order], np.concatenate([counts, how_often])[order]
    if not len(both):
        return keys, counts
    first = np.flatnonzero(np.concatenate([[True], both[1:] != both[:-1]]))
    return both[first], np.add.reduceat(every, first)


def _unique(ordered: Keys) -> tuple[Keys, Counts]:
    """Different numbers of a sorted array, and how often each is there."""
    if not len(ordered):
        return ordered, np.zeros(0, np.int64)
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[first], np.diff(np.append(first, len(ordered)))


def _slices(data: bytes, length: int) -> Iterator[Keys]:
    """For every byte of a text the run of `length` bytes that ends with it, in slices; zeros before the beginning."""
    for start in range(0, len(data), SLICE):
        stop = min(len(data), start + SLICE)
        before = data[max(0, start - length + 1) : start]
        padded = bytes(length - 1 - len(before)) + before + data[start:stop]
        raw = np.frombuffer(padded, np.uint8)
        keys: Keys = np.zeros(stop - start, np.uint64)
        for offset in range(length):
            keys = (keys << np.uint64(8)) | raw[offset : offset + stop - start]
        yield keys


def _mask(length: int) -> np.uint64:
    return np.uint64((1 << (8 * length)) - 1)


def _look_up(ordered: Keys, wanted: Keys) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where each number stands in a sorted array (somewhere, if nowhere), and whether it does."""
    at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return at, ordered[at] == wanted
