"""Attention over packed works: values and gradients against float64, works apart, threads without a trace."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kernelchecks import distance, needs_native, threads_leave_no_trace
from quire.model.kernels.attention import Turns, attention_plain, causal_attention, turned

# In bf16 the results of two right ways differ by this much of their size; half a unit of its last place is 0.2 %.
CLOSE = 0.01


def reference(
    query: Tensor, key: Tensor, value: Tensor, starts: list[int], scale: float, turns: Turns | None
) -> Tensor:
    """Softmax written out in float64, work by work."""
    query, key, value = query.double(), key.double(), value.double()
    if turns is not None:
        wide = Turns(turns.cos.double(), turns.sin.double())
        query, key = turned(query, wide), turned(key, wide)
    share = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(share, 1), value.repeat_interleave(share, 1)
    works = []
    for first, end in pairwise(starts):
        scores = torch.einsum("ihd,jhd->hij", query[first:end], key[first:end]) * scale
        hidden = torch.ones(end - first, end - first).triu(1).bool()
        chances = scores.masked_fill(hidden, -torch.inf).softmax(-1)
        works.append(torch.einsum("hij,jhd->ihd", chances, value[first:end]))
    return torch.cat(works)


def inputs_of(
    tokens: int, heads: int, groups: int, features: int, seed: int = 0, turns: int = 0
) -> tuple[list[Tensor], Tensor, Turns | None]:
    """Queries, keys, values; the gradient of what comes out; positions where `turns` rows of them are wanted."""
    draw = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw).bfloat16()

    tensors = [some(tokens, heads, features), some(tokens, groups, features), some(tokens, groups, features)]
    angles = torch.randn(turns, features // 2, generator=draw).repeat(1, 2)
    positions = Turns(angles.cos().bfloat16(), angles.sin().bfloat16()) if turns else None
    return [x.requires_grad_() for x in tensors], some(tokens, heads, features), positions


def all_of(attend, tensors: list[Tensor], gradient: Tensor, starts: list[int], turns: Turns | None) -> list[Tensor]:
    """What comes out, and the three gradients."""
    out = attend(*tensors, starts, tensors[0].shape[2] ** -0.5, turns)
    return [out, *torch.autograd.grad(out, tensors, gradient.to(out.dtype))]


SHAPES = [
    (1, 1, 1, 16, [0, 1]),
    (2, 2, 1, 32, [0, 2]),
    (5, 2, 1, 48, [0, 1, 5]),
    (64, 2, 2, 64, [0, 64]),
    (65, 3, 1, 64, [0, 65]),
    (200, 4, 2, 128, [0, 3, 131, 200]),
    (333, 2, 1, 80, [0, 17, 333]),
    (40, 16, 4, 16, [0, 16, 32, 40]),
    (70, 1, 1, 256, [0, 70]),
]


@needs_native
@pytest.mark.parametrize(("tokens", "heads", "groups", "features", "starts"), SHAPES)
@pytest.mark.parametrize("turning", [False, True])
def test_values_and_gradients_are_those_of_a_softmax_in_float64(tokens, heads, groups, features, starts, turning):
    tensors, gradient, turns = inputs_of(tokens, heads, groups, features, turns=tokens if turning else 0)
    wanted = all_of(reference, tensors, gradient, starts, turns)
    for found, right in zip(all_of(causal_attention, tensors, gradient, starts, turns), wanted, strict=True):
        assert distance(found, right) < CLOSE


@pytest.mark.parametrize(("tokens", "heads", "groups", "features", "starts"), SHAPES[:7])
def test_torch_alone_gives_the_same(tokens, heads, groups, features, starts):
    tensors, gradient, turns = inputs_of(tokens, heads, groups, features, turns=tokens)
    wide = [x.detach().double().requires_grad_() for x in tensors]
    angles = Turns(turns.cos.double(), turns.sin.double())
    wanted = all_of(reference, tensors, gradient, starts, turns)
    for found, right in zip(all_of(attention_plain, wide, gradient, starts, angles), wanted, strict=True):
        assert distance(found, right) < CLOSE / 4


@needs_native
def test_it_is_as_exact_as_torch_in_the_same_format():
    tensors, gradient, turns = inputs_of(300, 4, 2, 64, turns=300)
    wanted = all_of(reference, tensors, gradient, [0, 120, 300], turns)
    ours = all_of(causal_attention, tensors, gradient, [0, 120, 300], turns)
    plain = all_of(attention_plain, tensors, gradient, [0, 120, 300], turns)
    for found, other, right in zip(ours, plain, wanted, strict=True):
        assert distance(found, right) < 1.2 * distance(other, right)


@needs_native
@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=5), st.integers(0, 4), st.integers(0, 2**20))
def test_a_work_is_the_same_bit_for_bit_wherever_it_stands(lengths, which, seed):
    starts = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    tensors, gradient, _ = inputs_of(starts[-1], 2, 1, 32, seed)
    together = all_of(causal_attention, tensors, gradient, starts, None)
    first, end = starts[which % len(lengths)], starts[which % len(lengths) + 1]
    own = [x.detach()[first:end].clone().requires_grad_() for x in tensors]
    alone = all_of(causal_attention, own, gradient[first:end], [0, end - first], None)
    for found, wanted in zip(together, alone, strict=True):
        assert torch.equal(found[first:end], wanted)


@needs_native
def test_threads_leave_no_trace():
    tensors, gradient, turns = inputs_of(300, 3, 1, 64, turns=300)
    threads_leave_no_trace(lambda: all_of(causal_attention, tensors, gradient, [0, 100, 300], turns))


@needs_native
@pytest.mark.parametrize("tokens", [32, 100, 300, 500, 800])
def test_what_lay_in_memory_before_leaves_no_trace(tokens):
    """Sums are begun where the first tile reaches, not with zeros: whatever the number of tiles, none is left out."""
    tensors, gradient, _ = inputs_of(tokens, 2, 1, 16)
    found = []
    for filled in (torch.nan, 1e4):
        before = [torch.full((size,), filled) for size in (2**8, 2**12, 2**16, 2**17, 2**18, 2**19) for _ in range(3)]
        del before
        found.append(all_of(causal_attention, tensors, gradient, [0, tokens], None))
    assert all(torch.isfinite(x).all() for x in found[0])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@needs_native
def test_rows_of_equal_length_share_their_positions():
    tensors, gradient, turns = inputs_of(40, 2, 2, 32, turns=20)
    own = Turns(turns.cos.repeat(2, 1), turns.sin.repeat(2, 1))
    shared = all_of(causal_attention, tensors, gradient, [0, 20, 40], turns)
    for found, wanted in zip(shared, all_of(causal_attention, tensors, gradient, [0, 20, 40], own), strict=True):
        assert torch.equal(found, wanted)


@needs_native
def test_large_scores_do_not_overflow():
    tensors, gradient, _ = inputs_of(130, 2, 1, 64)
    tensors = [(x.detach() * 30).requires_grad_() for x in tensors]
    found = all_of(causal_attention, tensors, gradient, [0, 130], None)
    assert all(torch.isfinite(x).all() for x in found)
    assert distance(found[0], reference(*tensors, [0, 130], 0.125, None)) < CLOSE


@needs_native
@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_what_is_not_finite_stays_visible(odd):
    tensors, _, _ = inputs_of(80, 2, 1, 64)
    with torch.no_grad():
        tensors[1][70, 0, 3] = odd
        out = causal_attention(*tensors, [0, 80], 0.125)
    assert not torch.isfinite(out[70:].float()).all()
    assert torch.isfinite(out[:70].float()).all()  # nobody looks ahead


def test_other_formats_are_left_to_torch():
    query, key, value = (torch.randn(9, 2, 32, requires_grad=True) for _ in range(3))
    out = causal_attention(query, key, value, [0, 4, 9], 0.2)
    assert out.dtype == torch.float32
    assert distance(out, reference(query, key, value, [0, 4, 9], 0.2, None)) < 1e-6
