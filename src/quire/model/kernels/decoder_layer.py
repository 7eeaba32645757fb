"""A whole decoder layer of the Llama family over a frozen base, as one step of autograd, on the processor.

Its parts are the kernels beside this file; what is saved is all that lies between them: some
twenty nodes of autograd a layer, sums of gradients that can be formed where a product ends, and states that are kept
only because the one who made them does not know that they can be made again.  Kept for the way back are what went into
either half, queries, keys and values, what attention gave, gate and up; the norms are made again from what went in.
There is no plain version here: transformers' layer is that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from quire.model.kernels import products, whole_numbers
from quire.model.kernels.attention import Looks, attend, attend_back
from quire.model.kernels.gate import gate_back, gated
from quire.model.kernels.low_rank import LowRank, add_products, products_back
from quire.model.kernels.norm import norm_back, normed
from quire.model.kernels.whole_numbers import Rounded, rounded

QUERY, KEY, VALUE, OUTPUT, GATE, UP, DOWN = range(7)


@dataclass(frozen=True)
class FrozenLinear:
    """A frozen linear layer, and the low-rank products that lie beside it."""

    weight: Tensor  # (outputs, inputs), bf16; or int8, times `scale`
    scale: Tensor | None  # (outputs), float32
    bias: Tensor | None
    beside: tuple[LowRank, ...]


@dataclass(frozen=True)
class Norm:
    """A root-mean-square norm."""

    weight: Tensor
    eps: float


@dataclass(frozen=True)
class DecoderLayer:
    """The parts of a layer, in the order in which a token passes them; all but what lies beside them frozen."""

    before_attention: Norm
    query: FrozenLinear
    key: FrozenLinear
    value: FrozenLinear
    of_heads: tuple[Norm, Norm] | None  # of queries and of keys, head by head
    output: FrozenLinear
    before_gate: Norm
    gate: FrozenLinear
    up: FrozenLinear
    down: FrozenLinear
    features: int  # of a head

    def linears(self) -> tuple[FrozenLinear, ...]:
        """In their order: QUERY to DOWN."""
        return self.query, self.key, self.value, self.output, self.gate, self.up, self.down


def decoder_layer(x: Tensor, layer: DecoderLayer, looks: Looks) -> Tensor:
    """x (…, width), bf16, rows of tokens one behind the other as `looks` knows them, to the same.

    Gradients flow to x and to what lies beside the linear layers.
    """
    # autograd wants to see them, though `layer` holds them too
    matrices = [matrix for linear in layer.linears() for low in linear.beside for matrix in (low.first, low.second)]
    y: Tensor = _DecoderLayer.apply(x, layer, looks, *matrices)  # type: ignore[no-untyped-call]
    return y


class _Kept(NamedTuple):
    """What the way back reads, all but the low-rank products' own."""

    x: Tensor
    x_norms: Tensor
    query: Tensor  # before norms and turns
    key: Tensor
    value: Tensor
    attended: Tensor
    levels: Tensor
    between: Tensor
    between_norms: Tensor
    gate: Tensor
    up: Tensor


class _DecoderLayer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, states: Tensor, layer: DecoderLayer, looks: Looks, *matrices: Tensor) -> Tensor:
        x = states.reshape(-1, states.shape[-1]).contiguous()
        small: list[Tensor] = []
        first, x_norms = normed(x, layer.before_attention.weight, layer.before_attention.eps)
        given = _Given(first)
        query, key, value = (_forward(linear, given, small) for linear in (layer.query, layer.key, layer.value))
        attended, levels = attend(*_heads(query, key, value, layer), looks)
        between = _forward(layer.output, _Given(attended.flatten(1)), small, x)
        second, between_norms = normed(between, layer.before_gate.weight, layer.before_gate.eps)
        given = _Given(second)
        gate, up = (_forward(linear, given, small) for linear in (layer.gate, layer.up))
        y = _forward(layer.down, _Given(gated(gate, up)), small, between)
        kept = _Kept(x, x_norms, query, key, value, attended, levels, between, between_norms, gate, up)
        # the matrices too: autograd then sees whether somebody changed them in between
        ctx.save_for_backward(*kept, *small, *matrices)
        ctx.layer, ctx.looks = layer, looks  # type: ignore[attr-defined]
        return y.view(states.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, dy: Tensor) -> tuple[Tensor | None, ...]:
        layer: DecoderLayer = ctx.layer  # type: ignore[attr-defined]
        saved = ctx.saved_tensors  # type: ignore[attr-defined]
        kept, small = _Kept(*saved[: len(_Kept._fields)]), saved[len(_Kept._fields) :]
        x_wanted, _, _, *matrices_wanted = ctx.needs_input_grad  # type: ignore[attr-defined]
        way = _WayBack(layer, small, matrices_wanted)
        looks: Looks = ctx.looks  # type: ignore[attr-defined]
        dx = _back(way, kept, layer, looks, dy.reshape(kept.x.shape).contiguous(), x_wanted)
        return (None if dx is None else dx.view(dy.shape), None, None, *way.gradients)


