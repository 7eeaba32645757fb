"""What is torch alone on a GPU too, held against float64 here: LoRA beside a frozen layer, the loss of each row."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from kernelchecks import distance, drawn, with_gradients
from quire.model.kernels import gpu
from quire.model.kernels.low_rank import add_low_rank_plain

SCALE = 0.7


# LoRA beside a frozen layer.


def sizes_of(rows: int, wide: int, out: int, rank: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """x, first, second, weight, bias, the gradient of what comes out; the adapter in float32 where x has 16 bits."""
    adapter = torch.float32 if dtype in gpu.HALVES else dtype
    forms = (dtype, adapter, adapter, dtype, dtype, dtype)
    shapes = ((rows, wide), (rank, wide), (out, rank), (out, wide), (out,), (rows, out))
    return [drawn(*shape, seed=i, dtype=form) for i, (shape, form) in enumerate(zip(shapes, forms, strict=True))]


def plainly(x: Tensor, first: Tensor, second: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return functional.linear(x, weight, bias) + SCALE * ((x @ first.T) @ second.T)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 33), st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.booleans())
def test_one_function_is_the_layer_and_its_adapter(rows, wide, out, rank, biased):
    x, first, second, weight, bias, gradient = sizes_of(rows, wide, out, rank)
    bias = bias if biased else None
    found = with_gradients(
        lambda x, a, b: gpu.low_rank_linear(x, weight, bias, a, b, SCALE), [x, first, second], gradient
    )
    wanted = with_gradients(lambda x, a, b: plainly(x, a, b, weight, bias), [x, first, second], gradient)
    for one, other in zip(found, wanted, strict=True):
        assert distance(one, other) < 1e-12


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_its_gradients_are_those_of_differences(dropout):
    x, first, second, weight, bias, _ = (t.requires_grad_() for t in sizes_of(5, 7, 6, 3))
    frozen = weight.detach()

    def layer(x: Tensor, bias: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return gpu.low_rank_linear(x, frozen, bias, first, second, SCALE, dropout, 11)

    assert torch.autograd.gradcheck(layer, (x, bias, first, second))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_what_is_added_in_place_has_the_gradients_of_differences(dropout):
    x, first, second, _, _, y = sizes_of(5, 7, 6, 3)

    def add(y: Tensor, x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return gpu.add_low_rank_on_gpu(y.clone(), x, first, second, SCALE, dropout, 11)

    assert torch.autograd.gradcheck(add, tuple(t.requires_grad_() for t in (y, x, first, second)))


def test_what_is_added_is_what_processors_add():
    x, first, second, _, _, gradient = sizes_of(4 * 6, 10, 12, 3)
    x, y, gradient = x.view(4, 6, 10), drawn(4, 6, 12, seed=9), gradient.view(4, 6, 12)
    calls = [
        with_gradients(
            lambda y, x, a, b, add=add: add(y.clone(), x, a, b, SCALE, 0.0, 0), [y, x, first, second], gradient
        )
        for add in (gpu.add_low_rank_on_gpu, add_low_rank_plain)
    ]
    for found, wanted in zip(*calls, strict=True):
        assert found.shape == wanted.shape
        assert distance(found, wanted) < 1e-12


@pytest.mark.parametrize("dtype", gpu.HALVES)
def test_in_16_bits_it_errs_no_more_than_peft_does(dtype):
    tensors = sizes_of(50, 96, 80, 8, dtype)
    x, first, second, weight, bias, gradient = tensors
    exact = [t.double() for t in tensors]
    wanted = with_gradients(lambda x, a, b: plainly(x, a, b, *exact[3:5]), exact[:3], exact[5])

    def layer(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return gpu.low_rank_linear(x, weight, bias, a, b, SCALE)

    def peft(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return (functional.linear(x, weight, bias) + SCALE * (x.float() @ a.T) @ b.T).to(dtype)

    found, usual = (with_gradients(make, [x, first, second], gradient) for make in (layer, peft))
    step = torch.finfo(dtype).eps
    for one, other, true, leaf in zip(found, usual, wanted, [gradient, x, first, second], strict=True):
        assert one.dtype == leaf.dtype
        assert distance(one, true) < distance(other, true) + step


def test_only_what_is_wanted_is_computed_and_a_made_weight_is_not_kept():
    x, first, second, weight, _, gradient = sizes_of(4, 6, 5, 2)
    made: list[int] = []

    def make() -> Tensor:
        made.append(1)
        return weight.clone()

    kept: list[tuple[int, ...]] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(tuple(t.shape)) or t, lambda t: t):
        out = gpu.low_rank_linear(x, make, None, first.requires_grad_(), second.requires_grad_(), SCALE)
    assert kept == [(4, 6), (4, 2), (2, 6), (5, 2)]
    out.backward(gradient)
    assert len(made) == 1  # x learns nothing, so the way back needs no weight
    gpu.low_rank_linear(x.requires_grad_(), make, None, first, second, SCALE).backward(gradient)
    assert len(made) == 3
    assert distance(x.grad, gradient @ weight + SCALE * (gradient @ second) @ first) < 1e-12


def test_rows_of_rows_keep_their_shape_and_seeds_tell_what_drops():
    x, first, second, weight, _, _ = sizes_of(2 * 3, 64, 5, 4)
    x = x.view(2, 3, 64)
    outs = [gpu.low_rank_linear(x, weight, None, first, second, SCALE, 0.5, seed) for seed in (1, 1, 2)]
    assert outs[0].shape == (2, 3, 5)
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])


def test_as_much_drops_as_was_asked_for_and_the_rest_makes_up_for_it():
    ones, nothing = torch.ones(400, 500, dtype=torch.float64), torch.zeros(1, 500, dtype=torch.float64)
    first = torch.full((1, 500), 1 / 500, dtype=torch.float64)
    out = gpu.low_rank_linear(ones, nothing, None, first, torch.ones(1, 1, dtype=torch.float64), 1.0, 0.2, 5)
    assert abs(float(out.mean()) - 1) < 0.005
    assert float(out.std()) == pytest.approx((0.2 / 0.8 / 500) ** 0.5, rel=0.15)


@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_what_is_not_finite_stays_visible(odd):
    x, first, second, weight, _, _ = sizes_of(3, 6, 5, 2, torch.float32)
    x[1, 2] = odd
    out = gpu.low_rank_linear(x, weight, None, first, second, SCALE, 0.5, 1)
    assert not torch.isfinite(out[1]).any()
    assert torch.isfinite(out[[0, 2]]).all()


def test_layers_in_fewer_bits_are_made_whole_on_demand():
    pytest.importorskip("transformers")
    from quire.model.lowbit import Int8Linear

    weight = drawn(24, 16, dtype=torch.float32)
    layer = Int8Linear(weight, None)
    make = gpu.frozen_weight(layer, torch.float32)
    assert callable(make)
    assert torch.equal(make(), layer.weight)
    frozen = nn.Linear(3, 2).requires_grad_(False)
    assert gpu.frozen_weight(frozen, torch.float32) is frozen.weight
    assert all(gpu.frozen_weight(other, torch.bfloat16) is None for other in (layer, frozen))  # another format
    assert gpu.frozen_weight(nn.Linear(3, 2), torch.float32) is None  # it learns
    assert gpu.frozen_weight(nn.Embedding(3, 2), torch.float32) is None


def test_bitsandbytes_four_bits_give_the_same_as_through_its_own_layer():
    layers = pytest.importorskip("bitsandbytes.nn")
    layer = layers.Linear4bit(64, 48, False, compute_dtype=torch.float32, quant_type="nf4", device="meta")
    layer.weight = layers.Params4bit(
        drawn(48, 64, dtype=torch.float32), requires_grad=False, quant_type="nf4", module=layer
    ).to("cpu")
    layer.support_avx512bf16_for_cpu = False
    x, first, second, _, _, gradient = sizes_of(9, 64, 48, 4, torch.float32)
    make = gpu.frozen_weight(layer, torch.float32)
    found = with_gradients(
        lambda x, a, b: gpu.low_rank_linear(x, make, None, a, b, SCALE), [x, first, second], gradient
    )
    wanted = with_gradients(lambda x, a, b: layer(x) + SCALE * (x @ a.T) @ b.T, [x, first, second], gradient)
    for one, other in zip(found, wanted, strict=True):
        assert distance(one, other) < 1e-5


# The loss of each row.


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("rows", "words"), [(1, 2), (7, 33), (40, 1000)])
def test_losses_and_their_gradients(rows, words, dtype):
    logits = (drawn(rows, words, seed=rows) * 4).to(dtype)
    targets = torch.randint(words, (rows,), generator=torch.Generator().manual_seed(1))
    exact = logits.double().requires_grad_()
    wanted = functional.cross_entropy(exact, targets, reduction="none")
    (gradient,) = torch.autograd.grad(wanted.sum(), exact)
    before = logits.clone()
    alone = gpu.losses_on_gpu(logits, targets, with_gradient=False)
    assert torch.equal(logits, before)
    losses = gpu.losses_on_gpu(logits, targets, with_gradient=True)
    assert torch.equal(losses, alone)
    assert losses.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    close = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 1e-5}[dtype]
    assert distance(losses, wanted.detach()) < close
    assert distance(logits, gradient) < max(close, torch.finfo(dtype).eps)


def test_a_word_that_is_nearly_certain_keeps_its_gradient():
    logits = torch.tensor([[12.0, 0.0, 0.0]], dtype=torch.bfloat16)
    exact = logits.double().softmax(1)
    gpu.losses_on_gpu(logits, torch.tensor([0]), with_gradient=True)
    assert float(logits[0, 0]) == pytest.approx(float(exact[0, 0]) - 1, rel=0.01)


def test_a_loss_that_is_not_finite_stays_visible():
    logits = torch.tensor([[1.0, torch.nan], [1.0, 2.0]])
    losses = gpu.losses_on_gpu(logits, torch.tensor([0, 1]), with_gradient=True)
    assert losses.isfinite().tolist() == [False, True]
    assert logits.isfinite().all(1).tolist() == [False, True]
