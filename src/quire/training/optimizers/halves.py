"""A float32 weight in two halves of 16 bits: the one that the model computes with, and what rounding left over.

A bf16 number is the upper half of a float32 one.  Trained in bf16 alone, a weight of 1 ignores every step smaller than
a 256th.  With the lower half kept by the optimiser the weight is the float32 number itself, to the last bit, at the
same 4 bytes; and the model holds and multiplies only 2 of them.  Nothing is drawn at random.
"""

from __future__ import annotations

import torch
from torch import Tensor


def halve(whole: Tensor) -> tuple[Tensor, Tensor]:
    """(bf16, int16) of a float32 tensor: rounded to the nearest, and the rest, in float32's units of the last place."""
    bits = whole.view(torch.int32)
    rest = bits.to(torch.int16)  # the lower half, as a number from -32768 to 32767: a half rounds away from zero
    upper = ((bits - rest) >> 16).to(torch.int16)
    return upper.view(torch.bfloat16), rest


def whole(upper: Tensor, rest: Tensor) -> Tensor:
    """The inverse of `halve`, bit for bit."""
    return ((upper.view(torch.int16).to(torch.int32) << 16) + rest).view(torch.float32)
