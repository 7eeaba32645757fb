"""Promise 3, exact resume: `make crash-test`, or `python -m benchmarks.crash [--kills N] [--seed S] [--only NAME]`.

For each configuration one run is left alone.  Others are ended before their time, started again with the same command,
ended again, until they are done; then voice, losses, samples and card must be those of the run left alone, byte for
byte.  There are five ways to be ended:

cold   SIGKILL to `python -m quire train` as a user starts it, at a random moment between its start and its end
warm   the same to a process that has the libraries loaded already, so that most moments lie within the training
aimed  SIGKILL at a random call within one phase: evaluation, saving, renaming, the edge of a stage, …
file   SIGKILL before a random system call that changes a file of the run folder (Linux)
term   SIGTERM at a random moment: it must end with 75, or as the signal does while Python is still starting

The last table says how often each phase was hit.  Exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.little_runs import (
    CONFIGURATIONS,
    RUN,
    STOPPED,
    EndedBadlyError,
    Result,
    commands,
    compare,
    end_of,
    in_place,
    make_earlier,
    prepare,
    require_end,
    result_of,
    settings_of,
    start_cold,
    start_warm,
)
from benchmarks.phases import NAMES, Watch
from benchmarks.syscalls import KILL, PASS, Operation, is_supported, watch

WAYS = ("cold", "aimed", "file", "warm", "aimed", "term", "aimed", "file")  # in this order, over and over
MORE_KILLS = 6  # of one run at most; then it is left to end, so that its result is seen


@dataclass(frozen=True)
class Life:
    """A run that was left alone: what came of it, how long it took, its calls in every phase, its file operations."""

    expected: Result
    seconds: float
    calls: Mapping[str, int]
    operations: int


@dataclass
class Tally:
    """One line of the table."""

    name: str
    seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    differences: list[str] = field(default_factory=list)


@dataclass
class Torment:
    """What stays the same from one kill to the next, and the count of phases that were hit."""

    home: Path
    dice: random.Random
    ways: Iterator[str]
    cold: float
    hit: Counter[str] = field(default_factory=Counter)
    aims: Counter[str] = field(default_factory=Counter)


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill, resume, compare, print the tables; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crash", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=40, help="over all configurations (default: 40)")
    parser.add_argument("--seed", type=int, default=None, help="of the moments (default: a new one each time)")
    parser.add_argument("--only", action="append", choices=list(CONFIGURATIONS), help="this configuration alone")
    parser.add_argument("--ways", nargs="+", choices=sorted(set(WAYS)), default=WAYS, help="how to kill")
    parser.add_argument("--base", default=None, help="a base to train instead of a tiny one")
    asked = parser.parse_args(arguments)
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    ways = [way for way in asked.ways if way != "file" or is_supported()]
    names = asked.only or list(CONFIGURATIONS)
    print(f"seed {seed}, {asked.kills} kills")
    tallies = []
    with tempfile.TemporaryDirectory(prefix="quire-kills-") as folder:
        home = Path(folder)
        base = prepare(home, asked.base)
        cold = _time_cold(settings_of("plain", base), home) if "cold" in ways or "term" in ways else 0.0
        torment = Torment(home, random.Random(seed), itertools.cycle(ways), cold)
        for number, name in enumerate(names):
            kills = asked.kills // len(names) + (number < asked.kills % len(names))
            if name == "earlier voice":
                make_earlier(home, base)
            tally = Tally(name)
            try:
                end_early(tally, settings_of(name, base), kills, torment)
            except EndedBadlyError as error:
                tally.differences.append(str(error))
            tallies.append(tally)
            show(tally)
    show_phases(torment)
    wrong = [line for tally in tallies for line in tally.differences]
    count = sum(tally.kills.total() for tally in tallies)
    print(f"{count} kills over {sum(tally.runs for tally in tallies)} runs, {len(wrong)} differences")
    return 1 if wrong else 0


def end_early(tally: Tally, settings: Mapping[str, str], kills: int, torment: Torment) -> None:
    """Let one run of this configuration be, and end others before their time `kills` times in all."""
    if not kills:
        return
    name, home = tally.name, torment.home
    life = _left_alone(settings, home, home / f"{name}-0")
    tally.seconds = life.seconds
    while tally.kills.total() < kills:
        tally.runs += 1
        place = home / f"{name}-{tally.runs}"
        turns = commands(settings, home)
        ended = 0
        while turns and tally.kills.total() < kills and ended < MORE_KILLS:
            way = next(torment.ways)
            code = _start(way, turns[0], place, life, torment)
            if code in (-signal.SIGKILL, -signal.SIGTERM, STOPPED):
                tally.kills[way] += 1
                ended += 1
            else:
                require_end(code, place)
                turns = turns[1:]
        for arguments in turns:
            require_end(end_of(start_warm(arguments, place)), place)
        found = compare(life.expected, result_of(place / RUN))
        tally.differences += [f"{name}, run {tally.runs}: {line}" for line in found]
        if not found:
            shutil.rmtree(place)


def _left_alone(settings: Mapping[str, str], home: Path, place: Path) -> Life:
    heard = Watch()
    operations = 0

    def count(operation: Operation) -> int:
        nonlocal operations
        operations = max(operations, operation.number)
        return PASS

    place.mkdir()
    started = time.monotonic()
    for arguments in commands(settings, home):
        if is_supported():
            code = os.waitstatus_to_exitcode(watch(in_place(arguments, place, heard.listen), place, count))
        else:
            code = end_of(start_warm(arguments, place, heard.listen))
        require_end(code, place)
    return Life(result_of(place / RUN), time.monotonic() - started, heard.counts, operations)


def _start(way: str, arguments: Sequence[str], place: Path, life: Life, torment: Torment) -> int:
    """One start that is to be ended this way; how it ended."""
    dice = torment.dice
    place.mkdir(exist_ok=True)
    if way == "file":
        fatal = dice.randrange(life.operations + 1)
        heard = Watch()
        work = in_place(arguments, place, heard.listen)
        code = os.waitstatus_to_exitcode(watch(work, place, lambda o: KILL if o.number == fatal else PASS))
    elif way == "cold":
        return end_of(start_cold(arguments, place), dice.uniform(0.0, torment.cold))
    elif way == "term" and dice.random() < 0.3:
        return end_of(start_cold(arguments, place), dice.uniform(0.0, torment.cold), signal.SIGTERM)
    else:
        heard = Watch()
        aim, moment = None, None
        if way == "aimed":
            # The phase that was aimed at least often so far, of those that this configuration has.
            known = [name for name in NAMES if life.calls[name]]
            phase = min(known, key=lambda name: (torment.aims[name], dice.random()))
            torment.aims[phase] += 1
            aim = (phase, dice.randrange(life.calls[phase]))
        else:
            moment = dice.uniform(0.0, life.seconds)
        process = start_warm(arguments, place, lambda: heard.listen(aim))
        code = end_of(process, moment, signal.SIGTERM if way == "term" else signal.SIGKILL)
    if code == -signal.SIGKILL:
        torment.hit.update(heard.active or ["between phases"])
    return code


def show(tally: Tally) -> None:
    """One line of the table, and its differences."""
    kills = ", ".join(f"{count} {way}" for way, count in sorted(tally.kills.items()))
    verdict = "the same bytes" if not tally.differences else f"{len(tally.differences)} DIFFERENCES"
    print(f"{tally.name:15}{tally.seconds:6.1f} s  {tally.runs:3} runs  {kills:44}{verdict}", flush=True)
    for line in tally.differences:
        print(f"    {line}")


def show_phases(torment: Torment) -> None:
    """How many SIGKILLs hit each phase; one may hit several, such as renaming in a checkpoint at a part's edge."""
    print("phases hit:  " + ", ".join(f"{name} {torment.hit[name]}" for name in (*NAMES, "between phases")))
    if missed := [name for name in NAMES if not torment.hit[name]]:
        print(f"not hit: {', '.join(missed)}")


def _time_cold(settings: Mapping[str, str], home: Path) -> float:
    started = time.monotonic()
    (arguments,) = commands(settings, home)
    require_end(end_of(start_cold(arguments, home / "cold")), home / "cold")
    return time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
