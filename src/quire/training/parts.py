"""One stage, part after part: train, save, show a sample; or only what is left of it after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from quire.planner.schedule import BatchChoice, part_steps
from quire.recipe.resolved import StageDecided
from quire.recipe.schema import Stage
from quire.training.checkpoints import Checkpoint
from quire.training.learner import Learner
from quire.training.loop import Frame, Part, check_before, train_part
from quire.training.relief import Footing, on_footing
from quire.training.session import Session
from quire.training.state import TrainState


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
    keep: Callable[[StageDecided], None],
) -> TrainState:
    """Train every part of a stage from `state` on and return the last state; the learner's model holds the result.

    `after_part` is called when a part's training has ended, `save_part` with the folder to keep the part's voice in
    (only where there are several parts).  Both may be called again for the same part after a crash between them.
    `keep` hears what is decided anew where memory runs out.
    """
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
        relieved=lambda footing: keep(on_footing(decided, footing, choice.rows_per_step)),
    )
    footing = Footing(decided.batch, decided.checkpointing)
    check_before(learner.model, parts)  # type: ignore[arg-type]
    while True:
        part = parts[state.part]
        told = {"rows": len(part.rows), "parts": len(parts), "steps": part_steps(len(part.rows), stage, choice)}
        session.emit("part_start", state, told)
        footing = train_part(learner.model, part, frame, footing, state, resume)  # type: ignore[arg-type]
        resume = None
        if len(parts) > 1:
            save_part(learner, state, session.folder.stage(state.stage, stage.name) / f"part-{state.part + 1:02d}")
        after_part(learner, state)
        end = {"parts": len(parts), "best_loss": state.best_loss, "best_step": state.best_step}
        session.emit("part_end", state, end)
        if state.part + 1 == len(parts):
            return state
        state = state.next_part()
