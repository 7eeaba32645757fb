from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.optimization import Adafactor

from quire.training.optimizers import lean
from quire.training.optimizers.halves import whole
from quire.training.optimizers.lean import LeanAdafactor, LeanAdamW
from quire.training.optimizers.optimizer import BETAS
from toy import random_ids

RATE = 1e-3


def adamw(parameters: list[nn.Parameter], decay: float = 0.1) -> torch.optim.AdamW:
    return torch.optim.AdamW(parameters, lr=RATE, betas=BETAS, weight_decay=decay)


def lean_adamw(parameters: list[nn.Parameter], decay: float = 0.1) -> LeanAdamW:
    return LeanAdamW([{"params": parameters, "weight_decay": decay}], RATE, BETAS)


def lean_adafactor(parameters: list[nn.Parameter], decay: float = 0.1) -> LeanAdafactor:
    return LeanAdafactor([{"params": parameters, "weight_decay": decay}], RATE)


def their_adafactor(parameters: list[nn.Parameter], decay: float = 0.1) -> Adafactor:
    return Adafactor(
        parameters, lr=RATE, weight_decay=decay, scale_parameter=False, relative_step=False, warmup_init=False
    )


def gradient(shape: torch.Size, number: int) -> Tensor:
    """Rows and columns of different sizes, so that factors have something to tell apart."""
    generator = torch.Generator().manual_seed(number)
    drawn = torch.randn(shape, generator=generator)
    if len(shape) == 2:
        drawn = drawn * torch.linspace(0.1, 3, shape[0])[:, None] * torch.linspace(2, 0.01, shape[1])
    return drawn


def same_gradients(
    optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], steps: int, first: int = 0
) -> None:
    for number in range(first, first + steps):
        for p in parameters:
            p.grad = gradient(p.shape, number).to(p.dtype)
        optimizer.step()


def parameters(dtype: torch.dtype = torch.float32, side: int = 60) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(5)
    shapes = [(side, side), (side,)]
    return [nn.Parameter(torch.randn(shape, generator=generator).bfloat16().to(dtype)) for shape in shapes]


