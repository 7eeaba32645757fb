from __future__ import annotations

from pathlib import Path

from quire.recipe.resolved import Decided, StageDecided
from quire.run.events import Event, EventLog, read_events
from quire.run.folder import RunFolder
from quire.training.session import Session
from quire.training.state import TrainState
from quire.training.watch import StopWish
from quire.training.watching.alarms import Alarms


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
