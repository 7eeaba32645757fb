"""What a part is begun with: whatever the environment says, and wherever in a run the part stands."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from quire.training import loop
from quire.training.compute import summed_loss
from quire.training.loop import Part, begin, train_part
from quire.training.state import TrainState
from toy import FP32, Told, adapted, footing_of, make_frame, toy_rows, toy_settings

PART = Part(1, toy_rows(), toy_rows((40,), seed=9))
SETTINGS = toy_settings(steps=4, batch=1, accumulate=1, learning_rate=1e-3)


def test_what_accelerate_launch_has_switched_on_does_not_come_on_top(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    model = adapted(copy.deepcopy(tiny_model), SETTINGS)
    frame = make_frame(tmp_path, SETTINGS, Told())
    work = begin(model, PART, frame, footing_of(frame), TrainState(), None)
    assert (work.accelerator.mixed_precision, work.accelerator.scaler) == ("no", None)


def test_the_number_of_threads_stays_what_was_decided(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """accelerate takes every core where it finds itself one of several processes and OMP_NUM_THREADS is not set."""

    def greedy(*given: object, **named: object) -> object:
        torch.set_num_threads(3)
        return real(*given, **named)  # type: ignore[arg-type]

    real, threads = loop.Accelerator, torch.get_num_threads()
    monkeypatch.setattr(loop, "Accelerator", greedy)
    frame = make_frame(tmp_path, SETTINGS, Told())
    begin(adapted(copy.deepcopy(tiny_model), SETTINGS), PART, frame, footing_of(frame), TrainState(), None)
    assert torch.get_num_threads() == threads


def test_a_process_without_batches_can_still_take_a_scaled_step(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    """In fp16, where of several processes one has nothing to compute: its gradients are what the others have found."""
    model = adapted(copy.deepcopy(tiny_model), SETTINGS)
    frame = replace(make_frame(tmp_path, SETTINGS, Told()), computation=replace(FP32, autocast=torch.float16))
    work = begin(model, PART, frame, footing_of(frame), TrainState(), None)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.grad = torch.full_like(parameter, work.scaler.get_scale())
    work.scaler.unscale_(work.optimizer)
    assert all(parameter.grad is not None and (parameter.grad == 1).all() for parameter in learning)


def test_a_bad_first_step_of_a_later_part_is_left_out_as_any_other(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is wrong from the beginning there: parts before have learned."""

    def spoiled(*given: object) -> Tensor:
        loss = summed_loss(*given)  # type: ignore[arg-type]
        return loss * math.nan if torch.is_grad_enabled() and state.part_step == 0 else loss

    told, state = Told(), TrainState(step=10, part=1)
    frame = make_frame(tmp_path, SETTINGS, told)
    monkeypatch.setattr(loop, "summed_loss", spoiled)
    train_part(adapted(copy.deepcopy(tiny_model), SETTINGS), PART, frame, footing_of(frame), state, None)
    assert told.steps("skipped") == [11]
    assert told.steps("step") == [12, 13, 14]
