"""The loop: one for every method, every base and every device.

Order matters for exact resume: whatever draws random numbers or changes weights happens between two checkpoints in the
same order every time; evaluating, saving and sampling draw none.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import PreTrainedModel

from quire.errors import Stopped
from quire.planner.schedule import BatchChoice, learning_rate_at, part_steps, rows_of_step
from quire.recipe.schema import TrainSettings
from quire.run.events import JSON
from quire.tokens.rows import Rows
from quire.tokens.stream import Position, Stream
from quire.training import guards
from quire.training.checkpoints import (
    Checkpoint,
    forget_old,
    load_checkpoint,
    restore,
    restore_weights,
    save_checkpoint,
)
from quire.training.compute import Computation, batches_of, summed_loss
from quire.training.evaluate import validation_loss
from quire.training.optimizer import make_optimizer
from quire.training.state import TrainState
from quire.training.watch import StopWish

Emit = Callable[[str, TrainState, Mapping[str, JSON]], None]

SECONDS_BETWEEN_SAVES = 300.0  # a crash never costs more work than this, however rare validations are


@dataclass(frozen=True)
class Part:
    """A slice of the text: what is learned and what is only measured."""

    number: int
    rows: Rows
    validation: Rows


@dataclass(frozen=True)
class Frame:
    """What stays the same in all parts of a run."""

    settings: TrainSettings
    choice: BatchChoice
    computation: Computation
    seed: int
    checkpoints: Path
    emit: Emit
    sync_events: Callable[[], None]
    wish: StopWish


def train_part(model: PreTrainedModel, part: Part, frame: Frame, state: TrainState, resume: Checkpoint | None) -> None:
    """Train `model` in place on one part, from `state` (that of `resume`, if given) to the part's last step.

    Afterwards the model holds the last weights, or with `early_stop` the best ones.  Raises Stopped when asked to stop,
    after a checkpoint; GuardError where a promise would be broken.
    """
    settings = frame.settings
    steps = part_steps(len(part.rows), settings, frame.choice)
    pace = settings.evaluate_every or max(1, steps // 10)
    save_every = settings.save_every or pace

    accelerator = Accelerator(cpu=frame.computation.device == "cpu")
    optimizer = make_optimizer(model, settings)
    model, optimizer = accelerator.prepare(model, optimizer)
    # Where a GPU lacks bf16: small fp16 gradients are scaled up before they can vanish (Micikevicius et al. 2018).
    scaler = torch.amp.GradScaler(enabled=frame.computation.autocast is torch.float16)
    stream = Stream(len(part.rows), frame.seed, part.number)
    if resume is None:
        torch.manual_seed(frame.seed * 1009 + part.number)
    else:
        restore(resume, model, optimizer)
        scaler.load_state_dict(state.scaler)
        stream.seek(Position(state.rows))

    saved_at = time.monotonic()

    def save() -> None:
        nonlocal saved_at
        state.scaler = scaler.state_dict()
        frame.sync_events()
        folder = save_checkpoint(frame.checkpoints, state, model, optimizer)
        frame.emit("checkpoint", state, {"path": folder.name})
        forget_old(frame.checkpoints, state.step, settings.keep, state.best_step)
        saved_at = time.monotonic()

    def stop_if_asked() -> None:
        if frame.wish.reason is not None:
            save()
            frame.emit("stopped", state, {"reason": frame.wish.reason})
            raise Stopped(f"training stopped at step {state.step} ({frame.wish.reason})")

    model.train()
    while True:
        stop_if_asked()
        if state.validation_due:
            loss = validation_loss(model, part.validation, frame.computation, frame.wish)
            stop_if_asked()
            assert loss is not None
            guards.loss_is_finite(loss, state.step, "validation loss")
            state.note_validation(loss)
            frame.emit("validation", state, {"loss": loss, "best_loss": state.best_loss, "best_step": state.best_step})
            save()
        if state.part_step >= steps or (settings.early_stop is not None and state.worse >= settings.early_stop):
            break
        step(model, optimizer, scaler, accelerator, stream, part, frame, state, steps)
        state.validation_due = state.part_step % pace == 0 or state.part_step == steps
        overdue = time.monotonic() - saved_at > SECONDS_BETWEEN_SAVES
        if not state.validation_due and (state.part_step % save_every == 0 or overdue):
            save()
    if settings.early_stop is not None and state.best_step != state.step:
        assert state.best_step is not None
        restore_weights(load_checkpoint(frame.checkpoints / f"{state.best_step:07d}").weights, model)
    accelerator.free_memory()


def step(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    accelerator: Accelerator,
    stream: Stream,
    part: Part,
    frame: Frame,
    state: TrainState,
    steps: int,
) -> None:
    """One optimiser step: the mean gradient over the targets of all its rows, clipped and applied."""
    started = time.perf_counter()
    settings = frame.settings
    indices = stream.take(rows_of_step(state.part_step, len(part.rows), settings, frame.choice))
    targets = sum(part.rows.targets_in(index) for index in indices)
    rate = learning_rate_at(state.part_step, steps, settings)
    for group in optimizer.param_groups:
        group["lr"] = rate

    total = 0.0
    for batch in batches_of(part.rows, indices, frame.choice.batch, frame.computation.device):
        loss = summed_loss(model, batch, frame.computation) / targets
        total += float(loss.detach())
        guards.loss_is_finite(total, state.step + 1)
        accelerator.backward(scaler.scale(loss))
    scaler.unscale_(optimizer)
    norm = gradient_norm(model, settings.clip)
    # A scaled fp16 step may overflow: the scaler then leaves it out and lowers the scale.
    if not scaler.is_enabled():
        guards.gradient_is_alive(norm, state.step + 1, first=state.part_step == 0)
    before = guards.weights_of(model) if state.part_step == 0 else None
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    if before is not None and not scaler.is_enabled():
        guards.weights_moved(before, model)

    state.step += 1
    state.part_step += 1
    state.rows = stream.position.rows
    state.tokens += targets
    if state.part_step % settings.log_every == 0 or state.part_step == steps:
        seconds = time.perf_counter() - started
        frame.emit(
            "step",
            state,
            {
                "loss": total,
                "learning_rate": rate,
                "grad_norm": norm,
                "tokens": targets,
                "tokens_total": state.tokens,
                "tokens_per_second": targets / seconds,
                "seconds": seconds,
                "memory_bytes": peak_memory(frame.computation.device),
                "part_step": state.part_step,
                "part_steps": steps,
                "epoch": state.rows / len(part.rows),
            },
        )


def check_before(model: PreTrainedModel, parts: Sequence[Part]) -> None:
    """The guards that can speak before the first step, for all parts: the last one is not to fail hours later."""
    guards.something_learns(model)
    for part in parts:
        guards.every_row_teaches(part.rows)
        guards.ends_are_learned(part.rows)
        guards.something_is_held_out(part.validation)


def gradient_norm(model: PreTrainedModel, clip: float) -> float:
    """The norm of all gradients; they are scaled down to `clip` if it is larger (0: never)."""
    parameters = [p for p in model.parameters() if p.grad is not None]
    limit = clip if clip > 0 else float("inf")
    norm: Tensor = torch.nn.utils.clip_grad_norm_(parameters, limit)
    return float(norm)


def peak_memory(device: str) -> int:
    """Most bytes this process has held: of the GPU's memory there, of resident memory otherwise."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
