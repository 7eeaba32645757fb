"""Flipped bits, cut and missing files in a run's checkpoints, voices and prepared data.

The same command must go on by itself from what is whole, name what was damaged, and end in the same bytes; never a
traceback, nothing by hand.
"""

from __future__ import annotations

import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.little_runs import (
    RUN,
    STOPPED,
    Result,
    commands,
    compare,
    end_of,
    require_end,
    result_of,
    said_in,
    start_warm,
)
from quire.run.events import read_all_events, read_events
from quire.training.checkpoints import list_checkpoints

KINDS = ("flipped", "cut", "emptied", "removed", "zeroed")
ROOTS = ("checkpoints", "voice", "stages", "prepared", "bases")


@dataclass
class Damaged:
    """What came of runs whose files were damaged."""

    done: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def files_of(run: Path) -> list[Path]:
    """Every file that a later start may read, relative to the run."""
    return [
        path.relative_to(run)
        for root in ROOTS
        for path in sorted((run / root).rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]


def damage(file: Path, kind: str, dice: random.Random) -> None:
    """Change the file in place, as a bad disk would: hard links to it change too."""
    data = bytearray(file.read_bytes())
    if kind == "removed":
        file.unlink()
        return
    match kind:
        case "flipped" if data:
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        case "cut":
            del data[dice.randrange(len(data)) if data else 0 :]
        case "emptied":
            data.clear()
        case "zeroed":
            start = dice.randrange(len(data) or 1)
            data[start:] = bytes(len(data) - start)
    with file.open("r+b") as handle:
        handle.truncate(0)
        handle.write(data)


def stopped_runs(settings: Mapping[str, str], home: Path, place: Path, moments: Sequence[float]) -> Iterator[Path]:
    """Copies of one run as it stands when SIGTERM comes at these moments (seconds of its life), and when it is done."""
    for number, moment in enumerate(moments):
        stopped = place / f"stopped-{number}"
        (arguments,) = commands(settings, home)
        code = end_of(start_warm(arguments, stopped), moment, signal.SIGTERM)
        if code in (STOPPED, -signal.SIGTERM):
            yield stopped
        else:
            require_end(code, stopped)
            yield stopped
            return


def break_one(
    settings: Mapping[str, str],
    home: Path,
    stopped: Path,
    expected: Result,
    files: Sequence[Path],
    kind: str,
    dice: random.Random,
    found: Damaged,
) -> None:
    """Damage `files` of a copy of the run in `stopped`, give the same command, and hear what comes of it."""
    place = stopped.with_name(f"{stopped.name}-broken")
    shutil.copytree(stopped, place, symlinks=True)
    for file in files:
        damage(place / RUN / file, kind, dice)
    (arguments,) = commands(settings, home)
    told = len(read_all_events(place / RUN / "events.jsonl"))
    code = end_of(start_warm(arguments, place))
    where = f"{', '.join(map(str, files[:3]))}{' and more' if len(files) > 3 else ''} {kind}, {stopped.name}"
    if code != 0:
        found.faults.append(f"{where}: exit code {code}: {said_in(place)[-900:]}")
    else:
        events = read_all_events(place / RUN / "events.jsonl")[told:]
        warned = any(str(e.values["text"]).find(str(files[0].parent)) >= 0 for e in events if e.kind == "warning")
        lines = compare(expected, result_of(place / RUN))
        # What nothing goes on from stays damaged, but not unsaid; of a run that is done the voice alone is looked at.
        stays = warned or (is_done(stopped / RUN) and files[0].parts[0] != "voice")
        found.faults += [f"{where}: {line}" for line in lines if not (stays and line.startswith(str(files[0])))]
        if not warned and must_be_told(stopped / RUN, files):
            found.faults.append(f"{where}: nobody was told")
    found.done[f"{files[0].parts[0]} {kind}"] += 1
    shutil.rmtree(place)


def must_be_told(run: Path, files: Sequence[Path]) -> bool:
    """Whether the next start looks at the file: it goes on from the newest checkpoint, unless there is nothing left."""
    if is_done(run):
        return False
    checkpoints = list_checkpoints(run / "checkpoints")
    return bool(checkpoints) and any(file.parts[:2] == ("checkpoints", checkpoints[-1].name) for file in files)


def is_done(run: Path) -> bool:
    """Whether nothing is left to be trained."""
    return any(event.kind == "done" for event in read_events(run / "events.jsonl"))
