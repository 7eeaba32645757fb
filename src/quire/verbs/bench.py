"""`bench`: how fast this machine reads, trains and writes, measured by really doing it."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quire.books.book import Book, Shelf
from quire.errors import RecipeError
from quire.planner.bases import find_base
from quire.run.events import Event
from quire.tokens.tokenizer import load_tokenizer
from quire.verbs.benching.cases import MOST_SECONDS, SECONDS, check_cases, training_case, writing_case
from quire.verbs.benching.facts import machine_facts
from quire.verbs.benching.figures import Figure, TrainingOutcome, WritingOutcome
from quire.verbs.benching.house import auditing, first_step, reading, starting, tokenising
from quire.verbs.benching.shapes import shapes_named
from quire.verbs.quiet import hush
from quire.verbs.read import read
from quire.verbs.train import Run, train
from quire.verbs.write import write

BOOK = "sample:novella"
STEPS = 12
WARM_UP = 2  # steps that are not counted: caches fill, kernels are chosen
WRITTEN = 96  # tokens
READINGS = 3
BATCHES = (1, 8)  # texts that are written at once

# What is measured where not everything is said.
SHAPES, PRECISIONS, WINDOWS = ("135M",), ("bf16", "int8"), (1024,)

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """What `bench` measured, with which base and settings, and on what machine."""

    base: str
    settings: Mapping[str, object]
    figures: tuple[Figure, ...]
    training: tuple[TrainingOutcome, ...] = ()
    writing: tuple[WritingOutcome, ...] = ()
    machine: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """As `quire bench --json` prints it."""
        return {
            "base": self.base,
            "settings": dict(self.settings),
            "machine": self.machine,
            "figures": [asdict(figure) for figure in self.figures],
            "training": [outcome.to_json() for outcome in self.training],
            "writing": [outcome.to_json() for outcome in self.writing],
        }


def bench(
    base: str = "embedded",
    *,
    settings: Mapping[str, object] | None = None,
    listener: Callable[[Event], None] | None = None,
    shapes: Sequence[str] = (),
    precisions: Sequence[str] = (),
    windows: Sequence[int] = (),
    book: str | Path = BOOK,
    everything: bool = False,
    tell: Tell = lambda _text: None,
) -> Bench:
    """Read the novella, train `base` on it for a few steps in a temporary folder, and write with the result.

    With `shapes`, `precisions` or `windows` bases of those shapes with random weights are trained instead, each case in
    a process of its own, on the text of `book`; with `everything` that and all else is measured.  `settings` are recipe
    keys, such as `train.window`; `tell` hears what is being measured.  Raises QuireError where that base cannot be
    trained, and for shapes, precisions and windows that there are not.
    """
    hush()
    asked = bool(shapes or precisions or windows)
    cases = everything or asked
    sizes, formats, lengths = shapes or SHAPES, precisions or PRECISIONS, windows or WINDOWS
    named = shapes_named(sizes)
    figures: tuple[Figure, ...] = ()
    training: list[TrainingOutcome] = []
    writing: list[WritingOutcome] = []
    if cases:
        if settings and not everything:
            raise RecipeError("--set and --shapes: the shapes are trained with settings of their own", "leave one out")
        text = first_book(book)
        ids = ids_of(text)
        check_cases(formats, lengths, len(ids))
    if everything or not asked:
        figures = _of_base(base, settings or {}, listener, tell)
    if everything:
        figures += tuple(of_house(text, tell))
    if cases:
        for shape in named:
            for precision in formats:
                for window in lengths:
                    tell(f"training {shape.name} in {precision}, window {window}")
                    training.append(training_case(shape, precision, window, ids, SECONDS, MOST_SECONDS))
                for batch in BATCHES if everything else ():
                    tell(f"writing with {shape.name} in {precision}, {batch} at once")
                    writing.append(writing_case(shape, precision, batch))
    return Bench(base, dict(settings or {}), figures, tuple(training), tuple(writing), machine_facts())


def of_house(book: Book, tell: Tell = lambda _text: None) -> Iterator[Figure]:
    """Starting, reading, tokenising, packing and the memory audit."""
    tell("starting")
    yield from starting()
    yield first_step()
    tell("reading, tokenising, packing, the memory audit")
    for part in (reading, tokenising, auditing):
        yield from part(book)


def ids_of(book: Book) -> list[int]:
    """The book's text in tokens of the embedded base."""
    return load_tokenizer(find_base("embedded", weights=False).path).encode(book.text)


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


def _of_base(
    base: str, settings: Mapping[str, object], listener: Callable[[Event], None] | None, tell: Tell
) -> tuple[Figure, ...]:
    """The figures of a base that is there: reading, training and writing as a user would."""
    steps: list[Event] = []

    def hear(event: Event) -> None:
        if event.kind == "step":
            steps.append(event)
        if listener is not None:
            listener(event)

    tell(f"reading the novella, training {base} on it and writing")
    shelf, found = _time_reading()
    few = {"train.steps": STEPS, "train.evaluate_every": STEPS, "write.max_new_tokens": 8}
    with tempfile.TemporaryDirectory(prefix="quire-bench-") as home:
        run = train(shelf, base=base, run=Path(home) / "run", settings={**few, **settings}, listener=hear)
        writing = _time_writing(run)
    return (found, *training_figures(steps), writing)


def first_book(source: str | Path) -> Book:
    """The first work that `source` holds.  Raises BookError."""
    return read(source, strict=True).books[0]


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
