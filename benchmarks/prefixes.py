"""Every prefix of a run's file operations: the disk as a crash of the machine would leave it, and the run after it.

One run is watched call by call.  For the moment before each of its operations, `benchmarks.disk` draws what may stand
on the disk then.  In each such state the newest checkpoint that loads must be at least the last that was finished, and
in a sample of them the same command must end in the same bytes.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.disk import Disk, Tree, lay_out
from benchmarks.little_runs import RUN, command, compare, end_of, in_place, result_of, said_in, start_warm
from benchmarks.syscalls import PASS, Operation, watch
from quire.errors import QuireError
from quire.run.atomic import remove_leftovers
from quire.run.events import read_events
from quire.run.folder import RunFolder
from quire.training.checkpoints import newest
from quire.verbs.stages.resume import earlier_start

MIXED = 3  # drawn states for each prefix, beside the extremes


@dataclass
class Replayed:
    """What came of it."""

    operations: int = 0
    states: int = 0
    different: int = 0
    resumed: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def record(settings: Mapping[str, str], home: Path, place: Path) -> list[Operation]:
    """Carry the run out in `place` and tell everything that it did to files there."""
    told: list[Operation] = []

    def hear(operation: Operation) -> int:
        told.append(operation)
        return PASS

    place.mkdir()
    code = os.waitstatus_to_exitcode(watch(in_place(command(settings, home), place), place, hear))
    assert code == 0, said_in(place)
    return [operation for operation in told if operation.path != "log"]


def states(operations: list[Operation], dice: random.Random) -> Iterator[tuple[int, str, int, Tree]]:
    """For every prefix: its length, the kind of state, the step of the last checkpoint told, and what is there."""
    disk, saved = Disk(), -1
    seen: set[int] = set()
    for number, operation in enumerate([*operations, None]):
        for kind, tree in disk.states(dice, MIXED):
            mark = _mark(saved, tree)
            if mark not in seen:
                seen.add(mark)
                yield number, kind, saved, tree
        if operation is not None:
            disk.hear(operation)
            saved = max(saved, _told_step(operation))


def replay(settings: Mapping[str, str], home: Path, place: Path, dice: random.Random, resumes: int) -> Replayed:
    """Record one run; check every state, and in `resumes` of them, spread over kinds and moments, go on to the end."""
    operations = record(settings, home, place / "recorded")
    expected = result_of(place / "recorded" / RUN)
    found = Replayed(len(operations))
    kept: list[tuple[int, str, Tree]] = []
    shaken, known = place / "shaken", set[bytes]()
    for number, kind, saved, tree in states(operations, dice):
        found.states += 1
        lay_out(tree, shaken)
        if (fault := _fault(shaken / RUN, saved, known)) is not None:
            found.faults.append(f"before operation {number} ({_name(operations, number)}), {kind}: {fault}")
        shutil.rmtree(shaken)
        kept.append((number, kind, tree))
    for number, kind, tree in dice.sample(kept, min(resumes, len(kept))):
        lay_out(tree, shaken)
        code = end_of(start_warm(command(settings, home), shaken))
        where = f"before operation {number} ({_name(operations, number)}), {kind}"
        if code != 0:
            found.faults.append(f"{where}: exit code {code}: {said_in(shaken)[-600:]}")
        else:
            found.faults += [f"{where}: {line}" for line in compare(expected, result_of(shaken / RUN))]
        found.resumed[kind] += 1
        shutil.rmtree(shaken)
    return found


def _fault(run: Path, saved: int, known: set[bytes]) -> str | None:
    """What is wrong with this state, as the next start would find it; `known` are recipes that were read before."""
    complaints: list[str] = []
    if run.exists():
        remove_leftovers(run)
    checkpoint = newest(run / "checkpoints", complaints.append)
    step = -1 if checkpoint is None else checkpoint.state.step
    if step < saved:
        return f"step {saved} was saved, {step} is what loads {complaints}"
    try:
        recipe = (run / "recipe.yaml").read_bytes() if (run / "recipe.yaml").exists() else b""
        if recipe not in known:
            earlier_start(RunFolder(run))
            known.add(recipe)
        read_events(run / "events.jsonl")
    except QuireError as error:
        return f"the next start would end with: {error}"
    return None


def _told_step(operation: Operation) -> int:
    """The step of the checkpoint that this operation says is saved; -1 for any other."""
    if operation.name != "write" or not operation.path.endswith("events.jsonl"):
        return -1
    event = json.loads(operation.data)
    return int(event["step"]) if event["kind"] == "checkpoint" else -1


def _name(operations: list[Operation], number: int) -> str:
    if number == len(operations):
        return "the end"
    operation = operations[number]
    return f"{operation.name} {operation.path}"


def _mark(saved: int, tree: Tree) -> int:
    return hash((saved, tuple(sorted((path, hash(content)) for path, content in tree.items()))))
