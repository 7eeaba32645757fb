from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quire.errors import GuardError, Stopped
from quire.planner.bases import find_base
from quire.planner.schedule import choose_batch, learning_rate_at, part_steps
from quire.recipe.resolved import StageDecided
from quire.recipe.schema import Recipe
from quire.run.events import Event, EventLog, read_events
from quire.run.folder import RunFolder
from quire.training.checkpoints import list_checkpoints
from quire.training.learner import Learner, Start, make_learner
from quire.training.loop import Part
from quire.training.parts import train_parts
from quire.training.session import Session
from quire.training.standing import standing, tell_resume
from quire.training.state import TrainState
from quire.training.watch import StopWish
from quire.training.watching.alarms import Alarms
from toy import digest, toy_rows, toy_settings

ROWS = [toy_rows((50, 90), seed=1), toy_rows((120,), seed=2), toy_rows((30, 40, 20), seed=3)]
HELD_OUT = [toy_rows((40,), seed=9), toy_rows((30,), seed=8), toy_rows((20,), seed=7)]
SETTINGS = toy_settings(parts=3, epochs=1.5, evaluate_every=2)


class Run:
    """A run folder in which three parts are trained; what was called between the parts is kept."""

    def __init__(self, base: Path, path: Path) -> None:
        self.base, self.folder = base, RunFolder.create(path)
        self.after: list[tuple[int, int]] = []
        self.saved: dict[str, str] = {}
        self.kept: list[StageDecided] = []
        self.starts = 0

    def start(self, hear: Callable[[Event, StopWish], None] = lambda event, wish: None) -> tuple[TrainState, str]:
        """One start of the run to its end; the last state and the hash of what was learned."""
        learner = make_learner(Start(find_base(str(self.base))), SETTINGS, "fp32", "cpu", seed=7)
        choice = choose_batch(SETTINGS)
        decided = StageDecided(batch=choice.batch, accumulate=choice.accumulate)
        stage = Recipe(shelf=("book.txt",), train=SETTINGS).curriculum[0]
        wish = StopWish()
        self.starts += 1
        with EventLog(self.folder.events_file) as log:
            session = Session(self.folder, log, wish, lambda event: hear(event, wish), (stage.name,), Alarms([stage]))

            def save(learner: Learner, state: TrainState, target: Path) -> None:
                self.saved[target.relative_to(self.folder.path).as_posix()] = digest(learner.model)

            def after(learner: Learner, state: TrainState) -> None:
                self.after.append((state.part, state.step))

            at = standing(self.folder, [stage])
            if self.starts > 1:
                tell_resume(session, at)
            parts = [Part(number, *rows) for number, rows in enumerate(zip(ROWS, HELD_OUT, strict=True))]

            def keep(settled: StageDecided, alone: bool) -> None:
                assert not alone
                self.kept.append(settled)

            state, learner = train_parts(
                session, learner, stage, decided, 7, at.state, at.checkpoint, parts, after, save, keep, lambda: learner
            )
        return state, digest(learner.model)

    def losses(self) -> list[tuple[int, int, object]]:
        events = read_events(self.folder.events_file)
        return [(e.part, e.step, e.values["loss"]) for e in events if e.kind in ("step", "validation")]


@pytest.fixture(scope="module")
def straight(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, TrainState, str]:
    run = Run(tiny_base, tmp_path_factory.mktemp("straight") / "run")
    return (run, *run.start())


def steps_of(part: int) -> int:
    return part_steps(len(ROWS[part]), SETTINGS, choose_batch(SETTINGS))


def test_every_part_is_trained_saved_and_shown_in_turn(straight: tuple[Run, TrainState, str]) -> None:
    run, state, weights = straight
    ends = [sum(steps_of(p) for p in range(part + 1)) for part in range(3)]
    assert run.after == list(enumerate(ends))
    assert list(run.saved) == [f"stages/01-train/part-{n:02d}" for n in (1, 2, 3)]
    assert len(set(run.saved.values())) == 3
    assert run.saved["stages/01-train/part-03"] == weights
    assert (state.part, state.step) == (2, ends[-1])
    kinds = [event.kind for event in read_events(run.folder.events_file)]
    assert kinds.count("part_start") == kinds.count("part_end") == 3
    assert "resume" not in kinds


