"""The gate: values and gradients against float64, rounding as torch does, what is not finite."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from kernelchecks import distance, needs_native, threads_leave_no_trace
from quire.model.kernels.gate import silu_times, silu_times_plain

both = pytest.mark.parametrize("times", [silu_times_plain, pytest.param(silu_times, marks=needs_native)])

Times = Callable[[Tensor, Tensor], Tensor]


def inputs_of(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Gate, up, the gradient of what comes out."""
    draw = torch.Generator().manual_seed(seed)
    gate, up, gradient = (torch.randn(*shape, generator=draw) for _ in range(3))
    return (gate * 4).bfloat16().requires_grad_(), up.bfloat16().requires_grad_(), gradient.bfloat16()


def all_of(times: Times, gate: Tensor, up: Tensor, gradient: Tensor) -> list[Tensor]:
    """What comes out, and both gradients."""
    out = times(gate, up)
    return [out.detach(), *torch.autograd.grad(out, (gate, up), gradient.to(out.dtype))]


def wanted_of(gate: Tensor, up: Tensor, gradient: Tensor) -> list[Tensor]:
    gate, up = (tensor.detach().double().requires_grad_() for tensor in (gate, up))
    return all_of(lambda gate, up: gate / (1 + (-gate).exp()) * up, gate, up, gradient)


@both
@settings(max_examples=15)
@given(rows=st.integers(1, 40), width=st.integers(1, 300), seed=st.integers(0, 9))
def test_values_and_gradients_are_those_of_float64(times: Times, rows: int, width: int, seed: int) -> None:
    tensors = inputs_of(rows, width, seed=seed)
    for found, wanted in zip(all_of(times, *tensors), wanted_of(*tensors), strict=True):
        assert found.dtype == torch.bfloat16
        assert distance(found, wanted) < 0.006


@needs_native
def test_every_number_that_bf16_has_is_rounded_as_torch_does() -> None:
    gate = torch.arange(-0x8000, 0x8000, dtype=torch.int16).view(torch.bfloat16)
    gate = gate[gate.abs() > 2.0**-126]  # torch's own vectors and tails differ in what is smaller still
    up = torch.ones_like(gate)
    found, theirs = silu_times(gate, up), F.silu(gate)
    assert torch.equal(found.isnan(), theirs.isnan())
    # Where silu is among the smallest of all (gates below -87), both only have to vanish.
    apart = (found != theirs) & ~theirs.isnan() & (theirs.double().abs() > 1e-36)
    assert apart.sum() <= 8  # exact halves between two numbers, which an error in the 24th bit tips over
    torch.testing.assert_close(found, theirs, rtol=0.008, atol=1e-35, equal_nan=True)


@both
def test_far_out_it_is_the_gate_itself_or_nothing(times: Times) -> None:
    gate = torch.tensor([-3e38, -1e15, -200.0, -100.0, 0.0, 100.0, 200.0, 1e15, 3e38]).bfloat16().requires_grad_()
    up = torch.full_like(gate, 1.0).requires_grad_()
    out, dgate, dup = all_of(times, gate, up, torch.ones(9))
    wanted = gate.detach().clamp(min=0)
    torch.testing.assert_close(out, wanted, rtol=0, atol=1e-36)
    torch.testing.assert_close(dup, wanted, rtol=0, atol=1e-36)
    torch.testing.assert_close(dgate, torch.tensor([0, 0, 0, 0, 0.5, 1, 1, 1, 1]).bfloat16(), rtol=0, atol=1e-36)


@both
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_not_finite_stays_visible_where_it_is(times: Times, bad: float, place: int) -> None:
    tensors = inputs_of(37)
    with torch.no_grad():
        tensors[place][20] = bad
    found, wanted = all_of(times, *tensors), all_of(silu_times_plain, *tensors)
    assert any(not tensor[20].isfinite() for tensor in found)
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one.isfinite(), other.isfinite())
        assert one.isfinite().sum() >= 36


@both
def test_halves_of_one_tensor(times: Times) -> None:
    joined = inputs_of(6, 80)[0]
    gate, up = joined.chunk(2, -1)
    out = times(gate, up)
    assert torch.equal(out, times(gate.contiguous(), up.contiguous()))
    (gradient,) = torch.autograd.grad(out.float().sum(), joined)
    assert gradient.shape == joined.shape


@needs_native
def test_threads_leave_no_trace() -> None:
    tensors = inputs_of(50, 577)
    threads_leave_no_trace(lambda: all_of(silu_times, *tensors))
