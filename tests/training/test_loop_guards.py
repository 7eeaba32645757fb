"""What the loop refuses to train, or to go on with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from loops import PART, train
from quire.errors import GuardError
from quire.training import guards
from quire.training.compute import summed_loss
from quire.training.loop import check_before, train_part
from quire.training.optimizers.optimizer import trainable
from quire.training.relief import Footing
from quire.training.state import TrainState
from toy import Told, adapted, make_frame, toy_rows, toy_settings


def test_a_frozen_model_is_refused_before_the_first_step(tiny_model: PreTrainedModel) -> None:
    tiny_model.requires_grad_(False)
    with pytest.raises(GuardError, match="no parameter"):
        check_before(tiny_model, [PART])


def test_every_part_is_looked_at_before_the_first_one_is_trained(tiny_model: PreTrainedModel) -> None:
    check_before(tiny_model, [PART])
    with pytest.raises(GuardError, match="held out"):
        check_before(tiny_model, [PART, replace(PART, validation=toy_rows(()))])
    with pytest.raises(GuardError, match="train on"):
        check_before(tiny_model, [PART, replace(PART, rows=toy_rows(()))])


def test_a_loss_that_is_not_finite_stops_before_it_does_harm(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    settings = toy_settings(steps=4, evaluate_every=50)
    with torch.no_grad():
        tiny_model.model.norm.weight[0] = float("nan")
    with pytest.raises(GuardError, match="validation loss is nan at step 0"):
        train(tiny_model, tmp_path, settings)


def spoil(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    """Every gradient multiplied by `factor`, after the backward pass."""
    from quire.training import loop

    real = loop.gradient_norm

    def spoiled(model: PreTrainedModel, clip: float) -> float:
        for p in model.parameters():
            if p.grad is not None:
                p.grad.mul_(factor)
        return real(model, clip)

    monkeypatch.setattr(loop, "gradient_norm", spoiled)


@pytest.mark.parametrize(("factor", "said"), [(0.0, "is zero"), (float("nan"), "gradient is nan at step 1")])
def test_a_dead_gradient_stops_the_first_step(
    factor: float, said: str, tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, factor)
    with pytest.raises(GuardError, match=said):
        train(tiny_model, tmp_path, toy_settings(steps=2))


def test_a_training_loss_of_infinity_names_its_step(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quire.training import loop

    def infinite(*given: object) -> Tensor:
        return summed_loss(*given) * float("inf")

    monkeypatch.setattr(loop, "summed_loss", infinite)
    with pytest.raises(GuardError, match="the loss is inf at step 1"):
        train(tiny_model, tmp_path, toy_settings(steps=2))


def test_a_rate_too_small_to_move_any_weight_is_refused(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    settings = toy_settings(steps=2, learning_rate=1e-30, weight_decay=0, method={"lora": {"bias": "none"}})
    with torch.no_grad():
        model = adapted(tiny_model, settings)
        for name, p in trainable(model):
            if "lora_B" in name:
                p.fill_(1.0)
    with pytest.raises(GuardError, match="no weight moved"):
        train_part(model, PART, make_frame(tmp_path, settings, Told()), Footing(1, False), TrainState(), None)
    assert guards.weights_of(model)
