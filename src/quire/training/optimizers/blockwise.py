"""Numbers in 8 bits by blocks, for an optimiser's moments (Dettmers et al. 2021, arXiv 2110.02861).

Every block of 256 numbers has its own scale, so that one outlier spoils no more than its neighbours.  Within a block
the 256 values lie closer together the smaller they are, over seven powers of ten, as the sizes of gradients do.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

BLOCK = 256
_DECADES = 7


def dynamic_values(signed: bool) -> list[float]:
    """The 256 values from -1 (or 0) to 1: in each power of ten twice as many as in the one below, evenly apart."""
    values = [0.0, 1.0]
    for decade in range(_DECADES):
        count = 2**decade if signed else 2 ** (decade + 1)
        size = 10.0 ** (decade - _DECADES + 1)
        middles = [size * (0.1 + 0.9 * (number + 0.5) / count) for number in range(count)]
        values += middles + [-middle for middle in middles if signed]
    return sorted(values)


def compress(numbers: Tensor, signed: bool) -> tuple[Tensor, Tensor]:
    """(codes uint8 (n,), scales float32 (blocks,)) of float32 numbers (n,): the nearest value of its block for each.

    Without signs nothing but zero itself becomes zero in a block that is not all zeros, lest it be divided by later:
    the smallest value there stands for what is smaller.
    """
    count = len(numbers)
    blocks = torch.nn.functional.pad(numbers, (0, -count % BLOCK)).view(-1, BLOCK)
    scales = blocks.abs().amax(dim=1)
    shares = blocks / torch.where(scales == 0, 1.0, scales)[:, None]
    codes = torch.bucketize(shares, _borders(signed, numbers.device), out_int32=True).to(torch.uint8)
    return codes.view(-1)[:count], scales


def expand(codes: Tensor, scales: Tensor, signed: bool) -> Tensor:
    """The numbers (n,) that codes stand for, in float32."""
    count = len(codes)
    shares = _values(signed, codes.device)[codes.int()]
    blocks = torch.nn.functional.pad(shares, (0, -count % BLOCK)).view(-1, BLOCK) * scales[:, None]
    return blocks.view(-1)[:count]


@cache
def _values(signed: bool, device: torch.device) -> Tensor:
    values = dynamic_values(signed)
    if not signed:
        values[0] = 10.0**-_DECADES  # no zero: the lower end of the lowest power of ten
    return torch.tensor(values, dtype=torch.float32, device=device)


@cache
def _borders(signed: bool, device: torch.device) -> Tensor:
    """Halfway between neighbours."""
    values = _values(signed, device)
    return (values[1:] + values[:-1]) / 2