def test_each_part_has_a_schedule_of_its_own(straight: tuple[Run, TrainState, str]) -> None:
    events = [e for e in read_events(straight[0].folder.events_file) if e.kind == "step"]
    for part in range(3):
        rates = [event.values["learning_rate"] for event in events if event.part == part]
        assert rates == [learning_rate_at(n, steps_of(part), SETTINGS) for n in range(steps_of(part))]


def assert_same(run: Run, ended: tuple[TrainState, str], straight: tuple[Run, TrainState, str]) -> None:
    first, state, weights = straight
    assert ended[1] == weights
    assert (ended[0].step, ended[0].tokens) == (state.step, state.tokens)
    assert run.losses() == first.losses()
    assert run.saved["stages/01-train/part-03"] == first.saved["stages/01-train/part-03"]


@pytest.mark.parametrize("kind", ["part_start", "validation", "step", "part_end", "checkpoint"])
def test_stopped_in_every_part_it_ends_with_the_same_bits(
    kind: str, tiny_base: Path, tmp_path: Path, straight: tuple[Run, TrainState, str]
) -> None:
    run = Run(tiny_base, tmp_path / "run")
    waiting = [0, 1, 2] if kind != "part_end" else [0, 1]

    def stop(event: Event, wish: StopWish) -> None:
        if event.kind == kind and waiting and event.part == waiting[0] and wish.reason is None:
            waiting.pop(0)
            wish.heard(signal.SIGTERM, None)

    for _ in range(3 if kind != "part_end" else 2):
        with pytest.raises(Stopped):
            run.start(stop)
    assert_same(run, run.start(stop), straight)


class Crash(Exception):
    """Stands for kill -9."""


@pytest.mark.parametrize("moment", [("part_start", 1), ("part_end", 0), ("checkpoint", 1), ("part_end", 2)])
def test_after_a_crash_at_the_edge_of_a_part_it_ends_with_the_same_bits(
    moment: tuple[str, int], tiny_base: Path, tmp_path: Path, straight: tuple[Run, TrainState, str]
) -> None:
    run = Run(tiny_base, tmp_path / "run")

    def crash(event: Event, wish: StopWish) -> None:
        if (event.kind, event.part) == moment:
            raise Crash

    with pytest.raises(Crash):
        run.start(crash)
    assert_same(run, run.start(), straight)


def test_a_damaged_checkpoint_is_told_of_and_the_one_before_is_used(
    tiny_base: Path, tmp_path: Path, straight: tuple[Run, TrainState, str]
) -> None:
    run = Run(tiny_base, tmp_path / "run")

    def stop(event: Event, wish: StopWish) -> None:
        if event.part == 1 and event.kind == "step" and wish.reason is None:
            wish.heard(signal.SIGINT, None)

    with pytest.raises(Stopped):
        run.start(stop)
    (list_checkpoints(run.folder.checkpoints)[-1] / "weights.safetensors").write_bytes(b"torn")
    heard: list[Event] = []
    ended = run.start(lambda event, wish: heard.append(event))
    assert_same(run, ended, straight)
    warning = next(event for event in heard if event.kind == "warning")
    assert "weights.safetensors" in str(warning.values["text"])
    assert next(event for event in heard if event.kind == "resume").values["checkpoint"] is not None


def test_with_all_checkpoints_damaged_it_starts_over(
    tiny_base: Path, tmp_path: Path, straight: tuple[Run, TrainState, str]
) -> None:
    run = Run(tiny_base, tmp_path / "run")
    with pytest.raises(Stopped):
        run.start(lambda event, wish: wish.heard(signal.SIGINT, None) if event.step == 3 and not wish.reason else None)
    for folder in list_checkpoints(run.folder.checkpoints):
        (folder / "state.json").unlink()
    assert_same(run, run.start(), straight)


def test_a_part_that_teaches_nothing_is_found_before_the_first_is_trained(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "HELD_OUT", [*HELD_OUT[:2], toy_rows(())])
    run = Run(tiny_base, tmp_path / "run")
    with pytest.raises(GuardError, match="no text is held out"):
        run.start()
    assert run.losses() == []
