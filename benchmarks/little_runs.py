"""Runs of `quire train` that take seconds: what they learn from, how they are started, and what must come of them.

The crash tests start them in copies of one process that has the libraries loaded already.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import spoil
from benchmarks.little_books import write_books, write_recipes
from benchmarks.spoil import SPOILED
from quire.recipe.fresh import Fresh
from quire.run.events import read_events

RUN = "run"
TURNS = "stages, one after the other"  # each by a command of its own
ROOT = Path(__file__).parents[1]
PATIENCE = 300.0  # seconds until a start counts as hanging
SHAPE = Fresh(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, positions=128, vocabulary=400)
STOPPED = 75

COMMON = {
    "train.precision": "fp32",
    "train.window": "64",
    "train.learning_rate": "5e-3",
    "write.max_new_tokens": "6",
}
CONFIGURATIONS: Mapping[str, Mapping[str, str]] = {
    "short": {"train.steps": "3", "train.batch": "2", "train.accumulate": "2", "train.method.lora.dropout": "0.1"},
    "plain": {"train.steps": "12", "train.window": "48"},
    "packing": {"book": "songs.jsonl", "train.steps": "10", "train.window": "96", "train.method.lora.dropout": "0.2"},
    "parts": {
        "train.parts": "3",
        "train.epochs": "1",
        "train.effective_batch": "16",
        "train.method.lora.dropout": "0.1",
    },
    "overlap": {"train.stride": "40", "train.overlap": "context", "train.steps": "10", "train.log_every": "3"},
    "accumulate": {"train.batch": "2", "train.accumulate": "5", "train.steps": "8", "train.schedule": "linear"},
    "accumulate 50": {"train.batch": "1", "train.accumulate": "50", "train.steps": "3"},
    "accumulate 1": {"train.batch": "4", "train.accumulate": "1", "train.steps": "14"},
    "dora": {"train.method": "{lora: {dora: true, dropout: 0.3, bias: all, rank: 4}}", "train.steps": "8"},
    "full": {"train.method": "full", "train.steps": "10", "train.learning_rate": "1e-3"},
    "from nothing": {"base": "{fresh: {hidden: 32, layers: 1, intermediate: 48, positions: 64, vocabulary: 300}}"}
    | {"train.method": "full", "train.steps": "6"},
    "often": {"train.evaluate_every": "1", "train.save_every": "1", "train.keep": "1", "train.steps": "8"},
    "seldom": {"train.evaluate_every": "9", "train.save_every": "4", "train.steps": "12"},
    "early stop": {"train.parts": "2", "train.early_stop": "1", "train.evaluate_every": "2", "train.epochs": "4"}
    | {"train.learning_rate": "1e-1"},
    "bf16": {"train.precision": "bf16", "train.steps": "8", "train.method.lora.dropout": "0.1"},
    "adafactor": {"train.method": "full", "train.optimizer": "adafactor", "train.steps": "8"},
    "adamw_8bit": {"train.method": "full", "train.optimizer": "adamw_8bit", "train.steps": "8"},
    "int8": {"train.method": "{qlora: {rank: 4, dropout: 0.1}}", "train.precision": "int8", "train.steps": "8"},
    "noise": {"train.neftune": "5", "train.goldfish": "4", "train.steps": "8"},
    "stages": {"book": "stages.yaml"},
    "stages in turn": {"book": "stages.yaml", TURNS: "whole long book"},
    "stacked": {"book": "stacked.yaml"},
    "stream": {"book": "stream.yaml"},
    "earlier voice": {"book": "replay.yaml", "base": ""},
    # One step that is left out; then three in a row, after which the run goes back to the checkpoint of step 8.
    "not finite": {SPOILED: "3,9,10,11", "train.steps": "14", "train.evaluate_every": "4"}
    | {"train.method.lora.dropout": "0.1"},
    "nf4": {"train.method": "{qlora: {rank: 4, dropout: 0.1}}", "train.precision": "nf4", "train.steps": "6"},
    "pissa": {"train.method": "{lora: {rank: 4, init: pissa}}", "train.steps": "8", "train.learning_rate": "1e-3"},
    "ratio": {"train.method": "{lora: {rank: 4, dropout: 0.1, rslora: true, lr_ratio: 16}}", "train.steps": "8"}
    | {"train.learning_rate": "1e-3"},
    "conversations": {"book": "talks.jsonl", "train.stride": "40", "train.overlap": "context", "train.steps": "8"},
}


@dataclass(frozen=True)
class Result:
    """What must be the same however often a run was interrupted."""

    files: Mapping[str, str]
    events: tuple[str, ...]


class EndedBadlyError(Exception):
    """A start that was let be has not ended with 0, or not at all."""


def prepare(home: Path, base: str | None = None) -> str:
    """Books and a base in `home`, the libraries loaded; the base's name."""
    _load_libraries()
    write_books(home)
    write_recipes(home)
    return base or str(write_base(home / "base"))


