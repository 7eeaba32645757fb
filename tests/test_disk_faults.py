"""Checkpoints on disks that crash, fill up, fail, flip bits: the newest or the one before loads, nothing by hand.

In small and without a training around them; `make fault-test` does the same to whole runs.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.disk import Disk, lay_out
from benchmarks.syscalls import KILL, PASS, Operation, is_supported, watch

from quire.errors import DiskFault, DiskFull
from quire.run.atomic import remove_leftovers, write_text
from quire.run.events import EventLog, read_events
from quire.training.checkpoints import forget_old, newest, save_checkpoint
from quire.training.optimizers.optimizer import make_optimizer
from quire.training.state import TrainState
from toy import digest, toy_settings

watched = pytest.mark.skipif(not is_supported(), reason="needs seccomp's user notification")
GROWING = ("create", "write", "truncate", "mkdir", "link")
ALL = (*GROWING, "open", "sync", "rename", "exchange", "unlink", "rmdir")
LEAST = 100  # file operations of `train`, at least


def model_at(step: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A small model whose weights tell its step."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(step)
    return model, make_optimizer(model, toy_settings())


def save(run: Path, log: EventLog, step: int, keep: int = 2) -> None:
    """As the loop saves: events first, then the checkpoint, its event, and the old ones go."""
    log.append("step", "train", 0, step, {"loss": 1.0})
    log.sync()
    save_checkpoint(run / "checkpoints", TrainState(step=step), *model_at(step))
    log.append("checkpoint", "train", 0, step, {})
    forget_old(run / "checkpoints", step, keep, None)


def train(run: Path) -> int:
    """What a run writes besides: its recipe, checkpoints (one saved twice), a voice's worth of text."""
    write_text(run / "recipe.yaml", "seed: 7\n")
    with EventLog(run / "events.jsonl") as log:
        for step in (1, 2, 2, 3):
            save(run, log, step)
    write_text(run / "recipe.yaml", "seed: 7\nkept: true\n")
    return 0


def step_of(run: Path) -> int:
    """The step of the checkpoint that the next start would go on from, its weights verified."""
    if run.exists():
        remove_leftovers(run)
    found = newest(run / "checkpoints", lambda problem: None)
    if found is None:
        return -1
    assert all(bool((tensor == found.state.step).all()) for tensor in found.weights.values())
    return found.state.step


def step_told(operation: Operation) -> int:
    """The step of the checkpoint that this operation says is finished; -1 for any other."""
    if operation.name != "write" or b'"checkpoint"' not in operation.data:
        return -1
    return int(json.loads(operation.data)["step"])


@watched
def test_whatever_a_crash_leaves_the_last_checkpoint_that_was_finished_loads(tmp_path: Path) -> None:
    told: list[Operation] = []

    def hear(operation: Operation) -> int:
        told.append(operation)
        return PASS

    assert watch(lambda: train(tmp_path / "run"), tmp_path, hear) == 0
    disk, saved, seen = Disk(), -1, set()
    dice = random.Random(5)
    for operation in told:
        for kind, tree in disk.states(dice, 1):
            mark = hash((saved, tuple(sorted(tree.items(), key=lambda pair: pair[0]))))
            if mark in seen:
                continue
            seen.add(mark)
            lay_out(tree, tmp_path / "left")
            assert step_of(tmp_path / "left" / "run") >= saved, (kind, operation)
            events = read_events(tmp_path / "left" / "run" / "events.jsonl")
            assert {event.step for event in events if event.kind == "step"} >= set(range(1, saved + 1))
            shutil.rmtree(tmp_path / "left")
        disk.hear(operation)
        saved = max(saved, step_told(operation))
    assert saved == 3
    assert len(seen) > 200


@dataclass(frozen=True)
class Fault:
    number: int
    error: type[Exception]
    lasting: bool
    operations: tuple[str, ...]


FAULTS = {
    "full": Fault(errno.ENOSPC, DiskFull, True, GROWING),
    "failing once": Fault(errno.EIO, DiskFault, False, ALL),
    "read-only": Fault(errno.EROFS, DiskFault, True, ALL),
}


