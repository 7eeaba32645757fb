from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.errors import DiskFull, RunError
from quire.run.events import Event, EventLog, forget, read_all_events, read_events


def test_events_are_read_as_they_were_written(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events.jsonl") as log:
        one = log.append("start", values={"name": "château", "list": [1, None, {"a": True}]})
        two = log.append("step", "train", part=1, step=3, values={"loss": 2.5})
    assert read_events(tmp_path / "events.jsonl") == [one, two]
    assert (two.stage, two.part, two.step, two.values) == ("train", 1, 3, {"loss": 2.5})
    assert (tmp_path / "events.jsonl").read_bytes().count(b"\n") == 2


def test_no_file_means_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path / "events.jsonl") == []


def test_unknown_kinds_are_kept(tmp_path: Path) -> None:
    with EventLog(tmp_path / "e") as log:
        log.append("of a later quire", values={"x": 1})
    assert [event.kind for event in read_events(tmp_path / "e")] == ["of a later quire"]


def test_numbers_that_json_lacks_become_null(tmp_path: Path) -> None:
    with EventLog(tmp_path / "e") as log:
        log.append("step", values={"loss": float("nan"), "norms": [float("inf"), 1.0]})
    assert read_events(tmp_path / "e")[0].values == {"loss": None, "norms": [None, 1.0]}


@settings(deadline=None)
@given(cut=st.integers(min_value=0))
def test_line_torn_anywhere_is_left_out_and_later_events_stand(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "e"
    with EventLog(path) as log:
        for step in range(1, 4):
            log.append("step", step=step, values={"text": "é" * 5000})
    data = path.read_bytes()
    path.write_bytes(data[: cut % (len(data) + 1)])
    whole = [event.step for event in read_events(path)]
    assert whole == list(range(1, len(whole) + 1))
    with EventLog(path) as log:
        log.append("step", step=99)
    assert [event.step for event in read_events(path)] == [*whole, 99]


def test_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    (tmp_path / "e").write_text('{"time": 1, "kind": "start"}\nnonsense\n{"time": 2, "kind": "done"}\n')
    with pytest.raises(RunError, match="line 2"):
        read_events(tmp_path / "e")


def test_full_disk_leaves_whole_lines_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(tmp_path / "e")
    log.append("start")
    real = os.write

    def half(handle: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data[:-10])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(DiskFull):
        log.append("step", step=1)
    monkeypatch.undo()
    log.append("step", step=2)
    assert [event.step for event in read_all_events(tmp_path / "e")] == [0, 2]


def test_events_are_brought_to_the_disk_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    with EventLog(tmp_path / "events.jsonl") as log:
        log.sync()
        log.append("step")
        assert synced == []
        log.sync()
        assert len(synced) == 1


def said(*lines: str) -> list[Event]:
    """`"step 0 3"`: kind, part, step; the time tells one event from its repetition."""
    events = []
    for time, line in enumerate(lines):
        kind, part, step = line.split()
        events.append(Event(float(time), kind, "train", int(part), int(step)))
    return events


def shown(events: list[Event]) -> list[str]:
    return [f"{event.kind} {event.part} {event.step}" for event in events]


def test_resume_forgets_the_steps_that_are_taken_again() -> None:
    events = said(
        "start 0 0", "step 0 1", "step 0 2", "checkpoint 0 2", "step 0 3", "resume 0 2", "step 0 3", "step 0 4"
    )
    kept = forget(events)
    assert shown(kept) == [
        "start 0 0", "step 0 1", "step 0 2", "checkpoint 0 2", "resume 0 2", "step 0 3", "step 0 4",
    ]  # fmt: skip
    assert kept[-2].time == 6.0


def test_what_came_after_the_checkpoint_at_its_own_step_happens_again() -> None:
    events = said("step 0 1", "checkpoint 0 1", "validation 0 1", "resume 0 1", "validation 0 1", "step 0 2")
    assert shown(forget(events)) == ["step 0 1", "checkpoint 0 1", "resume 0 1", "validation 0 1", "step 0 2"]


def test_checkpoint_whose_event_was_lost_keeps_its_step() -> None:
    events = said("step 0 1", "step 0 2", "resume 0 2", "step 0 3")
    assert shown(forget(events)) == ["step 0 1", "step 0 2", "resume 0 2", "step 0 3"]


def resumed(validated: bool, step: int) -> Event:
    return Event(0, "resume", "train", 0, step, {"checkpoint": f"{step:07d}", "validated": validated})


@pytest.mark.parametrize("step", [0, 2])
def test_checkpoint_whose_event_was_lost_says_whether_it_saw_the_validation(step: int) -> None:
    before = said(f"step 0 {step}", f"validation 0 {step}")
    assert shown(forget([*before, resumed(True, step)])) == [*shown(before), f"resume 0 {step}"]
    assert shown(forget([*before, resumed(False, step)])) == [f"step 0 {step}", f"resume 0 {step}"]


def test_what_follows_a_checkpoint_whose_event_was_lost_is_told_once() -> None:
    events = [*said("step 0 2", "validation 0 2"), resumed(True, 2), *said("sample 0 2", "part_end 0 2")]
    again = forget([*events, resumed(True, 2), *said("sample 0 2", "part_end 0 2")])
    assert shown(again) == ["step 0 2", "validation 0 2", "resume 0 2", "resume 0 2", "sample 0 2", "part_end 0 2"]


def test_start_over_forgets_all_but_what_concerns_the_run() -> None:
    events = said("start 0 0", "decided 0 0", "stage_start 0 0", "sample 0 0", "step 0 1", "resume 0 0", "sample 0 0")
    assert shown(forget(events)) == ["start 0 0", "decided 0 0", "resume 0 0", "sample 0 0"]


def test_resume_in_an_earlier_part_forgets_the_later_one() -> None:
    events = said(
        "step 0 1", "checkpoint 0 1", "part_end 0 1", "part_start 1 0", "step 1 1", "resume 0 1", "part_end 0 1"
    )
    assert shown(forget(events)) == ["step 0 1", "checkpoint 0 1", "resume 0 1", "part_end 0 1"]


def test_step_of_an_earlier_part_is_not_later_however_high_its_number() -> None:
    events = said("step 0 500", "part_end 0 500", "part_start 1 0", "step 1 1", "checkpoint 1 1", "resume 1 1")
    assert len(forget(events)) == 6


def test_later_stage_counts_as_later_whatever_its_steps() -> None:
    events = [
        Event(0, "checkpoint", "wide", 0, 9),
        Event(1, "step", "narrow", 0, 1),
        Event(2, "resume", "wide", 0, 9),
        Event(3, "step", "narrow", 0, 1),
    ]
    assert [event.time for event in forget(events)] == [0, 2, 3]


@settings(deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=30), max_size=6), st.integers(min_value=1, max_value=5))
def test_interrupted_run_reads_like_one_that_was_not(kills: list[int], save_every: int) -> None:
    """Simulates a run of 20 steps that is killed after some number of further steps, again and again."""
    total, events, clock = 20, [Event(0, "start", "train")], 1.0
    done = saved = 0

    def go(budget: int) -> None:
        nonlocal done, saved, clock
        while done < total and budget:
            done, budget, clock = done + 1, budget - 1, clock + 1
            events.append(Event(clock, "step", "train", 0, done))
            if done % save_every == 0:
                saved = done
                events.append(Event(clock, "checkpoint", "train", 0, done))

    for budget in kills:
        go(budget)
        done = saved
        events.append(Event(clock, "resume", "train", 0, done))
    go(total)
    steps = [event.step for event in forget(events) if event.kind == "step"]
    assert steps == list(range(1, total + 1))
