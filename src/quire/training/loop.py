"""The loop: one for every method, every base and every device.

Order matters for exact resume: whatever draws random numbers or changes weights happens between two checkpoints in the
same order every time; evaluating, saving and sampling draw none.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from accelerate import Accelerator
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from quire.errors import GuardError, Stopped
from quire.planner.schedule import BatchChoice, learning_rate_at, part_steps, rows_of_step
from quire.recipe.schema import TrainSettings
from quire.run.events import JSON
from quire.tokens.rows import Rows
from quire.tokens.stream import Position, Stream
from quire.training import guards
from quire.training.checkpoints import (
    Checkpoint,
    forget_old,
    latest_sound,
    load_checkpoint,
    random_state,
    restore,
    restore_random,
    restore_weights,
    save_checkpoint,
)
from quire.training.compute import Computation, batches_of, ghost_of, summed_loss
from quire.training.evaluate import validation_loss
from quire.training.neftune import noisy
from quire.training.optimizers.optimizer import (
    gradient_norm,
    make_optimizer,
    restore_optimizer,
    set_learning_rate,
    trainable,
)
from quire.training.relief import Footing, compute_activations_twice, is_out_of_memory, peak_memory, smaller
from quire.training.state import TrainState
from quire.training.together.ranks import ALONE, Ranks
from quire.training.together.sliced import is_sliced
from quire.training.together.sums import GradientSum
from quire.training.watch import StopWish, reason_of

Emit = Callable[[str, TrainState, Mapping[str, JSON]], None]

SECONDS_BETWEEN_SAVES = 300.0  # a crash never costs more work than this, however rare validations are

# A batch may overflow by itself, and skipping it is enough; several in a row mean that the weights are diseased.
MOST_BAD_IN_A_ROW = 3
# Going back a third time would only go round in a circle.
MOST_ROLLBACKS = 2


@dataclass(frozen=True)
class Part:
    """A slice of the text: what is learned, what is only measured, and other held-out text that is watched by name."""

    number: int
    rows: Rows
    validation: Rows
    watched: Mapping[str, Rows] = field(default_factory=dict)


@dataclass(frozen=True)
class Frame:
    """What stays the same in all parts of a stage.

    `relieved` hears how its steps are computed from now on, and whether this process alone knows of it.
    """

    settings: TrainSettings
    choice: BatchChoice
    computation: Computation
    seed: int
    checkpoints: Path
    emit: Emit
    sync_events: Callable[[], None]
    wish: StopWish
    relieved: Callable[[Footing, bool], None]
    ranks: Ranks = ALONE


@dataclass
class Work:
    """What a part is trained with.  The footing alone changes, where memory runs out."""

    model: PreTrainedModel
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    accelerator: Accelerator
    stream: Stream
    footing: Footing
    summed: GradientSum
    saved_at: float = field(default_factory=time.monotonic)


def train_part(
    model: PreTrainedModel, part: Part, frame: Frame, footing: Footing, state: TrainState, resume: Checkpoint | None
) -> Footing:
    """Train `model` in place on one part, from `state` (that of `resume`, if given) to the part's last step.

    Afterwards the model holds the last weights, or with `early_stop` the best ones.  Returns how steps were computed in
    the end.  Raises Stopped when asked to stop, after a checkpoint; GuardError where a promise would be broken;
    OutOfMemory.
    """
    settings = frame.settings
    steps = part_steps(part.rows.per_epoch, settings, frame.choice)
    pace = settings.evaluate_every or max(1, steps // 10)
    save_every = settings.save_every or pace
    work = begin(model, part, frame, footing, state, resume)
    work.model.train()
    while True:
        stop_if_asked(work, frame, state)
        if state.validation_due:
            validate(work, part, frame, state)
        if state.part_step >= steps or (settings.early_stop is not None and state.worse >= settings.early_stop):
            break
        with noisy(work.model, settings.neftune):
            step(work, part, frame, state, steps)
        if state.bad_in_a_row == MOST_BAD_IN_A_ROW:
            roll_back(work, frame, state, f"{MOST_BAD_IN_A_ROW} steps in a row were not finite")
        state.validation_due = state.part_step % pace == 0 or state.part_step == steps
        overdue = frame.ranks.any(time.monotonic() - work.saved_at > SECONDS_BETWEEN_SAVES)
        if not state.validation_due and (state.part_step % save_every == 0 or overdue):
            save(work, frame, state)
    if settings.early_stop is not None and state.best_step != state.step:
        assert state.best_step is not None
        restore_weights(load_checkpoint(frame.checkpoints / f"{state.best_step:07d}", frame.ranks).weights, work.model)
    work.accelerator.free_memory()
    return work.footing


def begin(
    model: PreTrainedModel, part: Part, frame: Frame, footing: Footing, state: TrainState, resume: Checkpoint | None
) -> Work:
    """Optimiser, order of rows and random numbers: fresh for the part, or as the checkpoint has them."""
    threads = torch.get_num_threads()
    # Its own scaling and casting, which `accelerate launch` may have switched on, would come on top of ours.
    accelerator = Accelerator(cpu=frame.computation.device == "cpu", mixed_precision="no")
    torch.set_num_threads(threads)  # it takes as many as there are cores, where nobody has told the environment
    optimizer = accelerator.prepare(make_optimizer(model, frame.settings))
    # Where a GPU lacks bf16: small fp16 gradients are scaled up before they can vanish (Micikevicius et al. 2018).
    device = frame.computation.device
    scaler = torch.amp.GradScaler(device, enabled=frame.computation.autocast is torch.float16)
    scaler.scale(torch.zeros((), device=device))  # makes the scale, which a process without batches needs as well
    stream = Stream(len(part.rows), frame.seed, part.number, part.rows.weights)
    # Of slices FSDP sums the gradients itself, in the backward pass.
    summed = GradientSum([parameter for _, parameter in trainable(model) if not isinstance(parameter, DTensor)])
    work = Work(model, optimizer, scaler, accelerator, stream, footing, summed)
    if resume is None or not resume.random:
        torch.manual_seed(seed_of(frame.seed * 1009 + part.number, state.part_step, frame.ranks))
    if resume is not None:
        restore(resume, model, optimizer)
        scaler.load_state_dict(state.scaler)
        work.stream.seek(Position(state.rows))
    return work


def step(work: Work, part: Part, frame: Frame, state: TrainState, steps: int) -> None:
    """One optimiser step: the mean gradient over the targets of all its rows, clipped and applied.

    Where it is not finite the step is left out: its rows count as seen, and the weights stay as they are.
    """
    started = time.perf_counter()
    settings = frame.settings
    indices = work.stream.take(rows_of_step(state.part_step, part.rows.per_epoch, settings, frame.choice))
    targets = sum(part.rows.targets_in(index) for index in indices)
    rate = learning_rate_at(state.part_step, steps, settings)
    set_learning_rate(work.optimizer, rate)
    loss, norm = gradients_within_memory(work, part.rows, indices, targets, frame, state)
    # A scaled fp16 step may overflow: the scaler then leaves it out by itself and lowers the scale.
    good = math.isfinite(loss) and (math.isfinite(norm) or work.scaler.is_enabled())
    if good:
        apply(work, norm, state, frame.ranks)
    else:
        guards.first_step_is_finite(loss, norm, state.step + 1, first=state.step == 0)
        drop_gradients(work)
    state.step += 1
    state.part_step += 1
    state.rows = work.stream.position.rows
    state.tokens += targets if good else 0
    state.bad_in_a_row = 0 if good else state.bad_in_a_row + 1
    state.skipped += not good
    told: dict[str, JSON] = {"loss": loss, "learning_rate": rate, "grad_norm": norm, "tokens": targets}
    told |= {"part_step": state.part_step, "part_steps": steps, "epoch": state.rows / part.rows.per_epoch}
    if not good:
        what = "loss" if not math.isfinite(loss) else "gradient"
        frame.emit("skipped", state, {**told, "why": f"its {what} was not finite", "in_a_row": state.bad_in_a_row})
    elif state.part_step % settings.log_every == 0 or state.part_step == steps:
        seconds = time.perf_counter() - started
        told |= {"tokens_total": state.tokens, "tokens_per_second": targets / seconds, "seconds": seconds}
        frame.emit("step", state, {**told, "memory_bytes": peak_memory(frame.computation.device)})


def gradients_within_memory(
    work: Work, rows: Rows, indices: Sequence[int], targets: int, frame: Frame, state: TrainState
) -> tuple[float, float]:
    """Mean loss over the targets of all rows, and the norm of its gradient, which is clipped and left in the model.

    Begun again on a smaller footing where memory runs out: of several processes by all, if it does so in any.
    """
    drawn = random_state()
    while True:
        share, ran_out = 0.0, False
        try:
            share = gradients(work, rows, indices, targets, frame)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            ran_out = True
        # Outside of the except block: what failed is let go of before anything is tried again.
        if ran_out and is_sliced(work.model) and frame.ranks.several:
            begin_again(work, frame)
        ran_out_somewhere, broken = frame.ranks.most(ran_out, not math.isfinite(share))
        if not ran_out_somewhere:
            if broken:
                return (share if frame.ranks.count == 1 else math.nan), math.nan
            [total] = frame.ranks.sum(share)
            work.summed.give(frame.ranks)
            work.scaler.unscale_(work.optimizer)
            return total, gradient_norm(work.model, frame.settings.clip)
        drop_gradients(work)
        restore_random(drawn)
        relieve(work, frame, state)


def gradients(work: Work, rows: Rows, indices: Sequence[int], targets: int, frame: Frame) -> float:
    """The gradient of this process's batches, in `work.summed`; their share of the mean loss over all `targets`.

    Where every process holds a slice of the model all compute equally often: one that has fewer batches takes a single
    token, for nothing.
    """
    batches = batches_of(rows, indices, work.footing.batch, frame.computation.device, frame.ranks)
    sliced = is_sliced(work.model)
    missing = int(frame.ranks.most(len(batches))[0]) - len(batches) if sliced else 0
    total = 0.0
    for batch in batches:
        loss = summed_loss(work.model, batch, frame.computation) / targets
        total += float(loss.detach())
        if not math.isfinite(total) and not sliced:
            return total
        work.accelerator.backward(work.scaler.scale(loss))
        work.summed.take()
    for _ in range(missing):
        ghost = ghost_of(rows, indices[0], frame.computation.device)
        work.accelerator.backward(summed_loss(work.model, ghost, frame.computation))
    return total


def drop_gradients(work: Work) -> None:
    """As if the step had not been computed."""
    work.optimizer.zero_grad(set_to_none=True)
    work.summed.clear()


def relieve(work: Work, frame: Frame, state: TrainState) -> None:
    """Go on with a smaller footing, and say so.  Raises OutOfMemory where there is none."""
    if frame.computation.device == "cuda":
        torch.cuda.empty_cache()
    before, work.footing = work.footing, smaller(work.footing, frame.choice.rows_per_step)
    if work.footing.checkpointing and not before.checkpointing:
        compute_activations_twice(work.model)
    frame.relieved(work.footing, False)
    accumulate = -(-frame.choice.rows_per_step // work.footing.batch)
    told: dict[str, JSON] = {"batch": work.footing.batch, "accumulate": accumulate}
    frame.emit("recovered", state, {**told, "checkpointing": work.footing.checkpointing})


def begin_again(work: Work, frame: Frame) -> NoReturn:
    """Keep a smaller footing for the next start and leave: the others wait inside a layer, where nobody can tell them.

    Raises Stopped, or OutOfMemory where there is no smaller footing.
    """
    footing = smaller(work.footing, frame.choice.rows_per_step)
    frame.relieved(footing, True)
    raise Stopped(
        f"memory ran out in process {frame.ranks.rank + 1} of {frame.ranks.count}; "
        f"the run goes on from its newest checkpoint with {footing.batch} rows at once"
    )


def apply(work: Work, norm: float, state: TrainState, ranks: Ranks) -> None:
    """Move the weights by the gradients; the first step of a part must be seen to do so."""
    first = state.part_step == 0 and not work.scaler.is_enabled()
    if first:
        guards.gradient_is_alive(norm)
    before = guards.weights_of(work.model) if first else None
    work.scaler.step(work.optimizer)
    work.scaler.update()
    work.optimizer.zero_grad(set_to_none=True)
    if before is not None:
        guards.weights_moved(before, work.model, ranks)


def validate(work: Work, part: Part, frame: Frame, state: TrainState) -> None:
    """The loss on held-out text, into state and events, and a checkpoint; where it is not finite, back to one."""
    held_out = {"": part.validation, **part.watched}
    losses = {
        name: validation_loss(work.model, rows, frame.computation, frame.wish, frame.ranks)
        for name, rows in held_out.items()
    }
    loss = losses.pop("")
    watched: dict[str, JSON] = dict(losses)
    stop_if_asked(work, frame, state)
    assert loss is not None
    if not math.isfinite(loss):
        roll_back(work, frame, state, f"the validation loss is {loss}")
        return
    state.note_validation(loss)
    told: dict[str, JSON] = {"loss": loss, "best_loss": state.best_loss, "best_step": state.best_step}
    frame.emit("validation", state, told | ({"watched": watched} if watched else {}))
    state.anchor = state.step
    save(work, frame, state)


def roll_back(work: Work, frame: Frame, state: TrainState, why: str) -> None:
    """Take weights and optimiser from the latest checkpoint that a validation has found sound and that is whole.

    The part goes on behind the rows that were seen, as PaLM's training did (Chowdhery et al. 2022, section 5.1): with
    the same rows the same would happen again.  Raises GuardError where it has happened too often, or where
    none is whole.
    """
    remedy = "lower train.learning_rate, or use precision: fp32"
    if state.anchor is None or state.rollbacks == MOST_ROLLBACKS:
        again = ", and going back has not helped" if state.rollbacks else ""
        raise GuardError(f"{why} at step {state.step}{again}", remedy, guards.GUIDE)

    def complain(problem: str) -> None:
        told: dict[str, JSON] = {"text": problem, "remedy": "the run goes back to the one before it", "guide": "resume"}
        frame.emit("warning", state, told)

    sound = latest_sound(frame.checkpoints, state, complain, frame.ranks)
    if sound is None:
        raise GuardError(f"{why} at step {state.step}, and no checkpoint to go back to is whole", remedy, guards.GUIDE)
    restore_weights(sound.weights, work.model)
    restore_optimizer(work.model, work.optimizer, sound.optimizer)
    work.scaler.load_state_dict(sound.state.scaler)
    state.rollbacks += 1
    state.bad_in_a_row = 0
    state.anchor = sound.state.step
    if state.best_step is not None and state.best_step > sound.state.step:  # that one was damaged
        state.best_loss, state.best_step, state.worse = sound.state.best_loss, sound.state.best_step, sound.state.worse
    frame.emit("rollback", state, {"to_step": state.anchor, "why": why})


def save(work: Work, frame: Frame, state: TrainState) -> None:
    """A checkpoint, with every event that led to it on the disk before; then those that nobody needs any more go."""
    state.scaler = work.scaler.state_dict()
    frame.sync_events()
    folder = save_checkpoint(frame.checkpoints, state, work.model, work.optimizer, frame.ranks)
    frame.emit("checkpoint", state, {"path": folder.name})
    needed = (state.best_step, state.anchor)
    frame.ranks.lead(lambda: forget_old(frame.checkpoints, state.step, frame.settings.keep, *needed))
    work.saved_at = time.monotonic()


def stop_if_asked(work: Work, frame: Frame, state: TrainState) -> None:
    """Save and raise Stopped where somebody wants it: of several processes all, if any was asked."""
    reason = reason_of(int(frame.ranks.most(frame.wish.code)[0]))
    if reason is not None:
        save(work, frame, state)
        frame.emit("stopped", state, {"reason": reason})
        raise Stopped(f"training stopped at step {state.step} ({reason})")


def check_before(model: PreTrainedModel, parts: Sequence[Part]) -> None:
    """The guards that can speak before the first step, for all parts: the last one is not to fail hours later."""
    guards.something_learns(model)
    for part in parts:
        guards.every_row_teaches(part.rows)
        guards.ends_are_learned(part.rows)
        guards.something_is_held_out(part.validation)


def seed_of(seed: int, step: int, ranks: Ranks) -> int:
    """Of the random numbers of a process: its own dropout for each, the first one's as if it were alone.

    `step` is where another number of processes goes on, whose random numbers nobody has; 0 at a beginning.
    """
    if ranks.first and step == 0:
        return seed
    return int(np.random.SeedSequence((seed % 2**64, step, ranks.rank)).generate_state(1, np.uint64)[0])
