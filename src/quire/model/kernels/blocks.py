"""Memory for the large tensors of a step, kept from one layer to the next and from one step to the next.

What is asked of the system anew comes page by page, each cleared first: an eighth of the time of a 1B base in a
window of 1,024.  Left on glibc's heap it is not cleared, but what lives long and what is freed soon lie mixed there,
and 0.3 GB became holes (both measured).  Here a block is lent to one tensor, comes back when the last that looks into
it is gone, and is lent again to whoever wants as much, or half of it at least: the shorter row at a chapter's end, and
the whole one behind it.  Where nobody does, blocks that lie idle are let go before a new one is made, so that no more
is held than was once in use, or nearly so.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SMALLEST = 2**20  # bytes; below, the heap serves as well
# How much larger than what is wanted a lent block may be.  Below the ratio of a layer's wide tensors to its narrow ones
# (2.7 and more), so that in a row of one length each keeps to blocks of its own.
LARGER = 2

_idle: dict[int, list[NDArray[np.uint8]]] = {}


def empty(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A tensor on the processor whose numbers are whatever lay there."""
    wanted = math.prod(shape) * dtype.itemsize
    if wanted < SMALLEST:
        return torch.empty(shape, dtype=dtype)
    size = _size_for(wanted)
    fitting = min((other for other, blocks in _idle.items() if blocks and size <= other <= LARGER * size), default=None)
    block = _new(size) if fitting is None else _idle[fitting].pop()
    lent = block[:wanted]  # an object of its own, which lives as long as a tensor looks into it
    weakref.finalize(lent, _idle.setdefault(block.size, []).append, block).atexit = False
    return torch.from_numpy(lent).view(dtype).view(*shape)


def empty_like(x: Tensor) -> Tensor:
    """Of x's shape and format, its rows one behind the other."""
    return empty(x.shape, x.dtype)


def idle_bytes() -> int:
    """How much is held for tensors to come."""
    return sum(size * len(blocks) for size, blocks in _idle.items())


def release() -> None:
    """Give all that lies idle back to the system; what is lent comes back here as before."""
    for blocks in _idle.values():
        blocks.clear()


def _size_for(wanted: int) -> int:
    """`wanted`, rounded up by an eighth at most, so that rows of nearly one length share blocks."""
    step: int = 2 ** (wanted.bit_length() - 4)
    return -(-wanted // step) * step


def _new(size: int) -> NDArray[np.uint8]:
    """A block, in the place of as many idle bytes as it has, the largest blocks first."""
    missing = size
    for other in sorted(_idle, reverse=True):
        while _idle[other] and missing > 0:
            _idle[other].pop()
            missing -= other
    return np.empty(size, dtype=np.uint8)