def make_earlier(home: Path, base: str) -> None:
    """The run whose voice `earlier voice` goes on from."""
    if not (home / "earlier").exists():
        carry_out(settings_of("plain", base) | {"train.steps": "4"}, home, home / "earlier")


def settings_of(name: str, base: str) -> dict[str, str]:
    """All settings of a configuration, its book among them."""
    changes = CONFIGURATIONS[name]
    common = {} if changes.get("book", "").endswith(".yaml") else COMMON
    return {"base": base, "book": "river.md"} | common | changes


def commands(settings: Mapping[str, str], home: Path) -> list[list[str]]:
    """The arguments of `quire` (or `benchmarks.spoil`), of every start until it ends well; of a run in turns one list
    for each turn."""
    plain = [(key, value) for key, value in settings.items() if key not in ("base", "book", TURNS, SPOILED)]
    sets = [part for key, value in plain for part in ("--set", f"{key}={value}")]
    base = settings["base"]
    named = ["--set", f"base={base}"] if base.startswith("{") else ["--base", base] if base else []
    spoiled = [f"{SPOILED}={settings[SPOILED]}"] if SPOILED in settings else []
    whole = [*spoiled, "train", str(home / settings["book"]), "--run", RUN, *named, *sets]
    return [[*whole, "--stage", stage] for stage in settings[TURNS].split()] if TURNS in settings else [whole]


def command(settings: Mapping[str, str], home: Path) -> list[str]:
    """The only command of a run that is not carried out in turns."""
    (only,) = commands(settings, home)
    return only


def in_place(arguments: Sequence[str], place: Path, first: Callable[[], None] | None = None) -> Callable[[], int]:
    """What a copy of this process does to carry out `quire ARGUMENTS` in `place`; `first` is called before."""

    def work() -> int:
        os.chdir(place)
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if first is not None:
            first()
        return spoil.run(arguments)

    return work


def start(work: Callable[[], int]) -> int:
    """A copy of this process that does `work`; its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = work()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def start_cold(arguments: Sequence[str], place: Path) -> int:
    """A new process as a user starts it; its number."""
    place.mkdir(exist_ok=True)
    spoiled = spoil.is_spoiled(arguments)
    places = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    path = {"PYTHONPATH": os.pathsep.join(filter(None, places))} if spoiled else {}
    with (place / "log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 (our own command)
            [sys.executable, "-m", "benchmarks.spoil" if spoiled else "quire", *arguments],
            cwd=place,
            env=os.environ | path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ).pid


def start_warm(arguments: Sequence[str], place: Path, first: Callable[[], None] | None = None) -> int:
    """A copy of this process, libraries loaded, that carries out `quire ARGUMENTS` in `place`; its number."""
    place.mkdir(exist_ok=True)
    return start(in_place(arguments, place, first))


def end_of(process: int, moment: float | None = None, number: int = signal.SIGKILL) -> int:
    """Wait until the process ends, or send it signal `number` after `moment` seconds.

    Returns its exit code, or minus the number of the signal that ended it.
    """
    until = time.monotonic() + (PATIENCE if moment is None else moment)
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            if moment is None:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                raise EndedBadlyError(f"a start of quire train has not ended after {PATIENCE:.0f} s")
            os.kill(process, number)
            until, moment = time.monotonic() + PATIENCE, None
        time.sleep(0.002)


def said_in(place: Path) -> str:
    """The end of what the starts in `place` have printed."""
    return (place / "log").read_text(encoding="utf-8", errors="replace")[-2500:]


def carry_out(settings: Mapping[str, str], home: Path, place: Path, first: Callable[[], None] | None = None) -> None:
    """Start it and let it be, until it is done."""
    for arguments in commands(settings, home):
        require_end(end_of(start_warm(arguments, place, first)), place)


def require_end(code: int, place: Path) -> None:
    """Raise EndedBadlyError where a start has not ended well."""
    if code != 0:
        raise EndedBadlyError(f"quire train ended with exit code {code} in {place.name}:\n{said_in(place)}")


def result_of(run: Path) -> Result:
    """The hashes of what the run yielded, and its events without times, speeds and memory.

    `part_start` is left out: every start tells it anew, for whoever watches.
    """
    kept = [path for root in ("voice", "stages", "base") for path in sorted((run / root).rglob("*")) if path.is_file()]
    files = {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}
    return Result(files, tuple(_told(run)))


def _told(run: Path) -> Iterator[str]:
    names = ("loss", "learning_rate", "grad_norm", "tokens", "tokens_total", "best_loss", "best_step", "text", "sha256")
    names += ("why", "in_a_row", "to_step")
    for event in read_events(run / "events.jsonl"):
        if event.kind in ("step", "skipped", "rollback", "validation", "sample", "part_end", "saved", "done"):
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
    for name in ("quire.verbs.train", "quire.verbs.stages.decide", "quire.verbs.stages.saving", "quire.training.parts"):
        importlib.import_module(name)
    hush_bars()
