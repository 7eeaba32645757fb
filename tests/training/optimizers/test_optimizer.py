from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from quire.training.optimizers.lean import LeanAdafactor, LeanAdamW
from quire.training.optimizers.muon import Muon
from quire.training.optimizers.optimizer import (
    gradient_norm,
    make_optimizer,
    optimizer_tensors,
    restore_optimizer,
    set_learning_rate,
    trainable,
)
from toy import adapted, toy_settings


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int, seed: int = 0) -> None:
    for number in range(count):
        generator = torch.Generator().manual_seed(seed + number)
        for _, p in trainable(model):
            p.grad = torch.randn(p.shape, generator=generator).to(p.dtype)
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


@pytest.mark.parametrize("optimizer", ["adamw", "adamw_8bit", "adafactor", "muon"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_its_memory_goes_out_and_in_again_bit_for_bit(optimizer: str, dtype: torch.dtype, tmp_path: Path) -> None:
    """Through a file, as a checkpoint has it; a matrix of 80 × 80 is large enough for moments in 8 bits."""

    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(80, 80), nn.LayerNorm(80)).to(dtype)
        return model, make_optimizer(model, toy_settings(optimizer=optimizer, method="full"))

    model, first = make()
    steps(model, first, 3)
    save_file(optimizer_tensors(model, first), tmp_path / "memory.safetensors")
    tensors = load_file(tmp_path / "memory.safetensors")
    assert float(tensors["0.weight:step"]) == 3
    assert {name.split(":")[0] for name in tensors} == {name for name, _ in trainable(model)}
    assert ("0.weight:rest" in tensors) == (dtype == torch.bfloat16 and optimizer != "adamw")
    assert ("0.weight:mean_codes" in tensors) == (optimizer == "adamw_8bit")
    weights = {name: p.detach().clone() for name, p in trainable(model)}

    again, fresh = make()
    with torch.no_grad():
        for name, p in trainable(again):
            p.copy_(weights[name])
    restore_optimizer(again, fresh, tensors)
    for pair in ((model, first), (again, fresh)):
        steps(*pair, 2, seed=50)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), again.parameters(), strict=True))
    for name, tensor in optimizer_tensors(model, first).items():
        assert torch.equal(tensor, optimizer_tensors(again, fresh)[name]), name


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adamw_8bit", LeanAdamW), ("adafactor", LeanAdafactor), ("muon", Muon)],
)
def test_the_recipe_names_the_optimiser(name: str, kind: type) -> None:
    made = make_optimizer(
        nn.Linear(2, 2), toy_settings(optimizer=name, learning_rate=0.5, weight_decay=0.25, method="full")
    )
    assert type(made) is kind
    assert {(group["lr"], group["weight_decay"]) for group in made.param_groups} == {(0.5, 0.25), (0.5, 0.0)}


@pytest.mark.parametrize("optimizer", ["adamw", "adamw_8bit", "adafactor"])
def test_lora_plus_steps_further_in_the_second_matrix_alone(optimizer: str, tiny_model: PreTrainedModel) -> None:
    """As peft's own maker of groups has it."""
    method = {"lora": {"rank": 2, "lr_ratio": 16, "targets": ["q_proj", "embed_tokens"]}}
    settings = toy_settings(method=method, optimizer=optimizer, learning_rate=0.01)
    model = adapted(tiny_model, settings)
    made = make_optimizer(model, settings)
    set_learning_rate(made, 0.002)
    names = {id(p): name for name, p in model.named_parameters()}
    ours = {names[id(p)]: group["lr"] for group in made.param_groups for p in group["params"]}
    assert set(ours) == {name for name, _ in trainable(model)}
    theirs = create_loraplus_optimizer(model, torch.optim.SGD, lr=0.002, loraplus_lr_ratio=16)
    expected = {names[id(p)]: group["lr"] for group in theirs.param_groups for p in group["params"]}
    plain = {name for name in ours if "embedding" not in name}  # for these peft has a rate of its own
    assert {name: ours[name] for name in plain} == pytest.approx({name: expected[name] for name in plain})
    assert ours["base_model.model.model.embed_tokens.lora_embedding_B.default"] == pytest.approx(0.032)
    assert ours["base_model.model.model.embed_tokens.lora_embedding_A.default"] == pytest.approx(0.002)


def test_before_the_first_step_there_is_nothing_to_keep() -> None:
    model = nn.Linear(2, 2)
    optimizer = make_optimizer(model, toy_settings())
    assert optimizer_tensors(model, optimizer) == {}
    restore_optimizer(model, optimizer, {})
    assert not optimizer.state


@pytest.mark.parametrize("optimizer", ["adamw", "adamw_8bit", "adafactor", "muon"])
def test_going_back_to_before_the_first_step_leaves_nothing_of_it(optimizer: str) -> None:
    """A moment that is infinite would otherwise outlive the weights that were taken back."""
    torch.manual_seed(0)
    model = nn.Linear(80, 80)
    used = make_optimizer(model, toy_settings(optimizer=optimizer, method="full"))
    steps(model, used, 1)
    restore_optimizer(model, used, {})
    assert optimizer_tensors(model, used) == {}
    again = nn.Linear(80, 80)
    again.load_state_dict(model.state_dict())
    fresh = make_optimizer(again, toy_settings(optimizer=optimizer, method="full"))
    for pair in ((model, used), (again, fresh)):
        steps(*pair, 1, seed=50)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), again.parameters(), strict=True))


def test_frozen_and_shared_weights_are_not_learned_twice(tiny_model: PreTrainedModel) -> None:
    names = [name for name, _ in trainable(tiny_model)]
    assert "lm_head.weight" not in names, "it is the embedding under another name"
    optimizer = make_optimizer(tiny_model, toy_settings())
    held = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(held) == len({id(p) for p in held}) == len(names)
    tiny_model.model.norm.requires_grad_(False)
    assert "model.norm.weight" not in [name for name, _ in trainable(tiny_model)]


def test_a_long_gradient_is_clipped_and_zero_lets_it_be() -> None:
    def fresh() -> torch.nn.Linear:
        model = torch.nn.Linear(2, 1, bias=False)
        model.weight.grad = torch.tensor([[3.0, 4.0]])
        return model

    for clip, expected in ((1.0, [0.6, 0.8]), (0.0, [3.0, 4.0]), (10.0, [3.0, 4.0])):
        model = fresh()
        assert gradient_norm(model, clip) == 5
        torch.testing.assert_close(model.weight.grad, torch.tensor([expected]))