def fail(run: Path, fault: Fault, at: int) -> bool:
    """A run on a disk that fails from operation `at` on, and the run after it; False once no operation is left."""
    hit, saved = False, -1

    def judge(operation: Operation) -> int:
        nonlocal hit, saved
        if operation.number >= at and operation.name in fault.operations and (fault.lasting or not hit):
            hit = True
            return fault.number
        saved = max(saved, step_told(operation))
        return PASS

    def work() -> int:
        try:
            return train(run)
        except fault.error:
            return 2

    # What is on its way out when the disk fails goes at the next start.
    assert os.waitstatus_to_exitcode(watch(work, run, judge)) in (0, 2), at
    assert step_of(run) >= saved, at
    train(run)
    assert step_of(run) == 3
    assert not list(run.rglob(".*.quire-*"))
    return hit


def kill(run: Path, at: int) -> bool:
    """A run that is killed before operation `at`; False where it has no such operation."""
    saved = -1

    def judge(operation: Operation) -> int:
        nonlocal saved
        if operation.number == at:
            return KILL
        saved = max(saved, step_told(operation))
        return PASS

    killed = os.WIFSIGNALED(watch(lambda: train(run), run, judge))
    assert step_of(run) >= saved, at
    return killed


@watched
@pytest.mark.parametrize("name", FAULTS)
def test_a_disk_that_fails_is_told_and_costs_no_finished_checkpoint(tmp_path: Path, name: str) -> None:
    for at in random.Random(name).sample(range(LEAST), 4):
        fail(tmp_path / f"run-{at}", FAULTS[name], at)


@watched
def test_killed_between_two_calls_a_finished_checkpoint_loads(tmp_path: Path) -> None:
    for at in random.Random(3).sample(range(LEAST), 6):
        assert kill(tmp_path / f"run-{at}", at)


@watched
@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_disk_may_fail_at_every_call(tmp_path: Path, name: str) -> None:
    at = 0
    while fail(tmp_path / f"run-{at}", FAULTS[name], at):
        at += 1
    assert at > LEAST / 2


@watched
@pytest.mark.slow
def test_a_kill_may_come_between_any_two_calls(tmp_path: Path) -> None:
    at = 0
    while kill(tmp_path / f"run-{at}", at):
        at += 1
    assert at > LEAST


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("two") / "run"
    with EventLog(run / "events.jsonl") as log:
        save(run, log, 1)
        save(run, log, 2)
    return run


FILES = ("manifest.json", "state.json", "weights.safetensors", "optimizer.safetensors", "random.safetensors")


def change(two: Path, place: Path, step: int, name: str, edit: Callable[[bytearray], None]) -> tuple[int, list[str]]:
    """Edit a file in a copy; the step that then loads, and what was complained of."""
    shutil.copytree(two, place)
    try:
        file = place / "checkpoints" / f"{step:07d}" / name
        data = bytearray(file.read_bytes())
        edit(data)
        file.write_bytes(data)
        problems: list[str] = []
        found = newest(place / "checkpoints", problems.append)
        assert found is not None
        assert all(bool((tensor == found.state.step).all()) for tensor in found.weights.values())
        return found.state.step, problems
    finally:
        shutil.rmtree(place)


@settings(max_examples=40)
@given(name=st.sampled_from(FILES), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found(two: Path, tmp_path: Path, name: str, place: float, bit: int) -> None:
    def flip(data: bytearray) -> None:
        data[int(place * len(data))] ^= 1 << bit

    step, problems = change(two, tmp_path / "run", 2, name, flip)
    # Another blank between the words of a manifest changes nothing that it says.
    assert step == 1 or (name == "manifest.json" and not problems)
    assert all("0000002" in problem for problem in problems)
    assert len(problems) == 2 - step


@settings(max_examples=40)
@given(name=st.sampled_from(FILES), share=st.floats(0, 1, exclude_max=True))
def test_a_cut_anywhere_is_found(two: Path, tmp_path: Path, name: str, share: float) -> None:
    def cut(data: bytearray) -> None:
        del data[int(share * (len(data) - 1)) :]

    step, problems = change(two, tmp_path / "run", 2, name, cut)
    assert (step, len(problems)) == (1, 1)


def test_damage_to_the_older_one_is_nobody_s_concern(two: Path, tmp_path: Path) -> None:
    for name in FILES:
        assert change(two, tmp_path / "run", 1, name, bytearray.clear) == (2, [])


def test_a_model_that_goes_on_from_it_is_the_model_that_was_saved(two: Path) -> None:
    found = newest(two / "checkpoints", pytest.fail)
    assert found is not None
    assert set(found.weights) == set(dict(model_at(2)[0].named_parameters()))
    assert digest(model_at(2)[0]) != digest(model_at(1)[0])
