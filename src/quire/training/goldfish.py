"""The goldfish loss (arXiv 2406.10209): some tokens are never learned, so that no long passage can be recited.

One target in k is left out, always the same ones: which, is told by a hash of the 13 tokens before.  A passage that
comes again, in another window, another epoch or another place of the text, lacks the same tokens, and what lies between
them cannot be filled in from its other copies.  No torch here: the rows are marked when they are made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CONTEXT = 13  # the paper's choice: short enough to meet again in a copy, long enough not to fall on common words

_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio, odd


def kept(ids: NDArray[np.int32], starts: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Which of the tokens (n,) stay targets.  `starts` are the offsets at which the texts in `ids` begin.

    The first 13 tokens of a text always stay, for there is nothing to hash before them.
    """
    assert k >= 2
    stays = np.ones(len(ids), dtype=bool)
    if len(ids) <= CONTEXT:
        return stays
    numbers = ids.astype(np.uint64) + np.uint64(1)
    hashed = np.zeros(len(ids) - CONTEXT, dtype=np.uint64)
    for distance in range(CONTEXT, 0, -1):  # a polynomial of the tokens before, the nearest one last
        hashed *= _FACTOR
        hashed += numbers[CONTEXT - distance : len(ids) - distance]
    stays[CONTEXT:] = _mixed(hashed) % np.uint64(k) != 0
    for distance in range(CONTEXT):
        near = starts + distance
        stays[near[near < len(ids)]] = True
    return stays


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit of the result depends on every bit of the value (the end of splitmix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
