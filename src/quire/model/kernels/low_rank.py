"""LoRA's two small products beside a frozen layer, with dropout whose mask is computed and never stored."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from quire.model.kernels.blocks import empty_like
from quire.model.kernels.gpu import add_low_rank_on_gpu
from quire.model.kernels.native import native, rows_of

MOST_RANKS = 256

# A chance has 16 bits: 5 % is 3277 / 65536.
CHANCES = 65536


def add_low_rank(
    y: Tensor, x: Tensor, first: Tensor, second: Tensor, scale: float, dropout: float, seed: int
) -> Tensor:
    """y (…, N) += scale * (drop(x) (…, K) @ first.T) @ second.T, in place; first (r, K), second (N, r).

    As PEFT computes it: x is taken to the precision of `first`, the products and the sum are made there, and the result
    is rounded once to that of y.  `dropout` is the share of x that is put to nought, 0 <= dropout < 1; which elements,
    `seed` says alone (see `draw_seed`).
    """
    if y.is_cuda and y.dtype == x.dtype and y.is_contiguous():
        return add_low_rank_on_gpu(y, x, first, second, scale, dropout, seed)
    if native() is None or not _suits(y, x, first, second):
        return add_low_rank_plain(y, x, first, second, scale, dropout, seed)
    done: Tensor = _AddLowRank.apply(y, x, first, second, scale, dropout, seed)  # type: ignore[no-untyped-call]
    return done


def add_low_rank_plain(
    y: Tensor, x: Tensor, first: Tensor, second: Tensor, scale: float, dropout: float, seed: int
) -> Tensor:
    """The same with torch alone; the same mask."""
    wide = x.to(first.dtype)
    threshold = threshold_of(dropout)
    if threshold:
        keep = keep_mask(seed, x.numel() // x.shape[-1], x.shape[-1], dropout, x.device).view(x.shape)
        wide = torch.where(keep, wide * _factor(threshold), 0.0)
    return y.add_(F.linear(F.linear(wide, first), second) * scale)


def draw_seed() -> int:
    """A seed from torch's default generator on the CPU, so that a resumed run drops what it would have dropped."""
    return int(torch.empty((), dtype=torch.int64).random_())


def threshold_of(dropout: float) -> int:
    """The share that is dropped, out of 65536."""
    assert 0 <= dropout < 1
    return min(round(dropout * CHANCES), CHANCES - 1)


def _factor(threshold: int) -> float:
    return CHANCES / (CHANCES - threshold)


