"""One case: some steps of training as `quire train` makes them, or some texts as `quire write` does, on random weights.

This runs in a process of its own (`benching.child`), whose memory and heap are the case's alone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from quire.errors import OutOfMemory, RecipeError
from quire.model.lowbit import lasting_dtype, multiplies_bytes
from quire.model.machine import (
    DTYPES,
    Precision,
    choose_precision,
    choose_threads,
    device_name,
    measure_machine,
    set_threads,
)
from quire.planner.bases import find_base
from quire.planner.memory import base_bytes, memory_of, needs_checkpointing
from quire.planner.schedule import choose_batch
from quire.planner.shape import shape_of
from quire.recipe.method import Lora, Method
from quire.recipe.schema import TrainSettings, WriteSettings
from quire.run.events import JSON
from quire.tokens.rows import Rows, make_rows
from quire.tokens.stretches import Stretch
from quire.tokens.tokenizer import load_tokenizer
from quire.training.learner import learning_form
from quire.training.loop import Frame, Part, begin, step
from quire.training.relief import Footing, begin_peak, memory_limit, peak_memory
from quire.training.state import TrainState
from quire.training.watch import StopWish
from quire.units import show_size
from quire.verbs.benching.figures import Trained, Wrote
from quire.verbs.benching.made import bytes_of, random_model
from quire.verbs.benching.rates import Format, Rates
from quire.verbs.benching.roofline import best_seconds, work_of
from quire.writing.sampler import write_texts

MOST_STEPS = 8  # after the first
PROMPT = "The boat lay under the wall of the harbour, and nobody had yet come down to it."
QV = Method(lora=Lora(rank=8, alpha=32, dropout=0.0, targets=["q_proj", "v_proj"]))


def settings_of(precision: str, window: int) -> TrainSettings:
    """A step of one row, which is all that is measured: LoRA of rank 8 on queries and values, without dropout."""
    return TrainSettings.model_validate(
        {
            "method": QV,
            "window": window,
            "precision": precision,
            "batch": 1,
            "accumulate": 1,
            "steps": MOST_STEPS + 1,
            "schedule": "constant",
            "warmup": 0,
        }
    )


def train_case(
    config: Mapping[str, object], precision: str, window: int, ids: Sequence[int], seconds: float
) -> Trained:
    """Train on the text of `ids`, of more than `window` tokens, for about so many seconds after the first step.

    Raises RecipeError for a precision that this machine has not, OutOfMemory where the planner says that it cannot fit.
    """
    machine, device, settings, shape = (
        measure_machine(),
        device_name(),
        settings_of(precision, window),
        shape_of(config),
    )
    threads, _ = choose_threads(torch.get_num_threads())
    set_threads(threads)
    form, choice = choose_precision(machine, precision).value, choose_batch(settings)
    trainable = shape.lora_parameters(QV.lora or Lora())
    twice = needs_checkpointing(settings, shape, choice, form, trainable, machine)
    settled = settings.model_copy(update={"checkpointing": twice})
    _require(
        memory_of(settled, shape, choice, form, trainable, device, kernels=machine.kernels).step, device, machine.room
    )
    model = random_model(config, form, device)
    weights = bytes_of(model)
    learner, computation = learning_form(model, settings, form, device, 0, twice)
    begin_peak(device)
    rows, state = _rows(ids, settings), TrainState()
    told: list[Mapping[str, JSON]] = []
    footings: list[Footing] = []
    frame = Frame(
        settings,
        choice,
        computation,
        seed=0,
        checkpoints=Path("none"),
        emit=lambda kind, _state, values: told.append(values) if kind == "step" else None,
        sync_events=lambda: None,
        wish=StopWish(),
        relieved=lambda footing, _alone: footings.append(footing),
    )
    part = Part(0, rows, rows)
    work = begin(learner, part, frame, Footing(choice.batch, twice), state, None)  # type: ignore[arg-type]
    work.model.train()
    layers, rest = formats_of(form, device)
    rates = Rates(shape, window, (layers, rest), device)
    rates.measure()
    until = float("inf")
    while len(told) <= MOST_STEPS and (len(told) < 2 or time.perf_counter() < until):
        step(work, part, frame, state, MOST_STEPS + 1)
        rates.measure()
        until = min(until, time.perf_counter() + seconds)
    took = [_number(values, "seconds") for values in told]
    middle = statistics.median(took[1:])
    return Trained(
        tokens_per_second=window / middle,
        roofline=window / best_seconds(work_of(shape, window), rates.medians(), layers, rest),
        seconds=middle,
        first=took[0],
        steps=len(took) - 1,
        weights_bytes=weights,
        peak_bytes=peak_memory(device),
        losses=tuple(_number(values, "loss") for values in told),
        rates=rates.medians(),
        twice=twice or any(footing.checkpointing for footing in footings),
        device=device,
        threads=torch.get_num_threads(),
    )


def write_case(config: Mapping[str, object], precision: str, batch: int, tokens: int) -> Wrote:
    """Write `batch` texts of `tokens` tokens each, after a short one that is not counted.

    Raises RecipeError for a precision that this machine has not, OutOfMemory where the weights cannot fit.
    """
    machine, device, shape = measure_machine(), device_name(), shape_of(config)
    threads, _ = choose_threads(torch.get_num_threads())
    set_threads(threads)
    form = choose_precision(machine, precision).value
    _require(round(base_bytes(shape, form)), device, machine.room)
    model = random_model(config, form, device)
    # Words that this tokenizer does not know are passed over; no number of the model ends a text.
    tokenizer = replace(load_tokenizer(find_base("embedded", weights=False).path), end_of_text=shape.vocabulary)
    how = WriteSettings(max_new_tokens=tokens, num_return_sequences=batch)
    write_texts(model, tokenizer, PROMPT, how.model_copy(update={"max_new_tokens": 2}), seed=0)
    started = time.perf_counter()
    write_texts(model, tokenizer, PROMPT, how, seed=0)
    spent = time.perf_counter() - started
    return Wrote(batch * tokens / spent, tokens, bytes_of(model), device, torch.get_num_threads())


def formats_of(precision: Precision, device: str) -> tuple[Format, Format]:
    """In which formats the products with the layers' matrices and all others are computed, of a base in `precision`."""
    if precision in DTYPES:
        return precision, precision  # type: ignore[return-value]  # "int8" and "nf4" are not among DTYPES
    rest: Format = {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(lasting_dtype(device), "fp32")  # type: ignore[assignment]
    return ("int8" if precision == "int8" and multiplies_bytes(device) else rest), rest


def die_first() -> None:
    """Where memory runs out after all, let Linux end this process and no other."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _rows(ids: Sequence[int], settings: TrainSettings) -> Rows:
    """Rows of a full window of one text, so that every step computes as much; what is left over is left out."""
    whole = (len(ids) - 1) // settings.window * settings.window + 1
    if whole == 1:
        raise RecipeError(
            f"--windows {settings.window}: the book has only {len(ids)} tokens", "name a longer one with --book"
        )
    stretch = Stretch(np.asarray(ids[:whole], dtype=np.int32), 0, ends_work=False)
    return make_rows([stretch], settings, start=None)


def _require(needed: int, device: str, room: int) -> None:
    """OutOfMemory where so many bytes are more than can be had."""
    limit = memory_limit(device)
    free = room if limit is None else min(room, limit)
    if needed > free:
        raise OutOfMemory(f"it would take {show_size(needed)} of memory, and {show_size(free)} are free")


def _number(values: Mapping[str, JSON], key: str) -> float:
    value = values[key]
    assert isinstance(value, int | float)
    return float(value)
