"""Where a run stands: which stages have ended, and where the first that has not is gone on with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quire.planner.cautions import Warned
from quire.recipe.schema import Stage
from quire.run.events import Event, read_events
from quire.run.folder import RunFolder
from quire.run.manifest import flaw, spoiled
from quire.training.checkpoints import Checkpoint, load_checkpoint, newest
from quire.training.session import Session
from quire.training.state import TrainState
from quire.training.together.ranks import ALONE, Ranks

_QUICKLY_READ = 1 << 30  # bytes


@dataclass(frozen=True)
class Standing:
    """Where a run goes on: at `state`, with the checkpoint that holds it, or at the beginning of its stage."""

    state: TrainState
    checkpoint: Checkpoint | None
    done: int
    damaged: tuple[str, ...]
    spoiled: tuple[str, ...] = ()  # of voices: what is missed is made again


def standing_of_all(folder: RunFolder, stages: Sequence[Stage], ranks: Ranks) -> Standing:
    """`standing` as the first process finds it, in all of them."""
    found = ranks.lead(lambda: standing(folder, stages, ranks))
    name = found.checkpoint.folder.name if found is not None and found.checkpoint is not None else ""
    told = ranks.told(json.dumps([name, found.done, found.state.to_json()]) if found is not None else "")
    if found is not None:
        return found
    name, done, state = json.loads(told)
    checkpoint = load_checkpoint(folder.checkpoints / name, ranks) if name else None
    return Standing(TrainState.from_json(state), checkpoint, done, ())


def standing(folder: RunFolder, stages: Sequence[Stage], ranks: Ranks = ALONE) -> Standing:
    """Where to go on: in the first stage that has not ended, at its newest whole checkpoint."""
    ends = ended(folder, stages)
    broken = [problem] if (problem := spoiled(folder.voice)) is not None else []
    while ends and (problem := flaw(voice_of(folder, len(ends) - 1, stages[len(ends) - 1]))) is not None:
        broken.append(problem)
        ends.pop()
    damaged: list[str] = []
    early = len(ends) < len(stages) and stages[len(ends)].early_stop is not None
    checkpoint = newest(folder.checkpoints, damaged.append, ranks, stage=len(ends), returns_to_best=early)
    if checkpoint is not None:
        return Standing(checkpoint.state, checkpoint, len(ends), tuple(damaged), tuple(broken))
    if not ends:
        return Standing(TrainState(), None, 0, tuple(damaged), tuple(broken))
    state = TrainState(
        len(ends) - 1, 0, ends[-1].step, tokens=_whole(ends[-1], "tokens_total"), skipped=_whole(ends[-1], "skipped")
    )
    if len(ends) == len(stages):  # nobody misses a checkpoint
        return Standing(state, None, len(ends), (), tuple(broken))
    return Standing(state.next_stage(), None, len(ends), tuple(damaged), tuple(broken))


def ended(folder: RunFolder, stages: Sequence[Stage]) -> list[Event]:
    """The events that say, stage after stage from the first, that one has ended and left its voice."""
    if len(stages) == 1:
        return []
    told = {event.stage: event for event in read_events(folder.events_file) if event.kind == "stage_end"}
    ends: list[Event] = []
    for number, stage in enumerate(stages):
        if stage.name not in told or not voice_of(folder, number, stage).is_dir():
            break
        ends.append(told[stage.name])
    return ends


def voice_of(folder: RunFolder, number: int, stage: Stage) -> Path:
    """Where stage `number` of several leaves what it has learned."""
    return folder.stage(number, stage.name) / "voice"


def tell_resume(session: Session, at: Standing) -> None:
    """Say where the run goes on, what was found damaged, and what a crash has kept from being said."""
    name = at.checkpoint.folder.name if at.checkpoint else None
    session.emit("resume", at.state, {"checkpoint": name, "validated": not at.state.validation_due})
    session.catch_up()
    for problem in at.damaged:  # after the resume, or that would make readers forget it
        remedy = "the checkpoint before it is used" if at.checkpoint else "the stage starts over"
        session.warn(Warned(problem, remedy, "resume"))
    for problem in at.spoiled:
        session.warn(Warned(problem, "what it was made from is gone on with, and it is made again", "resume"))
    for problem in left_behind(session.folder, at):
        session.warn(Warned(problem, "nothing goes on from it: the run ends as it would have", "resume"))


def left_behind(folder: RunFolder, at: Standing) -> list[str]:
    """What is wrong with the voices of parts and stages that are done with, where looking at them takes a moment."""
    parts = [path for path in folder.stages.glob("*/part-*") if _is_done_with(path, at)]
    voices = [path for path in folder.stages.glob("*/voice") if int(path.parent.name.split("-")[0]) < at.done]
    small = [path for path in sorted(parts + voices) if _bytes_of(path) < _QUICKLY_READ]
    return [problem for path in small if (problem := spoiled(path)) is not None]


def _is_done_with(path: Path, at: Standing) -> bool:
    stage, part = int(path.parent.name.split("-")[0]), int(path.name.split("-")[1])
    return (stage, part) <= (at.done + 1, at.state.part if at.state.stage == at.done else 0)


def _bytes_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _whole(event: Event, name: str) -> int:
    value = event.values.get(name)
    return value if isinstance(value, int) else 0