def keep_mask(seed: int, rows: int, columns: int, dropout: float, device: torch.device | str = "cpu") -> Tensor:
    """(rows, columns) of bool: what stays of a matrix.  source/low_rank.c computes the same bits.

    Counter-based, so that forward and backward agree without a word: SplitMix64 (Steele, Lea, Flood 2014) makes a key
    for each row out of the seed; Wellons' 32-bit mixer (constants 21f0aaad, d35a2d97) takes the upper half of the key
    within and the lower half before, and yields two columns' chances at a time.
    """
    row = torch.arange(rows, dtype=torch.int64, device=device)
    keys = _mix64(_mix64(torch.full_like(row, seed)) ^ row)[:, None].view(torch.int32)  # lower half, upper half
    words = torch.arange((columns + 1) // 2, dtype=torch.int32, device=device)
    # Arithmetic of 32 bits wraps; a shift must not bring in the sign.
    z = keys[:, :1] + words
    z ^= (z >> 16) & 0xFFFF
    z *= 0x21F0AAAD
    z += keys[:, 1:]
    z ^= (z >> 15) & 0x1FFFF
    z *= 0xD35A2D97 - 2**32
    z ^= (z >> 15) & 0x1FFFF
    # On every machine that torch runs on, the lower half lies first.
    chances = z.view(torch.int16)[:, :columns]
    # As numbers without a sign they are compared: the sign's bit turned, order is that of signed ones.
    return (chances ^ -0x8000) >= threshold_of(dropout) - 0x8000


def _mix64(z: Tensor) -> Tensor:
    """SplitMix64's step, on int64 as if it had no sign."""
    z = z + (0x9E3779B97F4A7C15 - 2**64)
    z = (z ^ ((z >> 30) & 0x3FFFFFFFF)) * (0xBF58476D1CE4E5B9 - 2**64)
    z = (z ^ ((z >> 27) & 0x1FFFFFFFFF)) * (0x94D049BB133111EB - 2**64)
    return z ^ ((z >> 31) & 0x1FFFFFFFF)


def _suits(y: Tensor, x: Tensor, first: Tensor, second: Tensor) -> bool:
    return (
        y.device.type == x.device.type == "cpu"
        and y.dtype == x.dtype == torch.bfloat16
        and first.dtype == second.dtype == torch.float32
        and y.is_contiguous()
        and 0 < first.shape[0] <= MOST_RANKS
        and x.numel() > 0
    )


class LowRank(NamedTuple):
    """What lies beside one frozen layer, as `add_low_rank` takes it; both matrices contiguous float32."""

    first: Tensor
    second: Tensor
    scale: float
    dropout: float
    seed: int

    def numbers(self, tokens: int) -> tuple[int | float, ...]:
        """What both kernels take at the end."""
        (rank, wide), out, threshold = self.first.shape, len(self.second), threshold_of(self.dropout)
        return tokens, wide, out, rank, self.seed, threshold, _factor(threshold), float(self.scale)


def add_products(y: Tensor, x: Tensor, beside: LowRank) -> Tensor:
    """Natively, without autograd: y (tokens, N) as `add_low_rank` leaves it; drop(x) @ first.T, float32, comes back."""
    library = native()
    assert library is not None
    out, rank = beside.second.shape
    h = torch.empty(len(x), _up_to(rank, 4), dtype=torch.float32)
    room = _room_for_dots(rank, x.shape[1]), _room_for_spread(rank, out)
    library.call("low_rank_forward", y, x, beside.first, beside.second, h, *room, *beside.numbers(len(x)))
    return h


def products_back(
    dy: Tensor, x: Tensor, beside: LowRank, h: Tensor, dx: Tensor | None, *, add: bool, matrices: bool
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients to the two matrices, where they are wanted; that to x is written to `dx`, or added to it."""
    library = native()
    assert library is not None
    first, second = beside.first, beside.second
    (tokens, wide), (out, rank) = x.shape, second.shape
    dfirst, dsecond = (torch.empty_like(first), torch.empty_like(second)) if matrices else (None, None)
    sums = [_floats(_up_to(rank, 4) * _up_to(n, 32)) if matrices else None for n in (wide, out)]
    room = _room_for_dots(rank, out), _room_for_spread(rank, wide), *sums, torch.empty(tokens, dtype=torch.int64)
    given = dy, x, first, second, h, torch.empty_like(h), dx, dfirst, dsecond
    library.call("low_rank_backward", *given, *room, int(add), *beside.numbers(tokens))
    return dfirst, dsecond


class _AddLowRank(torch.autograd.Function):
    """Keeps x, the two matrices and h = drop(x) @ first.T, float32."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, y: Tensor, x: Tensor, first: Tensor, second: Tensor, scale: float, dropout: float, seed: int
    ) -> Tensor:
        ctx.mark_dirty(y)
        first, second = first.contiguous(), second.contiguous()
        h = add_products(y, rows_of(x), LowRank(first, second, scale, dropout, seed))
        ctx.save_for_backward(x, first, second, h)
        ctx.numbers = scale, dropout, seed  # type: ignore[attr-defined]
        return y

    @staticmethod
    @once_differentiable
    def backward(
        ctx: FunctionCtx, dy: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None, None, None, None]:
        x_needed, first_needed, second_needed = ctx.needs_input_grad[1:4]  # type: ignore[attr-defined]
        x, first, second, h = ctx.saved_tensors  # type: ignore[attr-defined]
        beside, rows = LowRank(first, second, *ctx.numbers), rows_of(x)  # type: ignore[attr-defined]
        dx = empty_like(rows) if x_needed else None
        matrices = first_needed or second_needed
        dfirst, dsecond = products_back(rows_of(dy), rows, beside, h, dx, add=False, matrices=matrices)
        return (
            dy,
            None if dx is None else dx.view(x.shape),
            dfirst if first_needed else None,
            dsecond if second_needed else None,
            None,
            None,
            None,
        )


def _room_for_dots(rank: int, columns: int) -> Tensor:
    return _floats(_up_to(rank, 4) * _up_to(columns, 16))


def _room_for_spread(rank: int, columns: int) -> Tensor:
    return _floats(rank * _up_to(columns, 64))


def _floats(count: int) -> Tensor:
    return torch.empty(count, dtype=torch.float32)


def _up_to(count: int, unit: int) -> int:
    return -(-count // unit) * unit
