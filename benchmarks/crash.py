"""Promise 3, exact resume: `make crash-test`, or `python -m benchmarks.crash [--kills N] [--seed S] [--only NAME]`.

For each configuration one run is left alone.  Others are killed with SIGKILL, started again with the same command,
killed again, until they are done; then voice, losses, samples and card must be those of the run left alone, byte
for byte.  There are three ways to be killed:

cold   `python -m quire train` as a user starts it, at a random moment between its start and its end
warm   a process that has the libraries loaded already, so that most moments lie within the training
file   the same, just before it opens, renames or removes its n-th file in the run folder: inside saves

Exit code 1 if anything differs.  On Linux and macOS.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quire.cli.app import run as quire
from quire.recipe.schema import Fresh
from quire.run.events import read_events

RUN = "run"
WAYS = ("cold", "warm", "file", "warm", "file")  # in this order, over and over
MORE_KILLS = 6  # of one run at most; then it is left to end, so that its result is seen
PATIENCE = 300.0  # seconds until a start counts as hanging
SHAPE = Fresh(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, positions=128, vocabulary=400)

COMMON = {
    "train.precision": "fp32",
    "train.window": "64",
    "train.learning_rate": "5e-3",
    "write.max_new_tokens": "6",
}
CONFIGURATIONS: Mapping[str, Mapping[str, str]] = {
    "plain": {"train.steps": "12", "train.window": "48"},
    "packing": {"book": "songs.jsonl", "train.steps": "10", "train.window": "96", "train.method.lora.dropout": "0.2"},
    "parts": {
        "train.parts": "3",
        "train.epochs": "1",
        "train.effective_batch": "16",
        "train.method.lora.dropout": "0.1",
    },
    "overlap": {"train.stride": "40", "train.overlap": "context", "train.steps": "10", "train.log_every": "3"},
    "accumulate": {"train.batch": "2", "train.accumulate": "3", "train.steps": "10", "train.schedule": "linear"},
    "dora": {"train.method": "{lora: {dora: true, dropout: 0.3, bias: all, rank: 4}}", "train.steps": "8"},
    "full": {"train.method": "full", "train.steps": "10", "train.learning_rate": "1e-3"},
    "from nothing": {"base": "{fresh: {hidden: 32, layers: 1, intermediate: 48, positions: 64, vocabulary: 300}}"}
    | {"train.method": "full", "train.steps": "6"},
    "often": {"train.evaluate_every": "1", "train.save_every": "1", "train.keep": "1", "train.steps": "8"},
    "seldom": {"train.evaluate_every": "9", "train.save_every": "4", "train.steps": "12"},
    "early stop": {"train.parts": "2", "train.early_stop": "1", "train.evaluate_every": "2", "train.epochs": "4"}
    | {"train.learning_rate": "1e-1"},
    "bf16": {"train.precision": "bf16", "train.steps": "8", "train.method.lora.dropout": "0.1"},
}


@dataclass(frozen=True)
class Result:
    """What must be the same however often a run was killed."""

    files: Mapping[str, str]
    events: tuple[str, ...]


@dataclass
class Tally:
    """One line of the table."""

    name: str
    seconds: float
    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    differences: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill, resume, compare, print the table; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crash", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=40, help="over all configurations (default: 40)")
    parser.add_argument("--seed", type=int, default=None, help="of the moments (default: a new one each time)")
    parser.add_argument("--only", action="append", choices=list(CONFIGURATIONS), help="this configuration alone")
    parser.add_argument("--ways", nargs="+", choices=sorted(set(WAYS)), default=WAYS, help="how to kill")
    parser.add_argument("--base", default=None, help="a base to train instead of a tiny one")
    asked = parser.parse_args(arguments)
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    names = asked.only or list(CONFIGURATIONS)
    print(f"seed {seed}, {asked.kills} kills")
    _load_libraries()
    tallies = []
    with tempfile.TemporaryDirectory(prefix="quire-kills-") as folder:
        home = Path(folder)
        write_books(home)
        base = asked.base or str(write_base(home / "base"))
        dice = random.Random(seed)
        ways = itertools.cycle(asked.ways)
        cold = _time_cold({"base": base, "book": "river.md"} | COMMON, home) if "cold" in asked.ways else 0.0
        for number, name in enumerate(names):
            kills = asked.kills // len(names) + (number < asked.kills % len(names))
            settings = {"base": base, "book": "river.md"} | COMMON | CONFIGURATIONS[name]
            tally = torment(name, settings, kills, ways, cold, dice, home)
            tallies.append(tally)
            show(tally)
    wrong = [line for tally in tallies for line in tally.differences]
    count = sum(tally.kills.total() for tally in tallies)
    print(f"{count} kills over {sum(tally.runs for tally in tallies)} runs, {len(wrong)} differences")
    return 1 if wrong else 0


def torment(
    name: str,
    settings: Mapping[str, str],
    kills: int,
    ways: Iterator[str],
    cold: float,
    dice: random.Random,
    home: Path,
) -> Tally:
    """Let one run of this configuration be, and kill others `kills` times in all, in these ways.

    `cold` is how many seconds a start in a new process takes from beginning to end.
    """
    alone = home / f"{name}-0"
    started = time.monotonic()
    _wait(start_warm(command(settings, home), alone), alone)
    warm = time.monotonic() - started
    expected = result_of(alone / RUN)
    operations = int((alone / "operations").read_text())
    tally = Tally(name, warm)
    while tally.kills.total() < kills:
        tally.runs += 1
        place = home / f"{name}-{tally.runs}"
        killed = 0
        while tally.kills.total() < kills and killed < MORE_KILLS:
            began = time.monotonic()
            way = next(ways)
            if way == "file":
                process = start_warm(command(settings, home), place, dice.randrange(operations))
                dead = _wait(process, place)
            else:
                start = start_cold if way == "cold" else start_warm
                moment = dice.uniform(0.0, cold if way == "cold" else warm)
                dead = _wait(start(command(settings, home), place), place, moment)
            if not dead:
                # The machine is quicker or slower than it was: draw the next moments from the life as it is now.
                if way == "warm" and not killed:
                    warm = time.monotonic() - began
                break
            killed += 1
            tally.kills[way] += 1
        if not (place / RUN / "voice").exists() or killed:
            _wait(start_warm(command(settings, home), place), place)
        tally.differences += [f"{name}, run {tally.runs}: {line}" for line in compare(expected, result_of(place / RUN))]
    return tally


def command(settings: Mapping[str, str], home: Path) -> list[str]:
    """The arguments of `quire`, the same for every start."""
    sets = [
        part for key, value in settings.items() if key not in ("base", "book") for part in ("--set", f"{key}={value}")
    ]
    base = (
        ["--base", settings["base"]] if not settings["base"].startswith("{") else ["--set", f"base={settings['base']}"]
    )
    return ["train", str(home / settings["book"]), "--run", RUN, *base, *sets]


def start_cold(arguments: Sequence[str], place: Path) -> int:
    """A new process as a user starts it; its number."""
    place.mkdir(exist_ok=True)
    with (place / "log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 (our own command)
            [sys.executable, "-m", "quire", *arguments], cwd=place, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ).pid


def start_warm(arguments: Sequence[str], place: Path, kill_at: int | None = None) -> int:
    """A copy of this process, libraries loaded, that carries out `quire ARGUMENTS`; its number.

    With `kill_at` it kills itself before that file operation in the run folder.
    """
    place.mkdir(exist_ok=True)
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.chdir(place)
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        operations = count_operations(place / RUN, kill_at)
        code = quire(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        (place / "operations").write_text(f"{operations()}\n")
    finally:
        os._exit(code)


def count_operations(folder: Path, kill_at: int | None) -> Callable[[], int]:
    """Count what this process does to files in `folder`, and kill it before operation `kill_at`.

    Python's audit events tell of it: nothing has to be replaced.
    """
    count = 0
    inside = str(folder)
    watched = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree")

    def hear(event: str, given: tuple[object, ...]) -> None:
        nonlocal count
        if event not in watched or not isinstance(given[0], str | bytes | os.PathLike):
            return
        if os.path.abspath(os.fsdecode(given[0])).startswith(inside):  # noqa: PTH100 (a Path would be heard again)
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

    sys.addaudithook(hear)
    return lambda: count


def result_of(run: Path) -> Result:
    """The hashes of what the run yielded, and its events without times, speeds and memory.

    `part_start` is left out: every start tells it anew, for whoever watches.
    """
    kept = [path for root in ("voice", "stages", "base") for path in sorted((run / root).rglob("*")) if path.is_file()]
    files = {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}
    return Result(files, tuple(_told(run)))


def _told(run: Path) -> Iterator[str]:
    names = ("loss", "learning_rate", "grad_norm", "tokens", "tokens_total", "best_loss", "best_step", "text", "sha256")
    for event in read_events(run / "events.jsonl"):
        if event.kind in ("step", "validation", "sample", "part_end", "saved", "done"):
            values = {name: event.values[name] for name in names if name in event.values}
            yield json.dumps([event.kind, event.stage, event.part, event.step, values])


def compare(expected: Result, found: Result) -> list[str]:
    """What differs, in words; weights first."""
    lines = []
    for name in sorted({*expected.files, *found.files}, key=lambda name: (not name.endswith(".safetensors"), name)):
        if expected.files.get(name) != found.files.get(name):
            state = "differs" if name in expected.files and name in found.files else "is in one of them only"
            lines.append(f"{name} {state}")
    if expected.events != found.events:
        pairs = zip(expected.events, found.events, strict=False)
        first = next((f"{a} against {b}" for a, b in pairs if a != b), "one tells more than the other")
        lines.append(f"events differ ({len(expected.events)} against {len(found.events)}): {first}")
    return lines


def show(tally: Tally) -> None:
    """One line of the table, and its differences."""
    kills = ", ".join(f"{count} {way}" for way, count in sorted(tally.kills.items()))
    verdict = "the same bytes" if not tally.differences else f"{len(tally.differences)} DIFFERENCES"
    print(f"{tally.name:14}{tally.seconds:6.1f} s  {tally.runs:3} runs  {kills:32}{verdict}", flush=True)
    for line in tally.differences:
        print(f"    {line}")


def write_books(home: Path) -> None:
    """A small novel in twelve chapters and sixty short songs."""
    dice = random.Random(11)
    people = ("the ferryman", "a clerk", "my sister", "nobody", "the widow Orme")
    deeds = ("opened the door", "counted the boats", "asked for the river", "wrote it down", "went on without a word")
    times = ("at dawn", "in the rain", "before anyone woke", "for the third time", "as if it were nothing")

    def sentence() -> str:
        text = f"{dice.choice(people)} {dice.choice(deeds)} {dice.choice(times)}"
        return text[0].upper() + text[1:] + "."

    chapters = []
    for number in range(12):
        paragraphs = [" ".join(sentence() for _ in range(4)) for _ in range(3)]
        chapters.append(f"# Chapter {number + 1}\n\n" + "\n\n".join(paragraphs))
    (home / "river.md").write_text("\n\n".join(chapters) + "\n", encoding="utf-8")
    songs = [{"title": f"Song {n + 1}", "text": f"{sentence()}\n{sentence()}\n{sentence()}"} for n in range(60)]
    (home / "songs.jsonl").write_text("".join(json.dumps(song) + "\n" for song in songs), encoding="utf-8")


def write_base(folder: Path) -> Path:
    """A tiny Llama with random weights."""
    from quire.model.fresh import make_base

    folder.mkdir()
    book = (folder.parent / "river.md").read_text(encoding="utf-8")
    make_base(SHAPE, [book], folder, seed=7)
    return folder


def _load_libraries() -> None:
    """Everything that training imports, so that copies of this process start at once."""
    from quire.verbs.quiet import hush, hush_bars

    hush()
    for name in ("quire.verbs.train", "quire.verbs.decide", "quire.verbs.saving", "quire.training.parts"):
        importlib.import_module(name)
    hush_bars()


def _time_cold(settings: Mapping[str, str], home: Path) -> float:
    started = time.monotonic()
    settings = {**settings, "train.steps": "10"}
    _wait(start_cold(command(settings, home), home / "cold"), home / "cold")
    return time.monotonic() - started


def _wait(process: int, place: Path, moment: float | None = None) -> bool:
    """Wait for the process, or kill it after `moment` seconds; True if it was killed.

    Ends the whole test where it ends by itself with anything but 0.
    """
    until = time.monotonic() + (PATIENCE if moment is None else moment)
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            break
        if time.monotonic() >= until:
            os.kill(process, signal.SIGKILL)
            status = os.waitpid(process, 0)[1]
            if moment is None:
                sys.exit(f"a start of quire train has not ended after {PATIENCE:.0f} s")
            break
        time.sleep(0.002)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        said = (place / "log").read_text(encoding="utf-8", errors="replace")
        sys.exit(f"quire train ended with exit code {code}:\n{said[-1500:]}")
    return False


if __name__ == "__main__":
    sys.exit(main())