def _back(way: _WayBack, kept: _Kept, layer: DecoderLayer, looks: Looks, dy: Tensor, x_wanted: bool) -> Tensor | None:
    """The gradient to x, where it is wanted; below the lowest one that is wanted nothing is computed."""
    heads_wanted = x_wanted or way.learns(QUERY, KEY, VALUE)
    between_wanted = heads_wanted or way.learns(OUTPUT)
    dbetween = _gate_back(way, kept, layer, dy, between_wanted)
    if dbetween is None:
        return None
    dattended = way.back(OUTPUT, dbetween, lambda: kept.attended.flatten(1), None, heads_wanted)
    if dattended is None:
        return None
    heads = _heads(kept.query, kept.key, kept.value, layer)
    dheads = attend_back(dattended.view_as(kept.attended), *heads, kept.attended, kept.levels, looks)
    dquery, dkey, dvalue = _heads_back(*dheads, kept, layer)
    first = cache(lambda: _anew(layer.before_attention, kept.x))
    dfirst = way.back(QUERY, dquery, first, None, x_wanted)
    dfirst = way.back(KEY, dkey, first, dfirst, x_wanted)
    dfirst = way.back(VALUE, dvalue, first, dfirst, x_wanted)
    if dfirst is None:
        return None
    return norm_back(dfirst, kept.x, layer.before_attention.weight, kept.x_norms, dbetween)


def _gate_back(way: _WayBack, kept: _Kept, layer: DecoderLayer, dy: Tensor, wanted: bool) -> Tensor | None:
    """Through the second half: the gradient to what went into it, where it is wanted."""
    dgated = way.back(DOWN, dy, lambda: gated(kept.gate, kept.up), None, wanted or way.learns(GATE, UP))
    if dgated is None:
        return None
    dgate, dup = gate_back(dgated, kept.gate, kept.up, dgated)
    second = cache(lambda: _anew(layer.before_gate, kept.between))
    dsecond = way.back(GATE, dgate, second, None, wanted)
    dsecond = way.back(UP, dup, second, dsecond, wanted)
    if dsecond is None:
        return None
    return norm_back(dsecond, kept.between, layer.before_gate.weight, kept.between_norms, dy)


def _anew(norm: Norm, x: Tensor) -> Tensor:
    return normed(x, norm.weight, norm.eps)[0]


class _Given:
    """Rows that several products read: rounded to 8 bits once, and only where one wants them so."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    @cached_property
    def codes(self) -> Rounded:
        return rounded(self.rows)


def _forward(linear: FrozenLinear, given: _Given, small: list[Tensor], onto: Tensor | None = None) -> Tensor:
    """(tokens, outputs), with `onto` added; what the low-rank products need again is put to `small`."""
    if linear.scale is None:
        y = products.product(given.rows, linear.weight, linear.bias, onto)
    else:
        to = None if onto is None else onto.clone()
        y = whole_numbers.product(given.codes, linear.weight, linear.scale, linear.bias, to)
    small += [add_products(y, given.rows, low) for low in linear.beside]
    return y


class _WayBack:
    """The linear layers on the way back, told by their number in `linears`, and the gradients that are found there."""

    def __init__(self, layer: DecoderLayer, small: tuple[Tensor, ...], wanted: list[bool]) -> None:
        self._linears, self._small, self._wanted = layer.linears(), small, wanted
        self._first = [0, *accumulate(len(linear.beside) for linear in self._linears)]
        self.gradients: list[Tensor | None] = [None] * len(wanted)

    def learns(self, *which: int) -> bool:
        """Whether gradients of something beside these layers are wanted."""
        return any(any(self._wanted[2 * self._first[i] : 2 * self._first[i + 1]]) for i in which)

    def back(
        self, which: int, dy: Tensor, given: Callable[[], Tensor], onto: Tensor | None, wanted: bool
    ) -> Tensor | None:
        """The gradient to what the layer was `given`, added `onto` another, where it is wanted."""
        linear = self._linears[which]
        dx = _frozen_back(linear, dy, onto) if wanted else None
        for place, low in enumerate(linear.beside, self._first[which]):
            matrices = any(self._wanted[2 * place : 2 * place + 2])
            if matrices or dx is not None:
                rows = given()
                found = products_back(dy, rows, low, self._small[place], dx, add=True, matrices=matrices)
                self.gradients[2 * place : 2 * place + 2] = found
        return dx


def _frozen_back(linear: FrozenLinear, dy: Tensor, onto: Tensor | None) -> Tensor:
    if linear.scale is None:
        return products.product_back(dy, linear.weight, onto, onto)
    return whole_numbers.product_back(rounded(dy, linear.scale), linear.weight, onto)


def _heads(query: Tensor, key: Tensor, value: Tensor, layer: DecoderLayer) -> tuple[Tensor, Tensor, Tensor]:
    """(tokens, heads, features) each, as attention reads them."""
    query, key, value = (x.view(len(x), -1, layer.features) for x in (query, key, value))
    if layer.of_heads is not None:
        query, key = (_anew(norm, x) for x, norm in zip((query, key), layer.of_heads, strict=True))
    return query, key, value


def _heads_back(
    dquery: Tensor, dkey: Tensor, dvalue: Tensor, kept: _Kept, layer: DecoderLayer
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients to what `_heads` was given."""
    if layer.of_heads is not None:
        dquery, dkey = (
            _norm_back_anew(dx, x, norm)
            for dx, x, norm in zip((dquery, dkey), (kept.query, kept.key), layer.of_heads, strict=True)
        )
    return dquery.flatten(1), dkey.flatten(1), dvalue.flatten(1)


def _norm_back_anew(dy: Tensor, x: Tensor, norm: Norm) -> Tensor:
    rows = x.view(dy.shape)
    return norm_back(dy, rows, norm.weight, normed(rows, norm.weight, norm.eps)[1])
