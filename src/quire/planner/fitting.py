"""What fits a machine: which known base `auto` comes to, and what is nearest to a training that does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from quire.errors import RecipeError
from quire.planner.facts import MachineFacts
from quire.planner.memory import Memory, memory_of, needs_checkpointing, with_melting
from quire.planner.precision import has_nf4
from quire.planner.schedule import choose_batch
from quire.planner.shape import BaseShape, shape_of
from quire.recipe.bases import EMBEDDED, EMBEDDED_CONFIG, KnownBase, bases_for
from quire.recipe.method import ALL_LINEAR, Lora, Method, MethodKind
from quire.recipe.schema import TrainSettings

SHORT_WINDOW = 512
FEW_BITS = {"cpu": "int8", "cuda": "nf4"}  # what training chooses for qlora on such a device


@dataclass(frozen=True)
class Suits:
    """A known base that fits; `precision` is the format that its weights need for that, None for the usual one."""

    known: KnownBase
    precision: str | None
    memory_bytes: int


@dataclass(frozen=True)
class Rung:
    """One way to make a training smaller: what it changes, in words and as settings, and what it then takes."""

    what: str
    changes: Mapping[str, object]
    memory_bytes: int
    fits: bool


def usual_precision(machine: MachineFacts) -> str:
    """The number format that training will most likely choose when it measures."""
    if "bf16" in machine.native:
        return "bf16"
    return "fp32" if machine.gpu is None else "fp16"


def suiting_bases(language: str | None, machine: MachineFacts, stages: Sequence[TrainSettings]) -> Iterator[Suits]:
    """Known bases on which every stage fits into this machine's memory, the largest first.

    One that does not fit as it is may fit with its weights in few bits, where the stages' methods leave them alone, the
    recipe leaves their format open, and this machine can compute so.
    """
    usual, few = usual_precision(machine), FEW_BITS[machine.device]
    frozen = not any(stage.method.full for stage in stages)
    formats = (usual, few) if frozen and (few != "nf4" or has_nf4()) else (usual,)
    for known in bases_for(language, machine.gpu is not None, machine.gpu_memory_bytes or machine.memory_bytes):
        shape = shape_of(known.config)
        for precision in formats:
            settled = [(stage, _format(stage, precision, machine)) for stage in stages]
            needed = max(_need(stage, shape, form, machine).needed for stage, form in settled)
            if needed <= machine.room:
                yield Suits(known, None if precision == usual else precision, needed)
                break


def ladder(
    settings: TrainSettings,
    shape: BaseShape,
    precision: str,
    machine: MachineFacts,
    language: str | None = None,
    melts: bool = False,
) -> list[Rung]:
    """What could be done, one thing after another, where `settings` do not fit; the last rung fits, or none does.

    First what leaves the training as it is, then few bits, shorter windows, smaller bases that know the `language`.
    What needs no less than the rung before is left out.  `melts`: an earlier adapter becomes part of the base first.
    """
    rungs: list[Rung] = []
    for what, changes, changed, on, form in _ways(settings, shape, precision, machine, language):
        memory = _need(changed, on, form, machine)
        needed = (with_melting(memory, on, machine.device) if melts else memory).needed
        if rungs and needed >= rungs[-1].memory_bytes:
            continue
        rungs.append(Rung(what, changes, needed, needed <= machine.room))
        if rungs[-1].fits:
            break
    return rungs


def _ways(
    settings: TrainSettings, shape: BaseShape, precision: str, machine: MachineFacts, language: str | None
) -> Iterator[tuple[str, dict[str, object], TrainSettings, BaseShape, str]]:
    """Each rung: words, settings as a user would give them, and the training, base and format that they come to."""
    changes: dict[str, object] = {}
    choice = choose_batch(settings)
    if settings.batch != 1 and choice.batch > 1:
        one: dict[str, object] = {"batch": 1}
        if settings.accumulate != "auto":  # it was meant for larger batches: as many rows make a step as before
            one["accumulate"] = choice.rows_per_step
        changes, settings = {**changes, **one}, settings.model_copy(update=one)
        yield "one row at a time", changes, settings, shape, precision
    if settings.checkpointing is False:
        changes = {**changes, "checkpointing": True}
        settings = settings.model_copy(update={"checkpointing": True})
        yield "activations computed twice", changes, settings, shape, precision
    if settings.method.full and settings.optimizer == "adamw":
        changes = {**changes, "optimizer": "adamw_8bit"}
        settings = settings.model_copy(update={"optimizer": "adamw_8bit"})
        yield "an optimiser with 8-bit moments", changes, settings, shape, precision
    if settings.method.full:
        changes = {**changes, "method": "lora"}
        settings = settings.model_copy(update={"method": Method.model_validate("lora")})
        yield "an adapter instead of all weights", changes, settings, shape, precision
    few = FEW_BITS[machine.device]
    adapter = settings.method.adapter
    if precision != few and adapter is not None:
        low: dict[str, object] = {"method": _said("qlora", adapter)}
        if settings.precision != "auto":
            low["precision"] = few
        changes, settings, precision = {**changes, **low}, _changed(settings, low), few
        yield f"qlora: the base in {few}", changes, settings, shape, precision
    if settings.window > SHORT_WINDOW:
        short: dict[str, object] = {"window": SHORT_WINDOW}
        short |= {"stride": None} if settings.stride is not None else {}
        short |= {"overlap": "train"} if settings.overlap != "train" else {}
        yield (
            f"windows of {SHORT_WINDOW} tokens",
            {**changes, **short},
            settings.model_copy(update=short),
            shape,
            precision,
        )
    memory = machine.gpu_memory_bytes or machine.memory_bytes
    smaller = [known for known in bases_for(language, True, memory) if known.parameters < 0.8 * shape.parameters]
    for name, config in [*((known.name, known.config) for known in smaller), (EMBEDDED, EMBEDDED_CONFIG)]:
        other = shape_of(config)
        there: dict[str, object] = {"base": name}
        if adapter is not None and (on_all := _on_all(adapter, other)) != adapter:
            there["method"] = _said(settings.method.kind, on_all)
        yield f"the base {name}", {**changes, **there}, _changed(settings, there), other, precision


def _said(kind: MethodKind, lora: Lora) -> str | dict[str, object]:
    """A method with its adapter as one writes it: only what is not usual."""
    unusual = lora.model_dump(exclude_defaults=True)
    return {kind: unusual} if unusual else kind


def _changed(settings: TrainSettings, changes: Mapping[str, object]) -> TrainSettings:
    """The training with changes of it, as they are written; what is said of the base is none of it."""
    update = {key: value for key, value in changes.items() if key != "base"}
    if "method" in update:
        update["method"] = Method.model_validate(update["method"])
    return settings.model_copy(update=update)


def _format(settings: TrainSettings, left_open: str, machine: MachineFacts) -> str:
    """The number format of a stage: the recipe's, of qlora few bits, otherwise `left_open`."""
    if settings.precision != "auto":
        return settings.precision
    return FEW_BITS[machine.device] if settings.method.qlora is not None else left_open


def _need(settings: TrainSettings, shape: BaseShape, precision: str, machine: MachineFacts) -> Memory:
    """The memory of a stage, its activations computed twice where that is left open and needed."""
    choice = choose_batch(settings)
    lora = settings.method.adapter
    if lora is not None:
        method = Method.model_validate({settings.method.kind: _on_all(lora, shape).model_dump()})
        settings = settings.model_copy(update={"method": method})
    trainable = shape.lora_parameters(settings.method.adapter) if settings.method.adapter else shape.parameters
    twice = needs_checkpointing(settings, shape, choice, precision, trainable, machine)
    settled = settings.model_copy(update={"checkpointing": twice})
    return memory_of(settled, shape, choice, precision, trainable, machine.device, kernels=machine.kernels)


def _on_all(lora: Lora, shape: BaseShape) -> Lora:
    """The adapter with names of layers that this base has: another family calls them otherwise."""
    try:
        shape.targets(lora)
    except RecipeError:
        return lora.model_copy(update={"targets": ALL_LINEAR})
    return lora
