"""Read every file of some folders as `quire read` would, and tell whether any of them did harm.

    python -m benchmarks.hostile --made ../shared/data/hostile more/malformed/files

`--made` reads what `fuzz/bombs.py` makes: bombs, nesting without end, and files of every kind cut off; `--large`
files of a gigabyte.  `--speed` reads nothing hostile: it tells what the walls cost small healthy files.

A file may be read or refused.  What it may not do: end this process, raise anything but BookError, take longer than its
limits, or be refused without a reason that programs understand.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fuzz import bombs, seeds
from quire.books.kinds import guess_kind
from quire.books.limits import MIB, PLAIN, Limits
from quire.books.readers import KINDS, read_kind
from quire.books.reading import read_path
from quire.books.walls import child
from quire.errors import BOOK_FAULTS, BookError

# For the start of a process and for what this one does itself.
GRACE_SECONDS = 3.0
GRACE_MEMORY = 256 * MIB


@dataclass(frozen=True)
class Outcome:
    """What became of a file: `read` or the code of its refusal, with the most memory that its child had."""

    path: str
    code: str
    reason: str
    words: int
    seconds: float
    memory: int
    violation: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read everything; exit code 1 where something did harm."""
    parser = argparse.ArgumentParser(prog="benchmarks.hostile", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--made", action="store_true", help="also what fuzz/bombs.py makes")
    parser.add_argument("--large", action="store_true", help="also files of a gigabyte, made one after the other")
    parser.add_argument("--speed", action="store_true", help="only what the walls cost")
    parser.add_argument("--memory", type=int, default=4096, help="address space of this process, MiB (as ulimit -v)")
    parser.add_argument("--json", type=Path, help="write every outcome there, one object a line")
    parser.add_argument("--most", type=int, default=0, help="at most so many files of each folder")
    given = parser.parse_intermixed_args(arguments)
    if given.speed:
        print("\n".join(speed()))
        return 0
    resource.setrlimit(resource.RLIMIT_AS, (given.memory * MIB, given.memory * MIB))
    outcomes: list[Outcome] = []
    if given.made:
        with tempfile.TemporaryDirectory() as folder:
            outcomes += [read(path) for path in bombs.write(Path(folder))]
        show("made here", outcomes)
    if given.large:
        with tempfile.TemporaryDirectory() as folder:
            huge = [read(path) for path in bombs.large(Path(folder), Limits().file - MIB)]
        outcomes += huge
        show("large", huge)
    for folder in given.folders:
        found = [read(path) for path in files(folder, given.most)]
        outcomes += found
        show(str(folder), found)
    if len(given.folders) + given.made + given.large > 1:
        show("all", outcomes)
    print("\n".join(table(outcomes)))
    if given.json:
        given.json.write_text("".join(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes), encoding="utf-8")
    return 1 if any(outcome.violation for outcome in outcomes) else 0


def files(folder: Path, most: int = 0) -> Iterator[Path]:
    """The files under a folder, in order, spread evenly where only some are wanted."""
    found = sorted(path for path in folder.rglob("*") if not path.is_dir()) if folder.is_dir() else [folder]
    step = max(1, len(found) // most) if most else 1
    yield from found[::step][: most or None]


def read(path: Path) -> Outcome:
    """Read one file, and look what that did."""
    peaks: list[int] = []
    inner = child._books

    def watched(task: child.Task, ended: child.Ended) -> list[child.Book]:
        peaks.append(ended.memory)
        return inner(task, ended)

    child._books = watched
    began = time.monotonic()
    words, code, reason, violation = 0, "read", "", ""
    try:
        words = sum(book.words for book in read_path(path))
    except BookError as error:
        code, reason = error.code, error.what
        violation = _untyped(error)
    except BaseException as error:
        code, reason, violation = "escaped", repr(error)[:200], "another exception than BookError"
    finally:
        child._books = inner
    seconds = time.monotonic() - began
    memory = max(peaks, default=0)
    limits = Limits()
    # A table's seconds begin anew with every row.
    if seconds > limits.seconds + GRACE_SECONDS and code != "read" and guess_kind(path) != "jsonl":
        violation = "longer than its limits"
    if memory > limits.memory + GRACE_MEMORY:
        violation = "more memory than its limits"
    return Outcome(str(path), code, reason, words, round(seconds, 3), memory, violation)


def _untyped(error: BookError) -> str:
    """What is wrong with a refusal, if anything."""
    if error.code not in BOOK_FAULTS:
        return "an unknown code"
    if "\n" in error.what or not error.what.strip() or "Traceback" in error.what:
        return "a reason that is not one line"
    return "" if error.then else "no next step"


def show(name: str, outcomes: Sequence[Outcome]) -> None:
    """How many ended how, the slowest and the largest, and every violation."""
    codes = Counter(outcome.code for outcome in outcomes)
    print(f"{name}: {len(outcomes)} files")
    print("  " + ", ".join(f"{code} {count}" for code, count in codes.most_common()))
    for title, worst in (
        ("slowest", max(outcomes, key=lambda outcome: outcome.seconds, default=None)),
        ("largest", max(outcomes, key=lambda outcome: outcome.memory, default=None)),
    ):
        if worst is not None:
            print(f"  {title}: {worst.seconds:.2f} s, {worst.memory / MIB:.0f} MB ({Path(worst.path).name})")
    print(f"  this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")
    for outcome in outcomes:
        if outcome.violation:
            print(f"  VIOLATION {outcome.violation}: {outcome.path} ({outcome.code}: {outcome.reason})")
    sys.stdout.flush()


def speed(rounds: int = 20) -> list[str]:
    """Lines: how long the first file waits, and the same small files of each kind with the walls and without."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for kind in KINDS:
            paths.append(Path(folder) / f"small.{'xml' if kind == 'tei' else kind}")
            paths[-1].write_bytes(seeds.seeds()[kind][0])
        first = _seconds(lambda: read_path(paths[0]))
        load = os.getloadavg()[0]
        lines = [
            f"first file: {1000 * first:.0f} ms; load {load:.1f} on {os.cpu_count()} cores; else median (quickest)"
        ]
        for kind, path in zip(KINDS, paths, strict=True):
            walled = _times(lambda path=path: read_path(path), rounds)
            bare = _times(lambda path=path, kind=kind: read_kind(kind, path, PLAIN), rounds)
            lines.append(f"{kind}: walled {walled}, unwalled {bare}")
    return lines


def _times(work: Callable[[], object], rounds: int) -> str:
    """The usual time and the best, which a busy machine disturbs least; the first round loads what is needed."""
    times = [_seconds(work) for _ in range(rounds + 1)][1:]
    usual, best = statistics.median(times), min(times)
    return f"{1000 * usual:.1f} ms ({1000 * best:.1f} ms, {1 / best:.0f} files/s)"


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Lines of a table: for each kind of file, by its name, how many ended how."""
    counts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        counts.setdefault(guess_kind(Path(outcome.path)) or "other", Counter())[outcome.code] += 1
    codes = [code for code in ("read", *BOOK_FAULTS, "escaped") if any(count[code] for count in counts.values())]
    lines = [f"| kind | files | {' | '.join(codes)} |", "|---" * (len(codes) + 2) + "|"]
    for kind, count in sorted(counts.items()):
        lines.append(f"| {kind} | {count.total()} | {' | '.join(str(count[code] or '') for code in codes)} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
