"""One stage, part after part: train, save, show a sample; or only what is left of it after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from quire.errors import RecipeError
from quire.planner.schedule import BatchChoice, part_steps
from quire.recipe.resolved import StageDecided
from quire.recipe.schema import Stage
from quire.run.events import JSON
from quire.training.checkpoints import Checkpoint, restore_weights
from quire.training.learner import Learner
from quire.training.loop import Frame, Part, check_before, train_part
from quire.training.optimizers.optimizer import trainable
from quire.training.relief import Footing, memory_now, on_footing
from quire.training.session import Session
from quire.training.state import TrainState
from quire.training.together.ranks import Ranks
from quire.training.together.sliced import is_sliced, slice_model, whole_weights


def train_parts(
    session: Session,
    learner: Learner,
    stage: Stage,
    decided: StageDecided,
    seed: int,
    state: TrainState,
    resume: Checkpoint | None,
    parts: Sequence[Part],
    after_part: Callable[[Learner, TrainState], None],
    save_part: Callable[[Learner, TrainState, Path], None],
    keep: Callable[[StageDecided, bool], None],
    remake: Callable[[], Learner],
) -> tuple[TrainState, Learner]:
    """Train every part of a stage from `state` on; return the last state, and a learner whose model holds the result.

    `after_part` is called when a part's training has ended, `save_part` with the folder to keep the part's voice in
    (only where there are several parts).  Both may be called again for the same part after a crash between them.
    `keep` hears what is decided anew where memory runs out, and whether this process alone knows of it.  Of several
    processes only the first saves and writes samples; where each holds a slice of the model, that is with a learner
    that `remake` makes in main memory and that is given what all have learned.
    """
    ranks = session.ranks
    spread_out(learner, stage, ranks)
    choice = BatchChoice(decided.batch, decided.accumulate, decided.batch_reason)
    frame = Frame(
        settings=stage,
        choice=choice,
        computation=learner.computation,
        seed=seed,
        checkpoints=session.folder.checkpoints,
        emit=session.emit,
        sync_events=session.log.sync,
        wish=session.wish,
        relieved=lambda footing, alone: keep(on_footing(decided, footing, choice.rows_per_step), alone),
        ranks=ranks,
    )
    footing = Footing(decided.batch, decided.checkpointing)
    check_before(learner.model, parts)  # type: ignore[arg-type]
    while True:
        part = parts[state.part]
        steps = part_steps(part.rows.per_epoch, stage, choice)
        told: dict[str, JSON] = {"rows": part.rows.per_epoch, "parts": len(parts), "steps": steps}
        told |= memory_now(learner.computation.device)
        session.emit("part_start", state, told)
        footing = train_part(learner.model, part, frame, footing, state, resume)  # type: ignore[arg-type]
        resume = None
        whole = put_together(learner, ranks, remake)
        if len(parts) > 1:
            folder = session.folder.stage(state.stage, stage.name) / f"part-{state.part + 1:02d}"
            ranks.lead(partial(save_part, whole, state, folder))
        ranks.lead(partial(after_part, whole, state))
        end = {"parts": len(parts), "best_loss": state.best_loss, "best_step": state.best_step}
        session.emit("part_end", state, end)
        if state.part + 1 == len(parts):
            return state, whole
        del whole  # the next part is to have its room
        state = state.next_part()


def spread_out(learner: Learner, stage: Stage, ranks: Ranks) -> None:
    """Make all processes begin with the same weights: each with the whole model, or with its slice of it."""
    if not ranks.several:
        return
    ranks.copy_from_first([parameter for _, parameter in trainable(learner.model)])
    if stage.parallel == "fsdp":
        if learner.computation.autocast is torch.float16:
            raise RecipeError("train.parallel: fsdp has no scaled fp16", "use train.parallel: ddp, or precision: fp32")
        if not learner.computation.packs and stage.pack:
            raise RecipeError(
                "train.parallel: fsdp needs a base that computes packed texts in one pass, which this one does not",
                "use train.parallel: ddp, or --set train.pack=false",
                "processes",
            )
        slice_model(learner.model)


def put_together(learner: Learner, ranks: Ranks, remake: Callable[[], Learner]) -> Learner:
    """The learner with a model that a process can use by itself; in the first process, where it lies in slices.

    That one is made in main memory: a model which needs slices has no room beside them.
    """
    if not is_sliced(learner.model):
        return learner
    weights = whole_weights(learner.model, ranks.first)
    if not ranks.first:
        return learner
    whole = remake()
    restore_weights(weights, whole.model)
    return whole
