"""Faults of disks: `make fault-test`, or `python -m benchmarks.faults [--only NAME] [--seed S] [--all]`.

prefixes  one run, watched call by call; before every operation, what a crash of the machine may leave (`disk.py`)
failing   a disk that is full, fails once or for good, or turns read-only, from any of its system calls on
damage    bits flipped, files cut, emptied, zeroed or removed in checkpoints, voices and prepared data

After each the same command must end in the same bytes.  Exit code 1 if anything differs.  Linux.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.damage import KINDS, Damaged, break_one, files_of, stopped_runs
from benchmarks.failing import FAULTS, Failed, fail, positions
from benchmarks.little_runs import CONFIGURATIONS, RUN, make_earlier, prepare, result_of, settings_of
from benchmarks.prefixes import record, replay
from benchmarks.syscalls import is_supported

SHORTER = {"train.steps": "3"}  # of runs without stages: their operations are the same, only fewer times
PARTS = ("prefixes", "failing", "damage")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the parts asked for, print what came of each; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--only", action="append", choices=list(CONFIGURATIONS), help="this configuration alone")
    parser.add_argument("--seed", type=int, default=None, help="of what is drawn (default: a new one each time)")
    parser.add_argument("--count", type=int, default=8, help="runs for each part or kind of fault (default: 8)")
    parser.add_argument("--all", action="store_true", help="fail at every operation, damage every file: hours")
    asked = parser.parse_args(arguments)
    if not is_supported():
        print("this system does not tell another process of system calls: nothing was tried")
        return 0
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="quire-faults-") as folder:
        home = Path(folder)
        base = prepare(home)
        for name in asked.only or ("plain", "stages"):
            if name == "earlier voice":
                make_earlier(home, base)
            settings = settings_of(name, base)
            if not settings["book"].endswith(".yaml") and "train.epochs" not in settings:
                settings |= SHORTER
            for part in asked.parts:
                started = time.monotonic()
                said, found = _PARTS[part](settings, home, home / f"{name} {part}", random.Random(seed), asked)
                faults += found
                print(f"{name:12}{part:10}{time.monotonic() - started:6.0f} s  {said}, {len(found)} faults", flush=True)
                for line in found:
                    print(f"    {line}", flush=True)
    print(f"{len(faults)} faults")
    return 1 if faults else 0


def prefixes(
    settings: dict[str, str], home: Path, place: Path, dice: random.Random, asked: argparse.Namespace
) -> tuple[str, list[str]]:
    """Every prefix of the run's operations."""
    place.mkdir()
    found = replay(settings, home, place, dice, 0 if asked.count == 0 else asked.count)
    resumed = ", ".join(f"{count} {kind}" for kind, count in found.resumed.items())
    return f"{found.operations} operations, {found.states} states, gone on from: {resumed}", found.faults


def failing(
    settings: dict[str, str], home: Path, place: Path, dice: random.Random, asked: argparse.Namespace
) -> tuple[str, list[str]]:
    """Every kind of fault, at `asked.count` operations."""
    place.mkdir()
    operations = record(settings, home, place / "recorded")
    expected = result_of(place / "recorded" / RUN)
    found = Failed()
    for fault in FAULTS:
        for at in positions(operations, fault, 0 if asked.all else asked.count, dice):
            fail(settings, home, place / "failing", expected, fault, at, found)
    ends = ", ".join(f"{count} × {end}" for end, count in found.ends.items())
    return f"{len(operations)} operations: {ends}", found.faults


def damage(
    settings: dict[str, str], home: Path, place: Path, dice: random.Random, asked: argparse.Namespace
) -> tuple[str, list[str]]:
    """Files of a run that was stopped at some moments, and of one that is done."""
    place.mkdir()
    started = time.monotonic()
    record(settings, home, place / "recorded")
    life = time.monotonic() - started
    expected = result_of(place / "recorded" / RUN)
    found = Damaged()
    for stopped in stopped_runs(settings, home, place, [life * share for share in (0.5, 0.7, 0.85)] + [10 * life]):
        files = files_of(stopped / RUN)
        cases = [([file], kind) for file in files for kind in KINDS]
        if not asked.all:
            cases = dice.sample(cases, min(asked.count, len(cases)))
        if all_of_them := [file for file in files if file.parts[0] == "checkpoints"]:
            cases.append((all_of_them, "flipped"))
        for broken, kind in cases:
            break_one(settings, home, stopped, expected, broken, kind, dice, found)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(found.done.items())), found.faults


_PARTS = {"prefixes": prefixes, "failing": failing, "damage": damage}


if __name__ == "__main__":
    sys.exit(main())
