"""What a training will take and what stands against it, before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace

from quire.errors import RecipeError
from quire.planner.cautions import Warned, warnings_for
from quire.planner.facts import MachineFacts, TextFacts
from quire.planner.memory import Memory, disk_of, melted_bytes, memory_of, needs_checkpointing, with_melting
from quire.planner.pace import WRITTEN, Pace, Seconds, seconds_of
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
    """`tokens` counts every token that is learned, epochs included, and `computed` those that are only read too;
    `seconds` is None where no rate is known.  `times` says where the time goes, where the computation was measured.
    `memory` is that of each of `processes` devices, of which `shared` really compute side by side: processes on one
    processor share its cores, and its memory.  `melted_bytes` are those of `disk_bytes` that a base takes which is made
    first, with an earlier adapter melted in.
    """

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
    computed: int = 0
    times: Seconds | None = None
    processes: int = 1
    shared: int = 1
    melted_bytes: int = 0

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
        if self.times is not None:
            return self.times.total
        return self.computed / self.speed.tokens_per_second / self.shared if self.speed else None


def make_plan(
    settings: TrainSettings,
    shape: BaseShape,
    text: TextFacts,
    machine: MachineFacts | None = None,
    precision: str = "fp32",
    pace: Pace | None = None,
    processes: int = 1,
    written: int = WRITTEN,
    melts: bool = False,
) -> Plan:
    """The arithmetic of one stage.  `pace` is what was measured of this very computation, where it was; after each part
    `written` tokens are written as samples; `melts` says that an earlier adapter becomes part of the base first, which
    happens in the processor's memory.

    RecipeError where the recipe cannot be carried out on this base at all.
    """
    require_possible(settings, shape)
    choice = choose_batch(settings)
    lora = settings.method.adapter
    trainable = shape.lora_parameters(lora) if lora else shape.parameters
    device = machine.device if machine is not None else "cpu"
    shared = processes if device == "cuda" else 1
    machine = machine.shared(processes) if machine is not None else None
    checkpointing = needs_checkpointing(settings, shape, choice, precision, trainable, machine, processes)
    settings = settings.model_copy(update={"checkpointing": checkpointing})
    parts = tuple(
        _part(rows, tokens, settings, choice)
        for rows, tokens in zip(text.rows_per_epoch, text.tokens_per_epoch, strict=True)
    )
    rows = tuple(_rows_of(part, settings, choice) for part in parts)
    times = seconds_of(settings, text, _steps_of(parts), rows, pace, written) if pace is not None else None
    times = replace(times, steps=times.steps / shared) if times is not None else None
    kernels = machine is not None and machine.kernels
    memory = memory_of(settings, shape, choice, precision, trainable, device, processes, kernels)
    melted = melted_bytes(shape) if melts else 0
    memory = with_melting(memory, shape, device) if melts else memory
    plan = Plan(
        text=text,
        parts=parts,
        choice=choice,
        precision=precision,
        checkpointing=checkpointing,
        trainable=trainable,
        parameters=shape.parameters + (trainable if lora else 0),
        tokens=_times(text.tokens_per_epoch, parts, rows),
        memory=memory,
        disk_bytes=disk_of(trainable, settings.keep) + melted,
        speed=_measured(pace, shape, settings) if pace else _speed(settings, shape, machine, precision),
        warnings=(),
        computed=_times(text.computed_per_epoch, parts, rows),
        times=times,
        processes=processes,
        shared=shared,
        melted_bytes=melted,
    )
    found = warnings_for(settings, plan.memory, plan.disk_bytes, plan.seconds, text, _steps_of(parts), machine)
    return replace(plan, warnings=found)


def require_possible(settings: TrainSettings, shape: BaseShape, section: str = "train") -> None:
    """RecipeError where such a base cannot be trained so: the window is longer than it, or it lacks the targets.
    `section` of the recipe says it otherwise."""
    if shape.positions is not None and settings.window > shape.positions:
        raise RecipeError(
            f"{section}.window: the base holds at most {shape.positions} tokens, the window has {settings.window}",
            f"use --set {section}.window={shape.positions}",
            "window",
        )
    if settings.method.adapter is not None:
        shape.targets(settings.method.adapter)


def _part(rows: int, tokens: int, settings: TrainSettings, choice: BatchChoice) -> PartPlan:
    steps = part_steps(rows, settings, choice)
    return PartPlan(rows, tokens, steps, settings.warmup.resolve(steps))


def _steps_of(parts: tuple[PartPlan, ...]) -> tuple[int, ...]:
    return tuple(part.steps for part in parts)


def _rows_of(part: PartPlan, settings: TrainSettings, choice: BatchChoice) -> int:
    """Rows that all epochs of a part give out."""
    return (
        part.steps * choice.rows_per_step if settings.steps else rows_in(part.rows, settings.epochs, settings.samples)
    )


def _times(tokens: tuple[int, ...], parts: tuple[PartPlan, ...], rows: tuple[int, ...]) -> int:
    """Tokens of all epochs of all parts, by those of one epoch."""
    return sum(round(one * given / part.rows) for one, part, given in zip(tokens, parts, rows, strict=True))


def _measured(pace: Pace, shape: BaseShape, settings: TrainSettings) -> Speed:
    flop = _flop_per_token(settings, shape)
    return Speed(flop, flop * pace.tokens_per_second, 1.0, "a few layers of this base, computed here")


def _flop_per_token(settings: TrainSettings, shape: BaseShape) -> float:
    per_weight = FLOP_FULL if settings.method.full else FLOP_LORA
    attention = 2 * per_weight * shape.layers * shape.hidden * settings.window / 2  # scores and mix of half the window
    return per_weight * shape.multiplied + attention


def _speed(settings: TrainSettings, shape: BaseShape, machine: MachineFacts | None, precision: str) -> Speed | None:
    """The rate of matrix products, and how much of it a step of such a base gets.

    The shares without our kernels come from the field notes' measurements: 0.4 for a 135M base, 0.7 for a 1B one.  The
    0.2 for bases as small as the embedded one was measured with it, and the three with kernels as docs/performance.md
    tells it (6,300 tokens a second; 510; 88).
    """
    if machine is None:
        return None
    rate, basis = machine.rate(precision), f"{precision} measured here"
    if rate is None and (fp32 := machine.rate("fp32")) is not None:
        rate, basis = 2 * fp32, f"{precision} taken as twice the fp32 rate measured here"
    if rate is None:
        return None
    quick = machine.kernels and settings.method.adapter is not None and precision in ("bf16", "int8")
    small, middle, large = (0.4, 0.7, 0.85) if quick else (0.2, 0.4, 0.7)
    used = small if shape.hidden < 512 else middle if shape.hidden < 1024 else large
    return Speed(_flop_per_token(settings, shape), rate, used, basis)
