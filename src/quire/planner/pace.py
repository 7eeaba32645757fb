"""How long a training takes, from a few seconds' measurement of the same computation on the same machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from quire.planner.facts import TextFacts
from quire.recipe.schema import Recipe, TrainSettings

# What `training.evaluate` and `verbs.saving` do: most rows of a validation; tokens of the samples after each part.
EVALUATED_ROWS = 64
PROMPTS, SAMPLE_TOKENS = 2, 120
WRITTEN = PROMPTS * SAMPLE_TOKENS

# A saved voice is loaded as a user would and asked beside its base, so that every weight is read some three times.
LOADS = 3


def tokens_written(recipe: Recipe) -> int:
    """Tokens of the samples after each part."""
    return (len(recipe.judge.prompts) or PROMPTS) * min(SAMPLE_TOKENS, recipe.write.max_new_tokens)


@dataclass(frozen=True)
class Pace:
    """Seconds that this machine takes, measured on a few layers of the base's own shape and reckoned up to all.

    `batch` is forward and backward of one micro-batch of `tokens` tokens, `row` the forward pass of one row of a full
    window, `step` clipping and the optimiser, `token` one token written, `save` one checkpoint, `load` one reading of
    the base.  `threads` computed it; `took` is how long the measuring itself took.
    """

    batch: float
    tokens: int
    row: float
    step: float
    token: float
    save: float
    load: float
    threads: int
    took: float

    @property
    def tokens_per_second(self) -> float:
        """Of training, the optimiser's work left aside."""
        return self.tokens / self.batch

    def to_json(self) -> dict[str, float]:
        """As one process tells another."""
        return asdict(self)


def pace_of(facts: Mapping[str, float]) -> Pace:
    """The inverse of `Pace.to_json`."""
    return Pace(
        batch=facts["batch"],
        tokens=int(facts["tokens"]),
        row=facts["row"],
        step=facts["step"],
        token=facts["token"],
        save=facts["save"],
        load=facts["load"],
        threads=int(facts["threads"]),
        took=facts["took"],
    )


@dataclass(frozen=True)
class Seconds:
    """Where the time of a stage goes."""

    steps: float
    validation: float
    saving: float
    samples: float
    loading: float

    @property
    def total(self) -> float:
        return self.steps + self.validation + self.saving + self.samples + self.loading


def seconds_of(
    settings: TrainSettings,
    text: TextFacts,
    part_steps: tuple[int, ...],
    part_rows: tuple[int, ...],
    pace: Pace,
    written: int = WRITTEN,
) -> Seconds:
    """The time of a stage of `part_steps` steps over `part_rows` rows in all, part by part.

    A row that is shorter than a window takes as much less; what stands around the rows is counted as training does it:
    validation at every pace, a checkpoint with each, samples of `written` tokens and a voice after every part.
    """
    steps = validation = saving = samples = loading = 0.0
    parts = len(part_steps)
    for number in range(parts):
        rows = text.rows_per_epoch[number]
        tokens = part_rows[number] * text.computed_per_epoch[number] / rows
        measured = _validations(settings, part_steps[number])
        steps += tokens * pace.batch / pace.tokens + part_steps[number] * pace.step
        held_out = min(EVALUATED_ROWS * settings.window, text.tokens_validation / parts)
        validation += measured * pace.row * held_out / settings.window
        saving += _checkpoints(settings, part_steps[number], measured) * pace.save
        samples += written * pace.token
        loading += LOADS * pace.load
    if parts > 1:  # the voice of the whole, after those of the parts
        loading += LOADS * pace.load
    return Seconds(steps, validation, saving, samples, loading + pace.load)


def pace_of_validation(settings: TrainSettings, steps: int) -> int:
    """Steps between two validations of a part of `steps` steps."""
    return settings.evaluate_every or max(1, steps // 10)


def _validations(settings: TrainSettings, steps: int) -> int:
    """And one before the first step."""
    return math.ceil(steps / pace_of_validation(settings, steps)) + 1


def _checkpoints(settings: TrainSettings, steps: int, validations: int) -> int:
    every = settings.save_every or pace_of_validation(settings, steps)
    also = steps // every if settings.save_every else 0
    both = steps // math.lcm(every, pace_of_validation(settings, steps)) if also else 0
    return validations + also - both
