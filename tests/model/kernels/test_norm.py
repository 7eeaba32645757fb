"""The norm: values and gradients against float64, rounding as in transformers, threads without a trace."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from kernelchecks import distance, needs_native, threads_leave_no_trace
from quire.model.kernels.norm import rms_norm, rms_norm_plain

both = pytest.mark.parametrize("norm", [rms_norm_plain, pytest.param(rms_norm, marks=needs_native)])

EPS = 1e-5

Norm = Callable[[Tensor, Tensor, float], Tensor]


def inputs_of(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """x, the weight, the gradient of what comes out."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=draw) * 3
    weight = 1 + torch.randn(shape[-1], generator=draw) / 4
    gradient = torch.randn(*shape, generator=draw)
    return x.bfloat16().requires_grad_(), weight.bfloat16().requires_grad_(), gradient.bfloat16()


def all_of(norm: Norm, x: Tensor, weight: Tensor, gradient: Tensor) -> list[Tensor]:
    """What comes out, and both gradients."""
    y = norm(x, weight, EPS)
    return [y.detach(), *torch.autograd.grad(y, (x, weight), gradient)]


def wanted_of(x: Tensor, weight: Tensor, gradient: Tensor) -> list[Tensor]:
    x, weight = (tensor.detach().double().requires_grad_() for tensor in (x, weight))
    y = x / (x.square().mean(-1, keepdim=True) + EPS).sqrt() * weight
    return [y.detach(), *torch.autograd.grad(y, (x, weight), gradient.double())]


@both
@settings(max_examples=15)
@given(rows=st.integers(1, 40), width=st.integers(1, 200), seed=st.integers(0, 9))
def test_values_and_gradients_are_those_of_float64(norm: Norm, rows: int, width: int, seed: int) -> None:
    tensors = inputs_of(rows, width, seed=seed)
    for found, wanted in zip(all_of(norm, *tensors), wanted_of(*tensors), strict=True):
        assert found.dtype == torch.bfloat16
        # Of one or two columns, nearly nothing is left of dx, and its error is that of its parts.
        assert distance(found, wanted) < 0.01 or (found - wanted).abs().max() < 0.02


@both
def test_more_rows_than_one_block_and_more_dimensions(norm: Norm) -> None:
    tensors = inputs_of(3, 111, 576)
    for found, wanted in zip(all_of(norm, *tensors), wanted_of(*tensors), strict=True):
        assert found.shape == wanted.shape
        assert distance(found, wanted) < 0.005


@both
def test_it_rounds_as_transformers_does(norm: Norm) -> None:
    x, weight, _ = inputs_of(64, 576)
    theirs = LlamaRMSNorm(576, EPS).bfloat16()
    with torch.no_grad():
        theirs.weight.copy_(weight)
    # A statistic that is summed in another order may tip one in many thousands to the other side.
    assert (norm(x, weight, EPS) != theirs(x)).sum() <= 3


@both
def test_what_is_not_contiguous(norm: Norm) -> None:
    x, weight, gradient = inputs_of(48, 30)
    turned = x.view(6, 8, 30).transpose(0, 1)
    y = norm(turned, weight, EPS)
    assert torch.equal(y, norm(turned.contiguous(), weight, EPS))
    (dx,) = torch.autograd.grad(y, x, gradient.view(6, 8, 30).transpose(0, 1))
    assert torch.equal(dx, torch.autograd.grad(norm(x, weight, EPS), x, gradient)[0])


@both
def test_a_frozen_weight_gets_no_gradient_and_x_the_same(norm: Norm) -> None:
    x, weight, gradient = inputs_of(5, 70)
    (alone,) = torch.autograd.grad(norm(x, weight.detach(), EPS), x, gradient)
    assert torch.equal(alone, torch.autograd.grad(norm(x, weight, EPS), x, gradient)[0])


@both
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_not_finite_stays_visible_and_in_its_row(norm: Norm, bad: float) -> None:
    x, weight, gradient = inputs_of(3, 50)
    with torch.no_grad():
        x[1, 7] = bad
    y, dx, dweight = all_of(norm, x, weight, gradient)
    for tensor in (y, dx):
        assert tensor[[0, 2]].isfinite().all()
        assert tensor[1].isnan().any()
    assert dweight.isnan().any()


@needs_native
def test_threads_leave_no_trace() -> None:
    tensors = inputs_of(300, 576)
    threads_leave_no_trace(lambda: all_of(rms_norm, *tensors))


def test_float32_is_computed_plainly() -> None:
    x, weight, _ = inputs_of(4, 20)
    assert torch.equal(rms_norm(x.float(), weight.float(), EPS), rms_norm_plain(x.float(), weight.float(), EPS))
