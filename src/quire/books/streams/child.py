"""The process that reads one table of a stream: row after row goes out as lines of JSON, as fast as they are taken.

It is walled in like every reader of strangers' files.  What it cannot make a work of it says, and goes on; what kills
it costs the row that did it, since whoever asked starts another after that row.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from quire.books import pulse
from quire.books.book import SAID, Book, Place
from quire.books.limits import MIB, Limits, ReadOptions
from quire.books.rows.columns import NAME_COLUMN, flatten, names_of
from quire.books.rows.conversations import Unfit
from quire.books.rows.plays import find_columns
from quire.books.rows.row import START, Bad, Entry, Position, Values
from quire.books.rows.tables import find_format, open_rows
from quire.books.rows.where import Filter
from quire.books.rows.works import Decided, decide, make_said, make_work, show_row, take_head, unit_of
from quire.books.walls import confine, wire
from quire.books.walls.launch import hear_signals
from quire.books.walls.nursery import NO_MEMORY
from quire.errors import BookError

_BEAT_SECONDS = 0.5


@dataclass(frozen=True)
class _Job:
    """One table: its file, the name it goes by in works and errors, and how it is read."""

    path: Path
    name: Path
    options: ReadOptions
    limits: Limits
    start: Position
    known: list[Any] | None
    head: int


def answer(request: dict[str, Any]) -> Iterator[bytes]:
    """The lines for one table: what was decided, then each row as a work or with the reason why it is none."""
    path = Path(request["path"])
    said = request["options"]
    options = ReadOptions(**(said | {"where": tuple((column, tuple(values)) for column, values in said["where"])}))
    limits, start = Limits(**request["limits"]), Position(*request["start"])
    job = _Job(path, Path(request["name"]), options, limits, start, request["decided"], request["head"])
    try:
        yield from _answer(job)
        yield _line("done")
    except BookError as error:
        yield _line("fault", error.what, error.then, error.code)
    except OSError as error:
        what = f"{path} cannot be read ({error.strerror or error})"
        yield _line("fault", what, "check the file and its permissions", "unreadable")


def _answer(job: _Job) -> Iterator[bytes]:
    path, options = job.path, job.options
    table = find_format(path)
    names = tuple(name for name in (options.text, *(column for column, _ in options.where)) if name)
    if job.known is None:
        # What the first rows say holds for all, wherever reading goes on.
        fresh = job.start.rows == 0
        entries = open_rows(path, table, job.start if fresh else START, names)
        head = take_head(entries, job.head)
        decided = _decide(job, head)
        entries = chain(head, entries) if fresh else open_rows(path, table, job.start, names)
        yield _line("decided", decided.column, decided.kind, decided.language)
    else:
        decided = Decided(*job.known)
        entries = open_rows(path, table, job.start, names)
    asked = Filter(options.where)
    for entry in entries:
        yield from _row(job, unit_of(table), entry, asked, decided)


def _decide(job: _Job, head: Sequence[Entry]) -> Decided:
    """Raises BookError where the rows are no works, or have no column that is asked for: it would be read in vain."""
    columns = names_of(head)
    if find_columns(columns, job.options) is not None:
        what = f"{job.name} holds the speeches of plays, which are read together"
        raise BookError(what, then="leave out stream: for it", code="wrong-kind")
    decided = decide(job.name, head, job.options)
    if decided.kind not in SAID and decided.column not in columns:
        what = f"{job.name} has no column {decided.column!r}; its columns are {', '.join(columns)}"
        raise BookError(what[:1000], then=NAME_COLUMN, code="not-a-book")
    return decided


def _row(job: _Job, unit: str, entry: Entry, asked: Filter, decided: Decided) -> Iterator[bytes]:
    limits = job.limits
    after = [entry.after.rows, entry.after.line, entry.after.offset]
    if isinstance(entry, Bad):
        yield _line("bad", entry.number, entry.reason, entry.text, entry.count, after)
        return
    try:
        values = flatten(entry.values)
        kept = asked.keeps(values)
        while asked.seen:
            yield _line("seen", *asked.seen.pop())
        if not kept:
            yield _line("left", after)
            return
        text = values.get(decided.column)
        if isinstance(text, str) and len(text) > limits.text:
            reason = f"row with more than {limits.text // MIB} MB of text"
            yield _line("bad", entry.number, reason, text[:200], 1, after)
            return
        book = _work(job, Place(str(job.name), unit, entry.number), entry.values, values, decided)
    except MemoryError:
        reason = f"row that needs more than {limits.memory // MIB} MB of memory"
        yield _line("bad", entry.number, reason, "", 1, after)
        return
    except Exception as error:
        reason = " ".join(f"row that cannot be read ({type(error).__name__}: {error}".split())[:200] + ")"
        yield _line("bad", entry.number, reason, show_row(entry.values), 1, after)
        return
    if book is None:
        yield _line("bad", entry.number, "row without text", show_row(values), 1, after)
        return
    if isinstance(book, Unfit):
        shown = f"{book.detail}; {show_row(entry.values)}" if book.detail else show_row(entry.values)
        yield _line("bad", entry.number, book.reason, shown, 1, after)
        return
    yield from wire.pack_book(book)
    yield _line("row", entry.number, after)


def _work(job: _Job, place: Place, row: Values, flat: Values, decided: Decided) -> Book | Unfit | None:
    """The work of a row: conversations are taken from the row as it is, others from its columns."""
    if decided.kind in SAID:
        return make_said(job.name, place, row, decided.kind, decided.language)
    return make_work(job.name, place, flat, decided, job.options)


def _give_time(limits: Limits) -> None:
    """The next row has its seconds of the processor; beyond them the kernel ends this process, whoever waits for it."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, limits.seconds)


def _line(*values: object) -> bytes:
    return json.dumps(values).encode("ascii") + b"\n"


def main() -> None:
    """Read one request from standard input, write its lines to standard output."""
    hear_signals()
    request = json.loads(sys.stdin.buffer.read())
    limits = Limits(**request["limits"])
    out = os.fdopen(os.dup(1), "wb", buffering=MIB)
    # Libraries that print would spoil the lines: only this handle still leads to the parent.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    with Path(request["path"]).open("rb") as table:
        if table.read(4) == b"PAR1":
            os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
            importlib.import_module("pyarrow.parquet")
        confine.bound(limits, endless=True)
        confine.lock_in(table.fileno())
        told = time.monotonic()

        def beat() -> None:
            nonlocal told
            _give_time(limits)
            if time.monotonic() - told > _BEAT_SECONDS:
                told = time.monotonic()
                out.write(_line("beat"))
                out.flush()

        pulse.listen(beat)
        _give_time(limits)
        try:
            for line in answer(request):
                out.write(line)
                # A slow row's work must not wait in a buffer for the next one's.
                if request["careful"] or time.monotonic() - told > _BEAT_SECONDS:
                    told = time.monotonic()
                    out.flush()
            out.flush()
        except MemoryError:
            os._exit(NO_MEMORY)


if __name__ == "__main__":
    main()
