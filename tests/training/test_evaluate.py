from __future__ import annotations

import signal

import pytest
import torch
from transformers import PreTrainedModel

from quire.model.adapters import attach
from quire.recipe.method import Lora
from quire.training.compute import batches_of, summed_loss
from quire.training.evaluate import MOST_ROWS, spread, validation_loss
from quire.training.watch import StopWish
from toy import FP32, toy_rows


def test_it_is_the_mean_over_all_targets_not_over_rows(tiny_model: PreTrainedModel) -> None:
    rows = toy_rows((45, 3), pack=False)
    with torch.no_grad():
        sums = [float(summed_loss(tiny_model, b, FP32)) for b in batches_of(rows, range(len(rows)), 1, "cpu")]
    assert validation_loss(tiny_model, rows, FP32, StopWish()) == pytest.approx(sum(sums) / 48, rel=1e-6)


def test_it_neither_drops_nor_draws_and_gradients_flow_afterwards(tiny_model: PreTrainedModel) -> None:
    adapted = attach(tiny_model, Lora(rank=2, dropout=0.5), seed=1)
    for name, p in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p)
    adapted.train()
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    first = validation_loss(adapted, toy_rows(), FP32, StopWish())
    assert torch.equal(torch.rand(2), expected)
    assert validation_loss(adapted, toy_rows(), FP32, StopWish()) == first
    assert adapted.training
    (batch, *_) = batches_of(toy_rows(), [0], 1, "cpu")
    summed_loss(adapted, batch, FP32).backward()
    learning = [p for p in adapted.parameters() if p.requires_grad]
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in learning)


def test_a_wish_to_stop_is_heard_within(tiny_model: PreTrainedModel) -> None:
    wish = StopWish()
    wish.heard(signal.SIGINT, None)
    assert validation_loss(tiny_model, toy_rows(), FP32, wish) is None
    assert validation_loss(tiny_model, toy_rows(), FP32, StopWish(max_time=0)) is None


def test_many_rows_are_represented_by_some_spread_evenly() -> None:
    assert spread(3, 8) == [0, 1, 2]
    assert spread(MOST_ROWS, MOST_ROWS) == list(range(MOST_ROWS))
    assert spread(10, 4) == [0, 2, 5, 7]
