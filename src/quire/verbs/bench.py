"""`bench`: how fast this machine reads, trains and writes, measured on the bundled novella by really doing it."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quire.books.book import Shelf
from quire.run.events import Event
from quire.verbs.quiet import hush
from quire.verbs.read import read
from quire.verbs.train import Run, train
from quire.verbs.write import write

BOOK = "sample:novella"
STEPS = 12
WARM_UP = 2  # steps that are not counted: caches fill, kernels are chosen
WRITTEN = 96  # tokens
READINGS = 3


@dataclass(frozen=True)
class Figure:
    """One thing that was measured; `how` says what of."""

    name: str
    value: float
    unit: str
    how: str


@dataclass(frozen=True)
class Bench:
    """What `bench` measured, with which base and settings."""

    base: str
    settings: Mapping[str, object]
    figures: tuple[Figure, ...]

    def to_json(self) -> dict[str, Any]:
        """As `quire bench --json` prints it."""
        return asdict(self)


def bench(
    base: str = "embedded",
    *,
    settings: Mapping[str, object] | None = None,
    listener: Callable[[Event], None] | None = None,
) -> Bench:
    """Read the novella, train `base` on it for a few steps in a temporary folder, and write with the result.

    `settings` are recipe keys, such as `train.window`.  Raises QuireError where that base cannot be trained.
    """
    hush()
    steps: list[Event] = []

    def hear(event: Event) -> None:
        if event.kind == "step":
            steps.append(event)
        if listener is not None:
            listener(event)

    shelf, reading = _time_reading()
    few = {"train.steps": STEPS, "train.evaluate_every": STEPS, "write.max_new_tokens": 8}
    with tempfile.TemporaryDirectory(prefix="quire-bench-") as home:
        run = train(shelf, base=base, run=Path(home) / "run", settings={**few, **(settings or {})}, listener=hear)
        writing = _time_writing(run)
    return Bench(base, dict(settings or {}), (reading, *training_figures(steps), writing))


def training_figures(steps: list[Event]) -> list[Figure]:
    """Speed and memory of training, from its step events."""
    counted = steps[WARM_UP:] or steps
    rates = [_number(event, "tokens") / _number(event, "seconds") for event in counted]
    memory = max(_number(event, "memory_bytes") for event in steps)
    return [
        Figure("training", statistics.median(rates), "tokens/s", f"the median of {len(counted)} steps"),
        Figure("first step", _number(steps[0], "seconds"), "s", "with all that is done only once"),
        Figure("peak memory", memory, "bytes", "of the whole process"),
    ]


def _time_reading() -> tuple[Shelf, Figure]:
    best = float("inf")
    for _ in range(READINGS):
        started = time.perf_counter()
        shelf = read(BOOK)
        best = min(best, time.perf_counter() - started)
    how = f"the best of {READINGS}, each in a process of its own"
    return shelf, Figure("reading", shelf.words / best, "words/s", how)


def _time_writing(run: Run) -> Figure:
    """The first piece is not counted: it waits for the prompt to be read."""
    from quire.tokens.tokenizer import load_tokenizer

    pieces = write(run, "The boat", settings={"write.max_new_tokens": WRITTEN}, seed=7)
    next(pieces, "")
    started = time.perf_counter()
    text = "".join(pieces)
    seconds = time.perf_counter() - started
    tokens = len(load_tokenizer(run.voice).encode(text))
    return Figure("writing", tokens / seconds, "tokens/s", f"{tokens} tokens, one at a time")


def _number(event: Event, key: str) -> float:
    value = event.values[key]
    assert isinstance(value, int | float)
    return float(value)
