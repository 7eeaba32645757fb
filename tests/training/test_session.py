from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from quire.errors import OutOfMemory
from quire.recipe.resolved import Decided, StageDecided
from quire.run.events import Event, EventLog, read_events
from quire.run.folder import RunFolder
from quire.run.place import Place
from quire.training.session import Session
from quire.training.state import TrainState
from quire.training.together.ranks import Ranks
from quire.training.watch import StopWish
from quire.training.watching.alarms import Alarms


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    folder = RunFolder.create(tmp_path / "run")
    with EventLog(folder.events_file) as log:
        log.append("validation", "wide", 0, 5, {})
        yield Session(folder, log, StopWish(), lambda event: None, ("wide",), Alarms([]))


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory.\nTry this."), RuntimeError("can't allocate memory"), MemoryError()],
)
def test_memory_that_runs_out_anywhere_is_told_as_such(session: Session, error: Exception) -> None:
    with pytest.raises(OutOfMemory, match="memory ran out") as caught, session.telling_errors():
        raise error
    assert caught.value.__cause__ is error
    assert "\n" not in caught.value.what
    last = read_events(session.folder.events_file)[-1]
    assert (last.kind, last.step, last.values["text"]) == ("error", 5, caught.value.what)
    assert "train.window" in str(last.values["remedy"])


def test_a_mistake_of_ours_stays_one(session: Session) -> None:
    with pytest.raises(RuntimeError, match="shapes"), session.telling_errors():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert read_events(session.folder.events_file)[-1].kind == "validation"


def test_of_several_processes_the_first_alone_tells(session: Session) -> None:
    second = replace(session, ranks=Ranks(Place(number=1, count=2)))
    with pytest.raises(OutOfMemory), second.telling_errors():
        raise MemoryError
    assert read_events(session.folder.events_file)[-1].kind == "validation"


def test_what_a_listener_has_seen_is_on_the_disk(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    seen: list[Event] = []

    def listen(event: Event) -> None:
        assert read_events(folder.events_file)[-1] == event
        seen.append(event)

    with EventLog(folder.events_file) as log:
        session = Session(folder, log, StopWish(), listen, ("wide", "narrow"), Alarms([]))
        session.emit("step", TrainState(stage=1, part=2, step=9), {"loss": 1.5})
        stage = StageDecided(precision="fp32", batch=2, accumulate=4, batch_reason="so")
        decided = Decided(base="a-base", base_reason="because", threads=3, threads_reason="as told")
        session.announce(TrainState(), decided, stage, {"parameters": "1 of 2"}, {"words": {"trained": 5}})
    step, told = seen
    assert (step.kind, step.stage, step.part, step.step, step.values) == ("step", "narrow", 2, 9, {"loss": 1.5})
    assert (told.kind, told.stage) == ("decided", "wide")
    assert told.values["base"] == "a-base (because)"
    assert told.values["batch"] == "2 × 4 rows (so)"
    assert (told.values["threads"], told.values["parameters"]) == ("3 (as told)", "1 of 2")
    assert told.values["words"] == {"trained": 5}
