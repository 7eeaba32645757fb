"""Causal attention over rows of packed works: none sees another, without a mask or a matrix of all scores.

On processors with AVX512-BF16 a kernel of our own (source/attention.c), on GPUs torch's flash attention, all works of a
row in one call (kernels/gpu.py); elsewhere torch's for one work, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from quire.model.kernels.blocks import empty
from quire.model.kernels.gpu import attention_by_flash, turned_by_liger
from quire.model.kernels.native import Native, native

MOST_FEATURES = 256  # of a head; wider ones are left to torch


@dataclass(frozen=True)
class Turns:
    """Rotary positions (arXiv 2104.09864): cos and sin (rows, features of a head), that of token t in row t % rows."""

    cos: Tensor
    sin: Tensor


def causal_attention(
    query: Tensor, key: Tensor, value: Tensor, starts: Sequence[int], scale: float, turns: Turns | None = None
) -> Tensor:
    """Each token's look back at those of its own work: (tokens, heads, features).

    `query` is (tokens, heads, features), `key` and `value` (tokens, groups, features), where a group of heads shares
    them; work i reaches from starts[i] up to starts[i + 1].  With `turns` queries and keys are turned first.
    """
    assert starts[0] == 0
    assert starts[-1] == len(query)
    if query.is_cuda:
        return attention_on_gpu(query, key, value, starts, scale, turns)
    kernel = _kernel_for(query, key, value, turns)
    if kernel is None:
        return attention_plain(query, key, value, starts, scale, turns)
    looks = Looks(torch.tensor(starts), scale, turns)
    attended: Tensor = _Attention.apply(query, key, value, looks)  # type: ignore[no-untyped-call]
    return attended


def attention_on_gpu(
    query: Tensor, key: Tensor, value: Tensor, starts: Sequence[int], scale: float, turns: Turns | None = None
) -> Tensor:
    """The same with what is made for GPUs, each part plainly where that is not to be had."""
    if turns is not None:
        by_liger = turned_by_liger(query, key, turns.cos, turns.sin)
        query, key = (turned(query, turns), turned(key, turns)) if by_liger is None else by_liger
    by_flash = attention_by_flash(query, key, value, starts, scale)
    return attention_plain(query, key, value, starts, scale) if by_flash is None else by_flash


def attention_plain(
    query: Tensor, key: Tensor, value: Tensor, starts: Sequence[int], scale: float, turns: Turns | None = None
) -> Tensor:
    """The same with torch alone."""
    if turns is not None:
        query, key = turned(query, turns), turned(key, turns)
    query, key, value = (x.transpose(0, 1)[None] for x in (query, key, value))
    shares = query.shape[1] != key.shape[1]
    works = [
        functional.scaled_dot_product_attention(
            query[:, :, first:end],
            key[:, :, first:end],
            value[:, :, first:end],
            is_causal=True,
            scale=scale,
            enable_gqa=shares,
        )
        for first, end in zip(starts[:-1], starts[1:], strict=True)
    ]
    return (works[0] if len(works) == 1 else torch.cat(works, dim=2))[0].transpose(0, 1)


def turned(x: Tensor, turns: Turns) -> Tensor:
    """x (tokens, heads, features), each half of the features turned against the other by the token's position."""
    low, high = x.chunk(2, dim=-1)
    times = x.shape[0] // turns.cos.shape[0]
    cos, sin = (part.repeat(times, 1)[:, None] for part in (turns.cos, turns.sin))
    return x * cos + torch.cat((-high, low), dim=-1) * sin


@dataclass(frozen=True)
class Looks:
    """How a row of packed works looks back at itself: what `causal_attention` takes beside the three tensors."""

    starts: Tensor  # (works + 1), int64
    scale: float
    turns: Turns | None


def attend(query: Tensor, key: Tensor, value: Tensor, looks: Looks) -> tuple[Tensor, Tensor]:
    """Natively, without autograd: what `causal_attention` gives, and a level for each row of scores (heads, tokens)."""
    tokens, heads, _ = query.shape
    out, levels = empty(query.shape, query.dtype), torch.empty(heads, tokens, dtype=torch.float32)
    _native().demand("quire_attention_forward", *_inputs(query, key, value, looks), out, levels)
    return out, levels


def attend_back(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, out: Tensor, levels: Tensor, looks: Looks
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients to query, key and value, each contiguous, of what `attend` gave; the scores are computed again."""
    to_query, to_key, to_value = (empty(x.shape, x.dtype) for x in (query, key, value))
    inputs = _inputs(query, key, value, looks)
    _native().demand("quire_attention_backward", *inputs, out, levels, gradient, to_query, to_key, to_value)
    return to_query, to_key, to_value


class _Attention(torch.autograd.Function):
    """Keeps what came in and went out, and one number for each row of scores."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        looks: Looks,
    ) -> Tensor:
        out, levels = attend(query, key, value, looks)
        ctx.save_for_backward(query, key, value, out, levels)
        ctx.looks = looks  # type: ignore[attr-defined]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, levels = ctx.saved_tensors  # type: ignore[attr-defined]
        looks: Looks = ctx.looks  # type: ignore[attr-defined]
        return (*attend_back(gradients[0].contiguous(), query, key, value, out, levels, looks), None)


def _inputs(query: Tensor, key: Tensor, value: Tensor, looks: Looks) -> list[Tensor | int | float | None]:
    starts, turns = looks.starts, looks.turns
    angles = () if turns is None else (turns.cos, turns.sin)
    assert all(x.dtype == torch.bfloat16 for x in (query, key, value, *angles))
    assert all(x.stride(2) == 1 and x.stride(1) == x.shape[2] for x in (query, key, value))
    assert all(x.is_contiguous() for x in angles)
    rows: list[Tensor | int | float | None] = []
    for x in (query, key, value):
        rows += [x, x.stride(0)]
    positions = [None, None, 1] if turns is None else [turns.cos, turns.sin, len(turns.cos)]
    shape = [len(starts) - 1, query.shape[1], key.shape[1], query.shape[2]]
    return [*rows, *positions, starts, *shape, float(looks.scale)]


def _kernel_for(query: Tensor, key: Tensor, value: Tensor, turns: Turns | None) -> Native | None:
    """The library, where it can compute this."""
    tensors = [query, key, value] + ([turns.cos, turns.sin] if turns is not None else [])
    if any(x.device.type != "cpu" or x.dtype != torch.bfloat16 for x in tensors):
        return None
    if not knows_features(query.shape[2]):
        return None
    if any(x.stride(2) != 1 or x.stride(1) != x.shape[2] for x in (query, key, value)):
        return None
    if turns is not None and not (turns.cos.is_contiguous() and turns.sin.is_contiguous()):
        return None
    return native()


def knows_features(features: int) -> bool:
    """Whether the kernel can compute heads of so many features."""
    return features % 16 == 0 and features <= MOST_FEATURES


def _native() -> Native:
    library = native()
    assert library is not None
    return library
