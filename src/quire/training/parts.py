"""Part after part: train, save, show a sample; or only what is left of it after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from quire.planner.schedule import BatchChoice, part_steps
from quire.recipe.resolved import Decided
from quire.recipe.schema import Recipe
from quire.tokens.rows import Rows
from quire.training.checkpoints import newest
from quire.training.learner import Learner
from quire.training.loop import Frame, Part, check_before, train_part
from quire.training.session import STAGE, Session
from quire.training.state import TrainState


def train_parts(
    session: Session,
    learner: Learner,
    recipe: Recipe,
    decided: Decided,
    resumes: bool,
    rows: Sequence[Rows],
    validation: Sequence[Rows],
    after_part: Callable[[TrainState], None],
    save_part: Callable[[TrainState, Path], None],
) -> TrainState:
    """Train every part and return the last state; the learner's model holds the result.  `resumes` says that the run
    was started before.

    `after_part` is called when a part's training has ended, `save_part` with the folder to keep the part's voice in
    (only where there are several parts).  Both may be called again for the same part after a crash between them.
    """
    frame = Frame(
        settings=recipe.train,
        choice=BatchChoice(decided.batch, decided.accumulate, decided.batch_reason),
        computation=learner.computation,
        seed=recipe.seed,
        checkpoints=session.folder.checkpoints,
        emit=session.emit,
        sync_events=session.log.sync,
        wish=session.wish,
    )
    damaged: list[str] = []
    resume = newest(session.folder.checkpoints, damaged.append)
    state = resume.state if resume else TrainState()
    if resumes:
        name = resume.folder.name if resume else None
        session.emit("resume", state, {"checkpoint": name, "validated": not state.validation_due})
    for problem in damaged:  # after the resume, or that would make readers forget it
        remedy = "the checkpoint before it is used" if resume else "training starts over"
        session.emit("warning", state, {"text": problem, "remedy": remedy})
    count = len(rows)
    parts = [Part(number, *pair) for number, pair in enumerate(zip(rows, validation, strict=True))]
    check_before(learner.model, parts)  # type: ignore[arg-type]
    while True:
        part = parts[state.part]
        session.emit(
            "part_start",
            state,
            {"rows": len(part.rows), "parts": count, "steps": part_steps(len(part.rows), recipe.train, frame.choice)},
        )
        train_part(learner.model, part, frame, state, resume)  # type: ignore[arg-type]
        resume = None
        if count > 1:
            save_part(state, session.folder.stages / f"01-{STAGE}" / f"part-{state.part + 1:02d}")
        after_part(state)
        session.emit("part_end", state, {"parts": count, "best_loss": state.best_loss, "best_step": state.best_step})
        if state.part + 1 == count:
            return state
        state = state.next_part()
