"""What a training will take and what stands against it, before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from quire.errors import RecipeError
from quire.planner.cautions import Warned, warnings_for
from quire.planner.facts import MachineFacts, TextFacts
from quire.planner.memory import Memory, disk_of, memory_of, needs_checkpointing
from quire.planner.schedule import BatchChoice, choose_batch, part_steps, rows_in
from quire.planner.shape import BaseShape
from quire.recipe.schema import TrainSettings

# Forward, and backward through the weights; full training needs their gradients as well (field notes, 4).
FLOP_LORA, FLOP_FULL = 4, 6


@dataclass(frozen=True)
class PartPlan:
    """One part: rows and learned tokens of an epoch, the steps of all its epochs, and how many of them warm up."""

    rows: int
    tokens: int
    steps: int
    warmup: int


@dataclass(frozen=True)
class Speed:
    """What the time is reckoned from; `basis` says whose numbers these are."""

    flop_per_token: float
    rate: float
    used: float
    basis: str

    @property
    def tokens_per_second(self) -> float:
        return self.rate * self.used / self.flop_per_token


@dataclass(frozen=True)
class Plan:
    """`tokens` counts every token that is learned, epochs included; `seconds` is None where no rate is known."""

    text: TextFacts
    parts: tuple[PartPlan, ...]
    choice: BatchChoice
    precision: str
    checkpointing: bool
    trainable: int
    parameters: int
    tokens: int
    memory: Memory
    disk_bytes: int
    speed: Speed | None
    warnings: tuple[Warned, ...]

    @property
    def rows(self) -> int:
        """Rows of one epoch of all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def steps(self) -> int:
        return sum(part.steps for part in self.parts)

    @property
    def steps_per_epoch(self) -> float:
        return self.rows / self.choice.rows_per_step

    @property
    def share(self) -> float:
        """Trainable parameters as a share of all there are while training."""
        return self.trainable / self.parameters

    @property
    def seconds(self) -> float | None:
        return self.tokens / self.speed.tokens_per_second if self.speed else None


def make_plan(
    settings: TrainSettings,
    shape: BaseShape,
    text: TextFacts,
    machine: MachineFacts | None = None,
    precision: str = "fp32",
) -> Plan:
    """The arithmetic of one stage.  RecipeError where the recipe cannot be carried out on this base at all."""
    if shape.positions is not None and settings.window > shape.positions:
        raise RecipeError(
            f"train.window: the base holds at most {shape.positions} tokens, the window has {settings.window}",
            f"use --set train.window={shape.positions}",
            "window",
        )
    choice = choose_batch(settings)
    lora = settings.method.lora
    trainable = shape.lora_parameters(lora) if lora else shape.parameters
    checkpointing = needs_checkpointing(settings, shape, choice, precision, trainable, machine)
    settings = settings.model_copy(update={"checkpointing": checkpointing})
    parts = tuple(
        _part(rows, tokens, settings, choice)
        for rows, tokens in zip(text.rows_per_epoch, text.tokens_per_epoch, strict=True)
    )
    tokens = sum(_learned(part, settings, choice) for part in parts)
    plan = Plan(
        text=text,
        parts=parts,
        choice=choice,
        precision=precision,
        checkpointing=checkpointing,
        trainable=trainable,
        parameters=shape.parameters + (trainable if lora else 0),
        tokens=tokens,
        memory=memory_of(settings, shape, choice, precision, trainable),
        disk_bytes=disk_of(trainable, settings.keep),
        speed=_speed(settings, shape, machine, precision),
        warnings=(),
    )
    found = warnings_for(settings, plan.memory, plan.disk_bytes, plan.seconds, text, _steps_of(parts), machine)
    return Plan(**{**vars(plan), "warnings": found})


def _part(rows: int, tokens: int, settings: TrainSettings, choice: BatchChoice) -> PartPlan:
    steps = part_steps(rows, settings, choice)
    return PartPlan(rows, tokens, steps, settings.warmup.resolve(steps))


def _steps_of(parts: tuple[PartPlan, ...]) -> tuple[int, ...]:
    return tuple(part.steps for part in parts)


def _learned(part: PartPlan, settings: TrainSettings, choice: BatchChoice) -> int:
    """Tokens learned in all epochs of a part."""
    rows = (
        part.steps * choice.rows_per_step if settings.steps else rows_in(part.rows, settings.epochs, settings.samples)
    )
    return round(part.tokens * rows / part.rows)


def _speed(settings: TrainSettings, shape: BaseShape, machine: MachineFacts | None, precision: str) -> Speed | None:
    """The rate of matrix products, and how much of it a step of such a base gets.

    The shares come from the field notes' measurements: 0.4 for a 135M base, 0.7 for a 1B one.  The 0.2 for bases as
    small as the embedded one was measured with it (docs/measurements.md).
    """
    if machine is None:
        return None
    rate, basis = machine.rate(precision), f"{precision} measured here"
    if rate is None and (fp32 := machine.rate("fp32")) is not None:
        rate, basis = 2 * fp32, f"{precision} taken as twice the fp32 rate measured here"
    if rate is None:
        return None
    per_weight = FLOP_FULL if settings.method.full else FLOP_LORA
    attention = 2 * per_weight * shape.layers * shape.hidden * settings.window / 2  # scores and mix of half the window
    used = 0.2 if shape.hidden < 512 else 0.4 if shape.hidden < 1024 else 0.7
    return Speed(per_weight * shape.multiplied + attention, rate, used, basis)