def masters(found: list[nn.Parameter], optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [whole(p.data, optimizer.state[p]["rest"]) for p in found]


@pytest.mark.parametrize(("ours", "theirs"), [(lean_adamw, adamw), (lean_adafactor, their_adafactor)])
def test_with_moments_in_full_a_step_is_that_of_the_library(ours: object, theirs: object) -> None:
    """Matrices of 60 × 60 are too small for 8 bits; Adafactor is the same at any size."""
    found = []
    for make in (ours, theirs):
        weights = parameters()
        same_gradients(make(weights), weights, 12)  # type: ignore[operator]
        found.append(weights)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("make", [lean_adamw, lean_adafactor])
def test_weights_in_bf16_are_trained_as_the_float32_weights_they_stand_for(make: object) -> None:
    """To the last bit, where the gradients are the same: nothing is lost, whatever the size of a step."""
    low, full = parameters(torch.bfloat16), parameters()
    one, other = make(low), make(full)  # type: ignore[operator]
    for number in range(20):
        for p, q in zip(low, full, strict=True):
            p.grad = gradient(p.shape, number).bfloat16()
            q.grad = p.grad.float()
        one.step()
        other.step()
    for p, q, master in zip(low, full, masters(low, one), strict=True):
        assert torch.equal(master, q)
        assert float((p.float() - q).abs().max()) <= float(q.abs().max()) / 256


@pytest.mark.parametrize("make", [lean_adamw, lean_adafactor])
def test_steps_too_small_for_bf16_are_not_lost(make: object) -> None:
    """A step of 1e-6 on weights of 1: bf16 would need four thousand times as much to move."""
    weights = [nn.Parameter(torch.ones(80, 80, dtype=torch.bfloat16))]
    optimizer = make(weights, 0.0)  # type: ignore[operator]
    for group in optimizer.param_groups:
        group["lr"] = 1e-6
    for _ in range(50):
        weights[0].grad = torch.ones(80, 80, dtype=torch.bfloat16)
        optimizer.step()
    moved = 1 - masters(weights, optimizer)[0]
    assert torch.equal(weights[0], torch.ones_like(weights[0])), "what the model computes with is still rounded to 1"
    torch.testing.assert_close(moved, torch.full_like(moved, 5e-5), rtol=0.02, atol=0)


def train(model: PreTrainedModel, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    losses = []
    for number in range(steps):
        ids = random_ids(64, seed=number % 6, vocabulary=40)
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def test_moments_in_8_bits_lead_where_those_in_32_do(
    tiny_model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, "SMALL", 300)  # the tiny model's matrices have 512 to 12,288 numbers
    begin = {name: p.detach().clone() for name, p in tiny_model.named_parameters()}
    full, low = copy.deepcopy(tiny_model), copy.deepcopy(tiny_model)
    told = [train(full, adamw(list(full.parameters())), 90)]
    optimizer = lean_adamw(list(low.parameters()))
    told.append(train(low, optimizer, 90))
    compressed = [p for p in low.parameters() if "mean_codes" in optimizer.state[p]]
    assert sum(p.numel() for p in compressed) > 0.98 * sum(p.numel() for p in low.parameters())
    assert told[0][-1] < 0.7 * told[0][0], "otherwise nothing was learned"
    for one, other in zip(told[0][10:], told[1][10:], strict=True):
        assert math.isclose(one, other, rel_tol=0.02)
    ways = [
        torch.cat([(p - begin[name]).flatten() for name, p in model.named_parameters()]).detach()
        for model in (full, low)
    ]
    assert float(torch.cosine_similarity(*ways, dim=0)) > 0.97
    assert float(ways[1].norm() / ways[0].norm()) == pytest.approx(1, abs=0.03)


def test_bytes_for_each_weight() -> None:
    """bf16 weight 2, gradient 2, rest 2; moments 1 + 1 and 8 bytes a block of 256; or rows and columns alone.

    TinyLlama has 1.1 · 10⁹ weights: 8.03 bytes each are 8.8 GB, which leaves 3 of a 12 GB GPU for activations; in
    float32 with AdamW they would be 17.6.
    """
    for make, bytes_each in ((lean_adamw, 6 + 2 + 8 / 256), (lean_adafactor, 6 + 8 / 1024)):
        weight = nn.Parameter(torch.zeros(1024, 1024, dtype=torch.bfloat16))
        optimizer = make([weight])
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        memory = sum(tensor.nbytes for kind, tensor in optimizer.state[weight].items() if kind != "step")
        assert (weight.nbytes + weight.grad.nbytes + memory) / weight.numel() == bytes_each
    assert 1.1e9 * (6 + 2 + 8 / 256) < 9e9


@pytest.mark.parametrize("make", [lean_adamw, lean_adafactor])
def test_slices_change_nothing(make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for size in (lean.SLICE, 1024):
        monkeypatch.setattr(lean, "SLICE", size)
        weights = parameters(torch.bfloat16, side=96)
        same_gradients(make(weights), weights, 5)  # type: ignore[operator]
        found.append(weights)
    for one, other in zip(*found, strict=True):
        if make is lean_adamw:
            assert torch.equal(one, other)
        else:  # sums over slices are added up in another order
            torch.testing.assert_close(one.float(), other.float(), rtol=1e-2, atol=1e-5)


def test_a_parameter_without_a_gradient_is_let_be() -> None:
    weights = parameters()
    before = [p.detach().clone() for p in weights]
    optimizer = lean_adamw(weights)
    weights[0].grad = torch.ones_like(weights[0])
    optimizer.step()
    assert not torch.equal(weights[0], before[0])
    assert torch.equal(weights[1], before[1])
    assert weights[1] not in optimizer.state or not optimizer.state[weights[1]]
