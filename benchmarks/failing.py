"""Disks that are full, fail or turn read-only, at any one system call of a whole small run.

The run must end with two plain lines and exit code 2 (or not care), leave nothing half-written that is taken for whole,
and once the fault is gone the same command must end in the same bytes.
"""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.little_runs import RUN, Result, command, compare, end_of, in_place, result_of, said_in, start_warm
from benchmarks.syscalls import HALF, PASS, Operation, watch

_GROWING = ("create", "write", "truncate", "allocate", "mkdir", "link")
_ALL = (*_GROWING, "open", "sync", "rename", "exchange", "unlink", "rmdir")


@dataclass(frozen=True)
class Fault:
    """A way for a disk to fail: which operations, with what, and whether it stays so; `words` are in the error."""

    name: str
    number: int
    operations: tuple[str, ...]
    lasting: bool
    words: str
    half: bool = False  # of the first write that fails one half is written


FAULTS = (
    Fault("full", errno.ENOSPC, _GROWING, lasting=True, words="disk is full"),
    Fault("full for a moment", errno.ENOSPC, _GROWING, lasting=False, words="disk is full", half=True),
    Fault("failing", errno.EIO, _ALL, lasting=True, words="disk failed"),
    Fault("failing once", errno.EIO, _ALL, lasting=False, words="disk failed"),
    Fault("turned read-only", errno.EROFS, _ALL, lasting=True, words="disk failed"),
)


@dataclass
class Failed:
    """How starts with a failing disk ended, and what was wrong with it."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def fail(
    settings: Mapping[str, str], home: Path, place: Path, expected: Result, fault: Fault, at: int, found: Failed
) -> None:
    """Carry the run out with `fault` from operation `at` on, then without; `found` hears what came of it."""
    place.mkdir()
    hit: list[Operation] = []

    def judge(operation: Operation) -> int:
        if not operation.path.startswith(RUN) or operation.name not in fault.operations or operation.number < at:
            return PASS
        if hit and not fault.lasting and not (fault.half and len(hit) == 1 and hit[0].name == "write"):
            return PASS
        hit.append(operation)
        return HALF if fault.half and len(hit) == 1 and operation.name == "write" else fault.number

    code = os.waitstatus_to_exitcode(watch(in_place(command(settings, home), place), place, judge))
    where = f"{fault.name} at operation {at} ({show(hit[0])})" if hit else f"{fault.name} after the last operation"
    said = said_in(place)
    lines = said.splitlines()[-2:]
    found.ends[f"{fault.name}: exit {code}"] += 1
    if code not in (0, 2):
        found.faults.append(f"{where}: exit code {code}: {said[-900:]}")
    elif code == 2 and not (lines[0].startswith("error: ") and lines[1].startswith("try: ")):
        found.faults.append(f"{where}: not told in two lines: {said[-600:]}")
    elif code == 2 and fault.words not in lines[0]:
        found.faults.append(f"{where}: told as: {lines[0]}")
    if code != 0 and (again := end_of(start_warm(command(settings, home), place))) != 0:
        found.faults.append(f"{where}: afterwards exit code {again}: {said_in(place)[-900:]}")
    else:
        found.faults += [f"{where}: {line}" for line in compare(expected, result_of(place / RUN))]
    shutil.rmtree(place)


def positions(operations: Sequence[Operation], fault: Fault, count: int, dice: random.Random) -> list[int]:
    """Operations to fail at: one of every kind before a second of any, `count` in all (0: every one)."""
    usable = [o for o in operations if o.name in fault.operations and o.path.startswith(RUN)]
    if not count:
        return [operation.number for operation in usable]
    kinds: dict[str, list[int]] = defaultdict(list)
    for operation in usable:
        kinds[show(operation)].append(operation.number)
    for numbers in kinds.values():
        dice.shuffle(numbers)
    order = list(kinds.values())
    dice.shuffle(order)
    rounds = (numbers[depth] for depth in range(max(map(len, order))) for numbers in order if depth < len(numbers))
    return sorted(number for number, _ in zip(rounds, range(count), strict=False))


def show(operation: Operation) -> str:
    """The operation's kind: its name and its path with what differs from run to run left out."""
    path = re.sub(r"\.quire-(new|old)-\d+-[0-9a-f]{8}", r".\1", operation.path)
    path = re.sub(r"\.tmp\w{6}", ".tmp", path)
    return f"{operation.name} {re.sub('[0-9a-f]{16,}|[0-9]+', 'N', path)}"
