"""The training loop on a toy, for its tests."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import PreTrainedModel

from quire.recipe.schema import TrainSettings
from quire.training.checkpoints import newest
from quire.training.loop import Part, train_part
from quire.training.state import TrainState
from quire.training.watch import StopWish
from toy import Told, adapted, footing_of, make_frame, toy_rows

PART = Part(0, toy_rows(), toy_rows((40,), seed=9))


def part_for(settings: TrainSettings, lengths: tuple[int, ...] = (50, 90, 40)) -> Part:
    """Rows cut as the settings say."""
    changes = {key: value for key, value in settings.model_dump().items() if key in ("stride", "overlap", "pack")}
    return Part(0, toy_rows(lengths, **changes), PART.validation)


def train(
    base: PreTrainedModel,
    folder: Path,
    settings: TrainSettings,
    hear: Callable[[str, int], None] | None = None,
    part: Part | None = None,
    wish: StopWish | None = None,
) -> tuple[torch.nn.Module, Told, TrainState]:
    """Train an adapter (or, with `full`, everything) on a copy of `base`, from the newest checkpoint in `folder`."""
    copied = copy.deepcopy(base)
    model = adapted(copied, settings) if settings.method.lora else copied
    told = Told()
    if hear is not None:
        told.hear = hear
    frame = make_frame(folder, settings, told, wish)
    resume = newest(folder, lambda problem: None)
    state = resume.state if resume else TrainState()
    train_part(model, part or part_for(settings), frame, footing_of(frame), state, resume)
    return model, told, state
