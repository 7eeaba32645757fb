"""How many steps a part has, how many rows a step takes, and the learning rate of each step.

The planner foretells with these functions and the training loop obeys them, so that a plan cannot disagree with a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from quire.recipe.schema import TrainSettings

# So many tokens at once keep a machine busy: of 256 to 2,048 none were faster on two cores.  A step of a few short
# rows is then more than one batch, so that several processes can share it out and compute each as a single one would.
BUSY_TOKENS = 512


# Apart by more than any number of parts.
STAGE_SEEDS = 1_000_003


@dataclass(frozen=True)
class BatchChoice:
    """Rows computed at once, how many such batches make a step, and why."""

    batch: int
    accumulate: int
    reason: str

    @property
    def rows_per_step(self) -> int:
        return self.batch * self.accumulate


def choose_batch(settings: TrainSettings) -> BatchChoice:
    """Settle what the recipe leaves to `auto`, for `effective_batch` rows a step or as near to it as can be."""
    rows = settings.effective_batch
    if settings.batch != "auto":
        if settings.accumulate != "auto":
            return BatchChoice(settings.batch, settings.accumulate, "as the recipe says")
        accumulate = max(1, round(rows / settings.batch))
        return _near(settings.batch, accumulate, rows, f"batch {settings.batch} as the recipe says")
    if settings.accumulate != "auto":
        batch = max(1, round(rows / settings.accumulate))
        return _near(batch, settings.accumulate, rows, f"accumulate {settings.accumulate} as the recipe says")
    if settings.window >= BUSY_TOKENS:
        reason = f"a row of {settings.window} tokens keeps the machine busy; {rows} rows make a step"
        return BatchChoice(1, rows, reason)
    most = max(1, BUSY_TOKENS // settings.window)
    batch = max(size for size in range(1, rows + 1) if rows % size == 0 and size <= most)
    reason = f"rows of {settings.window} tokens are short: {batch} at once, {rows} make a step"
    return BatchChoice(batch, rows // batch, reason)


def _near(batch: int, accumulate: int, wanted: int, said: str) -> BatchChoice:
    made = batch * accumulate
    nearest = "" if made == wanted else f", as near to the {wanted} of effective_batch as can be"
    return BatchChoice(batch, accumulate, f"{said}; {made} rows make a step{nearest}")


def rows_in(rows: int, epochs: float, samples: int | None = None) -> int:
    """Rows that a part of `rows` rows gives out in all: `samples`, or `epochs` times its rows (at least one)."""
    return samples if samples is not None else max(1, round(epochs * rows))


def steps_in(
    rows: int, batch: int, accumulate: int, epochs: float, steps: int | None = None, samples: int | None = None
) -> int:
    """Optimiser steps of a part of `rows` rows.  `steps` wins over `samples`, and `samples` over `epochs`.

    Rows are given out without a gap between epochs; the last step takes what is left (see `rows_of_step`).
    """
    if steps is not None:
        return steps
    return math.ceil(rows_in(rows, epochs, samples) / (batch * accumulate))


def part_steps(rows: int, settings: TrainSettings, choice: BatchChoice) -> int:
    """`steps_in` by the settings of a stage; its `steps` and `samples` hold for every part."""
    return steps_in(rows, choice.batch, choice.accumulate, settings.epochs, settings.steps, settings.samples)


def rows_of_step(step: int, rows: int, settings: TrainSettings, choice: BatchChoice) -> int:
    """Rows that step `step` (from 0) takes: fewer only in the last one, so that no row is seen once too often."""
    if settings.steps is not None:
        return choice.rows_per_step
    left = rows_in(rows, settings.epochs, settings.samples) - step * choice.rows_per_step
    return max(0, min(choice.rows_per_step, left))


def seed_of_stage(seed: int, number: int) -> int:
    """The seed that stage `number` of a curriculum draws by, the order of its rows among it."""
    return seed + STAGE_SEEDS * number


def learning_rate_at(step: int, total: int, settings: TrainSettings) -> float:
    """The learning rate of step `step`, counted from 0, in a part of `total` steps.

    It rises over w warm-up steps as 1/(w+1), 2/(w+1), …, reaches the peak at step w and falls by `schedule` towards
    the zero that step `total` would have.  The decay is transformers' own; its warm-up would begin with a step of
    learning rate zero, which moves no weight.
    """
    assert 0 <= step < total
    warmup = settings.warmup.resolve(total)
    if step < warmup:
        return settings.learning_rate * (step + 1) / (warmup + 1)
    progress = (step - warmup) / (total - warmup)
    if settings.schedule == "linear":
        return settings.learning_rate * (1 - progress)
    if settings.schedule == "cosine":
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
    return settings.learning_rate
