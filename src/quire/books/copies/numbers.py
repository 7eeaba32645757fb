"""Words as numbers and runs of them as hashes, the same in every process: what copies are looked for by."""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

SHORTEST = 25
"""Words.  Less is a refrain, a formula or a turn of phrase."""


class Numbers(dict[str, int]):
    """A number for each word; forgotten when there are `most`, so that no text fills the memory."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __missing__(self, word: str) -> int:
        if len(self) >= self._most:
            self.clear()
        self[word] = number = crc32(word.encode("utf-8", "surrogatepass"))
        return number


def hashes_of_runs(words: NDArray[np.uint32], length: int) -> NDArray[np.uint64]:
    """A hash of every run of so many words, by where it starts."""
    count = max(0, len(words) - length + 1)
    total = np.zeros(count, dtype=np.uint64)
    for offset in range(length):
        total = total * np.uint64(0x9E3779B97F4A7C15) + words[offset : offset + count] + np.uint64(1)
        total ^= total >> np.uint64(29)
    total *= np.uint64(0xBF58476D1CE4E5B9)
    return total ^ (total >> np.uint64(32))
