from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from quire.planner import memory
from quire.training.together.ranks import ALONE
from quire.training.together.sums import GradientSum


def summed(gradients: list[torch.Tensor]) -> torch.Tensor:
    """What the gradients of one parameter come to, taken one after the other."""
    weight = nn.Parameter(torch.zeros_like(gradients[0]))
    whole = GradientSum([weight])
    for gradient in gradients:
        weight.grad = gradient.clone()
        whole.take()
    whole.give(ALONE)
    assert weight.grad is not None
    return weight.grad


def test_the_order_of_micro_batches_leaves_no_trace() -> None:
    generator = torch.Generator().manual_seed(3)
    gradients = [torch.randn(50, generator=generator) * 10.0**-n for n in range(4)]
    plain = {tuple(sum(order, torch.zeros(50)).tolist()) for order in itertools.permutations(gradients)}
    assert len(plain) > 1, "in float32 the order would show"
    exact = {tuple(summed(list(order)).tolist()) for order in itertools.permutations(gradients)}
    assert len(exact) == 1
    columns = torch.stack(gradients).double().T.tolist()
    assert exact == {tuple(torch.tensor([math.fsum(column) for column in columns]).tolist())}


def test_what_is_not_finite_stays_so() -> None:
    assert torch.equal(summed([torch.tensor([math.inf, 1.0]), torch.tensor([1.0, 1.0])]), torch.tensor([math.inf, 2]))
    assert summed([torch.tensor([math.inf]), torch.tensor([-math.inf])]).isnan().all()


def test_a_parameter_that_no_batch_reaches_has_no_gradient() -> None:
    reached, unused = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    whole = GradientSum([reached, unused])
    reached.grad = torch.ones(2)
    whole.take()
    assert reached.grad is None, "its memory is free for the next batch"
    whole.give(ALONE)
    assert torch.equal(reached.grad, torch.ones(2))
    assert unused.grad is None


def test_what_is_dropped_leaves_no_trace() -> None:
    weight = nn.Parameter(torch.zeros(2))
    whole = GradientSum([weight])
    weight.grad = torch.full((2,), math.nan)
    whole.take()
    whole.clear()
    weight.grad = torch.tensor([1.0, 2.0])
    whole.take()
    whole.give(ALONE)
    assert torch.equal(weight.grad, torch.tensor([1.0, 2.0]))


def test_what_would_take_too_much_memory_stays_in_its_own_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "EXACT_SUMS", 1)
    weight = nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))
    whole = GradientSum([weight])
    weight.grad = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
    whole.take()
    whole.give(ALONE)
    assert torch.equal(weight.grad, torch.tensor([1.0, 2.0], dtype=torch.bfloat16))
