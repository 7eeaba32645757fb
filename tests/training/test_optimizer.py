from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from quire.training.optimizer import make_optimizer, optimizer_tensors, restore_optimizer, trainable
from toy import toy_settings


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int, seed: int = 0) -> None:
    for number in range(count):
        generator = torch.Generator().manual_seed(seed + number)
        for _, p in trainable(model):
            p.grad = torch.randn(p.shape, generator=generator)
        optimizer.step()


def test_matrices_decay_and_norms_and_biases_do_not() -> None:
    """With a gradient of zero, AdamW changes a weight by decay alone: w · (1 - rate · decay)."""
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    nn.init.ones_(model[0].weight)
    nn.init.ones_(model[0].bias)
    optimizer = make_optimizer(model, toy_settings(learning_rate=0.1, weight_decay=0.5))
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(model[0].weight, torch.full((3, 3), 1 - 0.1 * 0.5))
    for p in (model[0].bias, model[1].weight):
        assert torch.equal(p, torch.ones(3))


def test_a_step_is_adamw_by_its_definition() -> None:
    """Loshchilov & Hutter 2019, algorithm 2, with betas 0.9 and 0.95, written out for one number."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    optimizer = make_optimizer(model, toy_settings(learning_rate=0.01, weight_decay=0.1))
    weight, m, v = 2.0, 0.0, 0.0
    for number, gradient in enumerate((0.3, -0.1, 0.7), start=1):
        model.weight.grad = torch.tensor([[gradient]])
        optimizer.step()
        m, v = 0.9 * m + 0.1 * gradient, 0.95 * v + 0.05 * gradient**2
        step = (m / (1 - 0.9**number)) / (math.sqrt(v / (1 - 0.95**number)) + 1e-8)
        weight -= 0.01 * (step + 0.1 * weight)
    assert model.weight.item() == pytest.approx(weight, rel=1e-5)


def test_its_memory_goes_out_and_in_again_bit_for_bit() -> None:
    def make() -> tuple[nn.Module, torch.optim.AdamW]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
        return model, make_optimizer(model, toy_settings())

    model, optimizer = make()
    steps(model, optimizer, 3)
    tensors = {name: tensor.clone() for name, tensor in optimizer_tensors(model, optimizer).items()}
    assert len(tensors) == 4 * 3
    assert float(tensors["0.weight:step"]) == 3
    weights = {name: p.detach().clone() for name, p in trainable(model)}

    again, fresh = make()
    with torch.no_grad():
        for name, p in trainable(again):
            p.copy_(weights[name])
    restore_optimizer(again, fresh, tensors)
    for pair in ((model, optimizer), (again, fresh)):
        steps(*pair, 2, seed=50)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), again.parameters(), strict=True))


def test_before_the_first_step_there_is_nothing_to_keep() -> None:
    model = nn.Linear(2, 2)
    optimizer = make_optimizer(model, toy_settings())
    assert optimizer_tensors(model, optimizer) == {}
    restore_optimizer(model, optimizer, {})
    assert not optimizer.state


def test_frozen_and_shared_weights_are_not_learned_twice(tiny_model: PreTrainedModel) -> None:
    names = [name for name, _ in trainable(tiny_model)]
    assert "lm_head.weight" not in names, "it is the embedding under another name"
    optimizer = make_optimizer(tiny_model, toy_settings())
    held = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(held) == len({id(p) for p in held}) == len(names)
    tiny_model.model.norm.requires_grad_(False)
    assert "model.norm.weight" not in [name for name, _ in trainable(tiny_model)]
