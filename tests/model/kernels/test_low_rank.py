"""LoRA's products: values and gradients against float64 and PEFT; the mask: its rate, its independence, its bits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from kernelchecks import distance, needs_native, threads_leave_no_trace
from quire.model.kernels.low_rank import (
    add_low_rank,
    add_low_rank_plain,
    draw_seed,
    keep_mask,
    threshold_of,
)

both = pytest.mark.parametrize("add", [add_low_rank_plain, pytest.param(add_low_rank, marks=needs_native)])

SCALE = 0.7
SEED = 123456789012345678

Add = Callable[[Tensor, Tensor, Tensor, Tensor, float, float, int], Tensor]


def inputs_of(tokens: int, wide: int, out: int, rank: int, seed: int = 0) -> tuple[Tensor, ...]:
    """y, x, first, second, the gradient of what comes out."""
    draw = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    x, first, second = some(tokens, wide).bfloat16(), some(rank, wide), some(out, rank)
    leaves = [tensor.requires_grad_() for tensor in (x, first, second)]
    return some(tokens, out).bfloat16(), *leaves, some(tokens, out).bfloat16()


def all_of(
    add: Add, y: Tensor, x: Tensor, first: Tensor, second: Tensor, gradient: Tensor, dropout: float
) -> list[Tensor]:
    """What comes out, and the gradients of x and both matrices."""
    out = add(y.clone(), x, first, second, SCALE, dropout, SEED)
    return [out.detach(), *torch.autograd.grad(out, (x, first, second), gradient)]


def wanted_of(y: Tensor, x: Tensor, first: Tensor, second: Tensor, gradient: Tensor, dropout: float) -> list[Tensor]:
    x, first, second = (tensor.detach().double().requires_grad_() for tensor in (x, first, second))
    kept = keep_mask(SEED, *x.shape, dropout) / (1 - threshold_of(dropout) / 65536)
    out = y.double() + SCALE * ((x * kept) @ first.T) @ second.T
    return [out.detach(), *torch.autograd.grad(out, (x, first, second), gradient.double())]


def assert_close(found: list[Tensor], wanted: list[Tensor]) -> None:
    for one, other, most in zip(found, wanted, (0.004, 0.004, 1e-5, 1e-5), strict=True):
        assert one.dtype == (torch.bfloat16 if most > 1e-3 else torch.float32)
        assert one.shape == other.shape
        assert distance(one, other) < most


@both
@settings(max_examples=20)
@given(
    tokens=st.integers(1, 40),
    wide=st.integers(1, 100),
    out=st.integers(1, 100),
    rank=st.integers(1, 40),
    dropout=st.sampled_from([0.0, 0.05, 0.5]),
)
def test_values_and_gradients_are_those_of_float64(
    add: Add, tokens: int, wide: int, out: int, rank: int, dropout: float
) -> None:
    tensors = inputs_of(tokens, wide, out, rank)
    assert_close(all_of(add, *tensors, dropout), wanted_of(*tensors, dropout))


@both
@pytest.mark.parametrize(
    ("tokens", "wide", "out", "rank"),
    [(300, 576, 192, 8), (131, 1100, 70, 16), (25, 40, 1537, 64), (30, 64, 48, 256)],
)
def test_more_than_one_block_of_everything(add: Add, tokens: int, wide: int, out: int, rank: int) -> None:
    tensors = inputs_of(tokens, wide, out, rank)
    assert_close(all_of(add, *tensors, 0.05), wanted_of(*tensors, 0.05))


@both
def test_it_is_what_peft_computes(add: Add) -> None:
    torch.manual_seed(5)
    config = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=["0"], init_lora_weights=False)
    peft = get_peft_model(nn.Sequential(nn.Linear(100, 60, bias=False).bfloat16()), config)
    layer = peft.base_model.model[0]
    first, second = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert first.dtype == torch.float32
    x, gradient = torch.randn(2, 9, 100).bfloat16().requires_grad_(), torch.randn(2, 9, 60).bfloat16()
    theirs = peft(x)
    ours = add(layer.base_layer(x), x, first, second, 2.0, 0.0, 0)
    assert ours.dtype == theirs.dtype == torch.bfloat16
    assert ((ours - theirs).abs() > 0).sum() <= 2  # sums in another order tip a rounding now and then
    for found, wanted in zip(
        torch.autograd.grad(ours, (x, first, second), gradient),
        torch.autograd.grad(theirs, (x, first, second), gradient),
        strict=True,
    ):
        assert distance(found, wanted.double()) < (0.006 if found.dtype == torch.bfloat16 else 1e-5)


@both
def test_y_is_changed_in_place_and_its_gradient_passes_through(add: Add) -> None:
    y, x, first, second, gradient = inputs_of(7, 30, 20, 4)
    before = nn.Parameter(y.float())
    layer = before.bfloat16()
    out = add(layer, x, first, second, SCALE, 0.0, 0)
    assert out.data_ptr() == layer.data_ptr()
    assert not torch.equal(layer, y)
    assert torch.equal(torch.autograd.grad(out, before, gradient)[0], gradient.float())


@both
def test_only_what_is_asked_for_is_given(add: Add) -> None:
    y, x, first, second, gradient = inputs_of(20, 33, 40, 8)
    whole = all_of(add, y, x, first, second, gradient, 0.05)[1:]
    for learning in ([1, 2], [0], [1], [2], [0, 2]):
        leaves = [leaf.detach().requires_grad_(place in learning) for place, leaf in enumerate((x, first, second))]
        out = add(y.clone(), *leaves, SCALE, 0.05, SEED)
        out.backward(gradient)
        for place, leaf in enumerate(leaves):
            assert (leaf.grad is None) == (place not in learning)
            assert leaf.grad is None or distance(leaf.grad, whole[place].double()) < 1e-6


@both
def test_what_is_not_contiguous(add: Add) -> None:
    y, x, first, second, gradient = inputs_of(12, 30, 20, 4)
    plain = all_of(add, y, x, first, second, gradient, 0.2)
    tensors = [tensor.detach().T.contiguous().T.requires_grad_() for tensor in (x, first, second)]
    again = all_of(add, y, *tensors, gradient.T.contiguous().T, 0.2)
    for found, wanted in zip(again, plain, strict=True):
        assert distance(found, wanted.double()) < 1e-6


@both
def test_what_is_not_finite_stays_visible_and_in_its_row(add: Add) -> None:
    y, x, first, second, gradient = inputs_of(15, 70, 20, 6)
    with torch.no_grad():
        x[1, 7], gradient[3, 2] = torch.nan, torch.inf
    out, dx, dfirst, dsecond = all_of(add, y, x, first, second, gradient, 0.0)
    assert out.isnan().any(1).nonzero().flatten().tolist() == [1]
    assert (~dx.isfinite()).any(1).nonzero().flatten().tolist() == [3]
    assert not dfirst.isfinite().any()
    assert not dsecond[2].isfinite().any()


@needs_native
@pytest.mark.parametrize("rank", [4, 24])
def test_threads_leave_no_trace(rank: int) -> None:
    tensors = inputs_of(300, 576, 200, rank)
    threads_leave_no_trace(lambda: all_of(add_low_rank, *tensors, 0.05))


@needs_native
@pytest.mark.parametrize(("tokens", "wide"), [(1, 1), (5, 33), (30, 100), (140, 1100)])
@pytest.mark.parametrize("seed", [0, SEED, 2**63 - 1])
def test_native_and_plain_drop_the_same(tokens: int, wide: int, seed: int) -> None:
    mask = keep_mask(seed, tokens, wide, 0.3)
    one = torch.ones(1, 1)
    x = torch.ones(tokens, wide).bfloat16().requires_grad_()
    first = torch.ones(1, wide).requires_grad_()
    out = add_low_rank(torch.zeros(tokens, 1).bfloat16(), x, first, one, 1.0, 0.3, seed)
    # Each row's own gradient is another power of two, so that their sum says which rows kept a column.
    for start in range(0, tokens, 16):
        gradient = torch.zeros(tokens, 1)
        rows = min(16, tokens - start)
        gradient[start : start + rows, 0] = 2.0 ** torch.arange(rows)
        dx, dfirst = torch.autograd.grad(out, (x, first), gradient.bfloat16(), retain_graph=True)
        assert torch.equal(dx[start : start + rows] != 0, mask[start : start + rows])
        sums = (dfirst * (1 - threshold_of(0.3) / 65536)).round().long()
        bits = sums >> torch.arange(rows)[:, None] & 1
        assert torch.equal(bits.bool(), mask[start : start + rows])
    # Forward: 256 columns at a time, each read out by a rank of its own.
    for start in range(0, wide, 256):
        columns = min(256, wide - start)
        pick = torch.zeros(columns, wide)
        pick[torch.arange(columns), start + torch.arange(columns)] = 1
        y = torch.zeros(tokens, columns).bfloat16()
        seen = add_low_rank(y, x.detach(), pick, torch.eye(columns), 1.0, 0.3, seed)
        assert torch.equal(seen != 0, mask[:, start : start + columns])


@pytest.mark.parametrize("dropout", [0.05, 0.1, 0.5, 0.9])
def test_the_rate_is_the_one_that_is_asked_for(dropout: float) -> None:
    mask = keep_mask(SEED, 1000, 1001, dropout)
    deviation = (dropout * (1 - dropout) / mask.numel()) ** 0.5
    assert abs(float((~mask).double().mean()) - dropout) < 4 * deviation + 1e-5
    # Every row and every column has its share, as far as chance lets it: variances are those of coins.
    for axis in (0, 1):
        shares = mask.double().mean(axis)
        expected = dropout * (1 - dropout) / mask.shape[axis]
        assert 0.8 < float(shares.var()) / expected < 1.25


@pytest.mark.parametrize("dropout", [0.05, 0.5])
def test_neighbours_rows_and_seeds_know_nothing_of_each_other(dropout: float) -> None:
    mask = keep_mask(1, 500, 1024, dropout).double()
    others = {
        "next column": (mask[:, :-1], mask[:, 1:]),
        "two columns on": (mask[:, :-2], mask[:, 2:]),
        "the other half of a word": (mask[:, 0::2], mask[:, 1::2]),
        "a vector on": (mask[:, :-32], mask[:, 32:]),
        "next row": (mask[:-1], mask[1:]),
        "next row, next column": (mask[:-1, :-1], mask[1:, 1:]),
        "next seed": (mask, keep_mask(2, 500, 1024, dropout).double()),
        "seed of one other bit": (mask, keep_mask(1 + 2**40, 500, 1024, dropout).double()),
        "seed and row exchanged": (mask[2], keep_mask(2, 500, 1024, dropout)[1].double()),
    }
    for name, (one, other) in others.items():
        together = float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])
        assert abs(together) < 4.5 / one.numel() ** 0.5, name


def test_no_two_rows_are_alike() -> None:
    mask = keep_mask(7, 4096, 64, 0.5)
    assert mask.unique(dim=0).shape[0] == 4096


def test_none_is_dropped_where_none_is_to_be() -> None:
    assert keep_mask(3, 10, 100, 0.0).all()


def test_seeds_come_from_torchs_generator() -> None:
    state = torch.get_rng_state()
    seeds = [draw_seed() for _ in range(4)]
    torch.set_rng_state(state)
    assert seeds == [draw_seed() for _ in range(4)]
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_float32_is_computed_plainly() -> None:
    y, x, first, second, _ = inputs_of(5, 20, 30, 4)
    tensors = y.float(), x.float(), first, second
    found = add_low_rank(tensors[0].clone(), *tensors[1:], SCALE, 0.1, SEED)
    assert torch.equal(found, add_low_rank_plain(tensors[0].clone(), *tensors[1:], SCALE, 0.1, SEED))
