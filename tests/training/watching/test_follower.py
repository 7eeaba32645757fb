"""Following a run: what a tracker hears of it, once each, whatever was taken again."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from quire.run.events import JSON, Event, EventLog
from quire.run.folder import RunFolder
from quire.training.watching import follower
from quire.training.watching.follower import follow, key_of, numbers_of, reason_of, settings_of, text_of, told_before
from quire.training.watching.tracked import OPEN
from tracking import RESUME, START, events_of, new_run


class Paper:
    """A tracker that writes everything down."""

    def __init__(self, known: int = 0) -> None:
        self.known = known
        self.points: list[tuple[str, int, float]] = []
        self.texts: list[tuple[str, int, str]] = []
        self.given: Mapping[str, str | float] = {}
        self.finished = False

    def settings(self, values: Mapping[str, str | float]) -> None:
        self.given = values

    def log(self, values: Mapping[str, float], event: Event) -> None:
        self.points += [(name, event.step, value) for name, value in values.items()]

    def text(self, name: str, text: str, event: Event) -> None:
        self.texts.append((name, event.step, text))

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return new_run(tmp_path / "tale")


def tell(run: RunFolder, first: tuple[str, int, dict[str, JSON]], steps: range) -> None:
    with EventLog(run.events_file) as log:
        for kind, step, values in events_of(first, steps):
            log.append(kind, "train", 0, step, values)


def followed(run: RunFolder, monkeypatch: pytest.MonkeyPatch, paper: Paper) -> Paper:
    monkeypatch.setitem(OPEN, "paper", lambda home, name, key: paper)  # type: ignore[attr-defined]
    over = threading.Event()
    over.set()
    follow("paper", run, run.path / "track" / "paper", over)
    return paper


def steps_of(paper: Paper, name: str = "train/loss") -> list[int]:
    return [step for point, step, _ in paper.points if point == name]


def test_everything_is_heard_once_and_the_tracker_is_closed(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(run, START, range(1, 9))
    paper = followed(run, monkeypatch, Paper())
    assert steps_of(paper) == list(range(1, 9))
    assert ("validation/loss", 8, 3.5) in paper.points
    assert ("validation/first-book", 8, 3.1) in paper.points
    assert [name for name, _, _ in paper.texts] == ["samples", "warnings"]
    assert paper.given["train.learning_rate"] == 2e-4
    assert paper.finished


def test_steps_that_are_taken_again_are_not_doubled(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(run, START, range(1, 9))
    tell(run, RESUME, range(5, 13))
    assert steps_of(followed(run, monkeypatch, Paper())) == list(range(1, 13))


@pytest.mark.parametrize(("known", "first"), [(8, 9), (-1, 9)])
def test_a_store_elsewhere_hears_only_what_it_does_not_know(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, known: int, first: int
) -> None:
    """Below 0 it cannot say what it knows: then all that an earlier session had told."""
    tell(run, START, range(1, 9))
    tell(run, RESUME, range(5, 13))
    assert steps_of(followed(run, monkeypatch, Paper(known))) == list(range(first, 13))


def test_what_happens_while_it_follows_is_heard_too(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(run, START, range(1, 3))
    paper, over = Paper(), threading.Event()
    monkeypatch.setitem(OPEN, "paper", lambda home, name, key: paper)  # type: ignore[attr-defined]
    monkeypatch.setattr(follower, "PAUSE", 0.01)
    thread = threading.Thread(target=follow, args=("paper", run, run.path, over))
    thread.start()
    with EventLog(run.events_file) as log:
        for step in range(3, 40):
            log.append("step", "train", 0, step, {"loss": 3.0})
    over.set()
    thread.join()
    assert steps_of(paper) == list(range(1, 40))


def test_numbers_that_are_none_and_events_without_any_are_left_out() -> None:
    assert numbers_of(Event(0.0, "step", values={"loss": None, "epoch": 0.5, "part_steps": 9})) == {"train/epoch": 0.5}
    assert numbers_of(Event(0.0, "checkpoint", values={"path": "0000001"})) == {}
    told = {"cpu_kilowatt_hours": 0.25, "session": "x", "seconds": 9.0}
    assert numbers_of(Event(0.0, "energy", values=told)) == {"energy/cpu_kilowatt_hours": 0.25}


def test_samples_and_what_a_stage_inherits_are_texts() -> None:
    sample = Event(0.0, "sample", values={"prompt": "The door", "text": " opened."})
    assert text_of(sample) == ("samples", "**The door** opened.")
    inherits = Event(0.0, "inherited", "imprint", values={"from": "wide: its adapter goes on learning", "stages": 2})
    assert text_of(inherits) == ("stages", "imprint: wide: its adapter goes on learning")
    assert text_of(Event(0.0, "step", values={"loss": 3.0})) is None


def test_settings_name_files_without_their_places(run: RunFolder) -> None:
    given = settings_of(run)
    assert given["shelf.0.path"] == "secret-novel.txt"
    assert not any("somebody" in str(value) for value in given.values())


def test_the_key_of_a_run_is_the_same_for_ever_and_another_for_others() -> None:
    events = [Event(5.0, "start"), Event(6.0, "resume")]
    assert key_of(events, "tale") == key_of([*events, Event(9.0, "resume")], "tale")
    assert key_of(events, "tale") != key_of([Event(5.5, "start")], "tale")


def test_what_earlier_sessions_told_is_known_from_the_events() -> None:
    steps = [Event(0.0, "step", step=n) for n in range(1, 9)]
    assert told_before(steps) == 0
    assert told_before([*steps, Event(0.0, "resume", step=4), Event(0.0, "step", step=5)]) == 8


def test_a_reason_is_one_short_line() -> None:
    assert reason_of(ValueError("no key\nlogin with x")) == "ValueError: no key"
    assert reason_of(KeyboardInterrupt()) == "KeyboardInterrupt: without a word"
    assert len(reason_of(ValueError("x" * 999))) < 210
