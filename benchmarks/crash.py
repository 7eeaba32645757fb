"""Promise 3, exact resume: `make crash-test`, or `python -m benchmarks.crash [--kills N] [--seed S] [--only NAME]`.

For each configuration one run is left alone.  Others are ended before their time, started again with the same command,
ended again, until they are done; then voice, losses, samples and card must be those of the run left alone, byte for
byte.  There are five ways to be ended:

cold   SIGKILL to `python -m quire train` as a user starts it, at a random moment between its start and its end
warm   the same to a process that has the libraries loaded already, so that most moments lie within the training
aimed  SIGKILL at a random call within one phase: evaluation, saving, renaming, the edge of a stage, …
file   SIGKILL before a random system call that changes a file of the run folder (Linux)
term   SIGTERM at a random moment: it must end with 75, or as the signal does while Python is still starting

A phase that no kill has hit is aimed at again, in fresh runs, until it is: all of them, unless configurations or ways
were chosen.  Exit code 1 if anything differs, or if a phase is not hit in the end.
"""

from __future__ import annotations

import argparse
import itertools
import math
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
MORE_RUNS = 4  # of a configuration, for a phase that is still to be hit


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
    base: str
    cold: float
    lives: dict[str, Life] = field(default_factory=dict)
    hit: Counter[str] = field(default_factory=Counter)
    aims: Counter[str] = field(default_factory=Counter)


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill, resume, compare, print the tables; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crash", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=40, help="over all configurations (default: 40)")
    parser.add_argument("--seed", type=int, default=None, help="of the moments (default: a new one each time)")
    parser.add_argument("--only", action="append", choices=list(CONFIGURATIONS), help="this configuration alone")
    parser.add_argument("--ways", nargs="+", choices=sorted(set(WAYS)), help="how to kill")
    parser.add_argument(
        "--phases", nargs="*", choices=NAMES, help="phases that must be hit (default: all; with --only or --ways, none)"
    )
    parser.add_argument("--base", default=None, help="a base to train instead of a tiny one")
    asked = parser.parse_args(arguments)
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    ways = [way for way in asked.ways or WAYS if way != "file" or is_supported()]
    names = asked.only or list(CONFIGURATIONS)
    # Every phase is one that some configuration has: there is none that all of them together could miss.
    wanted = asked.phases if asked.phases is not None else [] if asked.only or asked.ways else NAMES
    print(f"seed {seed}, {asked.kills} kills")
    tallies = []
    with tempfile.TemporaryDirectory(prefix="quire-kills-") as folder:
        home = Path(folder)
        base = prepare(home, asked.base)
        cold = _time_cold(settings_of("plain", base), home) if "cold" in ways or "term" in ways else 0.0
        torment = Torment(home, random.Random(seed), itertools.cycle(ways), base, cold)
        for number, name in enumerate(names):
            kills = asked.kills // len(names) + (number < asked.kills % len(names))
            if kills:
                tallies.append(tried(name, kills, torment))
        for phase in wanted:
            tallies += hit_yet(phase, names, torment)
    show_phases(torment)
    missed = [phase for phase in wanted if not torment.hit[phase]]
    wrong = [line for tally in tallies for line in tally.differences]
    kills, runs = sum(tally.kills.total() for tally in tallies), sum(tally.runs for tally in tallies)
    print(f"{kills} kills over {runs} runs, {len(wrong)} differences, {len(missed)} phases missed")
    return 1 if wrong or missed else 0


def hit_yet(phase: str, names: Sequence[str], torment: Torment) -> Iterator[Tally]:
    """One kill aimed at a phase that none has hit so far, in the quickest of the configurations that have it."""
    quick = sorted(names, key=lambda name: torment.lives[name].seconds if name in torment.lives else math.inf)
    for name in quick:
        if torment.hit[phase]:
            return
        if name not in torment.lives or torment.lives[name].calls[phase]:
            yield tried(name, 1, torment, phase)


def tried(name: str, kills: int, torment: Torment, phase: str | None = None) -> Tally:
    """A line of the table: `kills` ends of this configuration, all within `phase` if one is given."""
    tally = Tally(name)
    try:
        end_early(tally, kills, torment, phase)
    except EndedBadlyError as error:
        tally.differences.append(str(error))
    show(tally)
    return tally


def end_early(tally: Tally, kills: int, torment: Torment, phase: str | None) -> None:
    """Let one run of this configuration be, and end others before their time `kills` times in all."""
    name, home = tally.name, torment.home
    settings = settings_of(name, torment.base)
    if name not in torment.lives:
        if name == "earlier voice":
            make_earlier(home, torment.base)
        torment.lives[name] = _left_alone(settings, home, _place(name, home))
    life = torment.lives[name]
    tally.seconds = life.seconds
    if phase is not None and not life.calls[phase]:
        return
    while tally.kills.total() < kills and (phase is None or tally.runs < MORE_RUNS):
        tally.runs += 1
        place = _place(name, home)
        turns = commands(settings, home)
        ended = 0
        while turns and tally.kills.total() < kills and ended < MORE_KILLS:
            way = "aimed" if phase is not None else next(torment.ways)
            code = _start(way, turns[0], place, life, torment, phase)
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


def _place(name: str, home: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=home))


def _left_alone(settings: Mapping[str, str], home: Path, place: Path) -> Life:
    heard = Watch()
    operations = 0

    def count(operation: Operation) -> int:
        nonlocal operations
        operations = max(operations, operation.number)
        return PASS

    started = time.monotonic()
    for arguments in commands(settings, home):
        if is_supported():
            code = os.waitstatus_to_exitcode(watch(in_place(arguments, place, heard.listen), place, count))
        else:
            code = end_of(start_warm(arguments, place, heard.listen))
        require_end(code, place)
    return Life(result_of(place / RUN), time.monotonic() - started, heard.counts, operations)


def _start(way: str, arguments: Sequence[str], place: Path, life: Life, torment: Torment, phase: str | None) -> int:
    """One start that is to be ended this way; how it ended.  `phase` is what to aim at, if that is not to be chosen."""
    dice = torment.dice
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
            # Of the phases that this configuration has: the one hit least often.  A start that goes on has fewer calls
            # than a whole life, so that an aim may miss; then the phase is aimed at again.
            known = [phase] if phase is not None else [name for name in NAMES if life.calls[name]]
            target = min(known, key=lambda name: (torment.hit[name], torment.aims[name], dice.random()))
            torment.aims[target] += 1
            aim = (target, dice.randrange(life.calls[target]))
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
    if unseen := [name for name in NAMES if not torment.hit[name]]:
        print(f"not hit: {', '.join(unseen)}")


def _time_cold(settings: Mapping[str, str], home: Path) -> float:
    started = time.monotonic()
    (arguments,) = commands(settings, home)
    require_end(end_of(start_cold(arguments, home / "cold")), home / "cold")
    return time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
