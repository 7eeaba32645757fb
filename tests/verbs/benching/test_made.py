"""Bases of random weights."""

from __future__ import annotations

import weakref

import pytest
import torch

from quire.model.lowbit import Int8Embedding, Int8Linear, lasting_dtype
from quire.model.machine import Precision
from quire.planner.memory import base_bytes
from quire.verbs.benching.made import bytes_of, random_model
from quire.verbs.benching.shapes import SHAPES

CONFIG = {**SHAPES["7M"].config, "num_hidden_layers": 1, "vocab_size": 64}
IDS = torch.arange(12)[None]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize("tied", [True, False])
def test_weights_take_as_many_bytes_as_the_planner_says(precision: Precision, tied: bool) -> None:
    from quire.planner.shape import shape_of

    config = {**CONFIG, "tie_word_embeddings": tied}
    held = bytes_of(random_model(config, precision, "cpu"))
    assert held == pytest.approx(base_bytes(shape_of(config), precision), rel=0.01)


def test_every_matrix_is_in_8_bits_and_nothing_else() -> None:
    model = random_model(CONFIG, "int8", "cpu")
    quantised = [module for module in model.modules() if isinstance(module, Int8Linear | Int8Embedding)]
    assert len(quantised) == 7 + 2
    assert model.model.norm.weight.dtype == lasting_dtype("cpu")


def test_a_layer_is_gone_when_another_has_taken_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a base of 8B would be there in 16 bits and in 8."""
    before: list[weakref.ref[torch.Tensor]] = []
    alive = []

    def low(weight: torch.Tensor, bias: None, dtype: torch.dtype) -> Int8Linear:
        alive.append(sum(found() is not None for found in before))
        before.append(weakref.ref(weight))
        return Int8Linear(weight, bias, dtype)

    monkeypatch.setattr("quire.verbs.benching.made.Int8Linear", low)
    random_model(CONFIG, "int8", "cpu")
    assert len(alive) == 7
    assert max(alive) <= 1, "that of the loop's own name"


def test_every_precision_has_the_same_numbers_but_for_rounding() -> None:
    plain, rounded, other = (
        random_model(CONFIG, *of)(input_ids=IDS).logits.detach().float()
        for of in (("fp32", "cpu"), ("int8", "cpu"), ("fp32", "cpu", 1))
    )
    apart, far = (plain - rounded).abs().mean(), (plain - other).abs().mean()
    assert apart < 0.2 * far


def test_nothing_learns_and_every_number_is_set() -> None:
    model = random_model(CONFIG, "fp32", "cpu")
    assert not any(parameter.requires_grad for parameter in model.parameters())
    for name, parameter in model.named_parameters():
        spread = parameter.std().item()
        assert spread == 0 if parameter.dim() < 2 else spread == pytest.approx(0.02, rel=0.1), name


def test_no_two_rows_of_a_large_matrix_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire.verbs.benching.made.DRAWN", 1009)
    weight = random_model(CONFIG, "fp32", "cpu").get_submodule("model.layers.0.mlp.up_proj").weight
    assert torch.unique(weight, dim=0).shape == weight.shape == (704, 256)
    assert weight.std().item() == pytest.approx(0.02, rel=0.1)
