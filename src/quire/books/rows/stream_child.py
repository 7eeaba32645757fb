"""The process that reads one table of a stream: row after row goes out as lines of JSON, as fast as they are taken.

It is walled in like every reader of strangers' files.  What it cannot make a work of it says, and goes on; what kills
it costs the row that did it, since whoever asked starts another after that row.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from quire.books.book import Place
from quire.books.limits import MIB, Limits, ReadOptions
from quire.books.plays.from_rows import find_columns
from quire.books.rows.row import START, Bad, Entry, Position
from quire.books.rows.tables import find_format, open_rows
from quire.books.rows.where import Filter
from quire.books.rows.works import Decided, decide, flatten, make_work, names_of, show_row, take_head, unit_of
from quire.books.walls import confine, pulse, wire
from quire.books.walls.nursery import NO_MEMORY
from quire.errors import BookError

_BEAT_SECONDS = 0.5


def answer(request: dict[str, Any]) -> Iterator[bytes]:
    """The lines for one table: what was decided, then each row as a work or with the reason why it is none."""
    path = Path(request["path"])
    said = request["options"]
    options = ReadOptions(**(said | {"where": tuple((column, tuple(values)) for column, values in said["where"])}))
    limits = Limits(**request["limits"])
    try:
        yield from _answer(path, options, limits, Position(*request["start"]), request["decided"], request["skip"])
        yield _line("done")
    except BookError as error:
        yield _line("fault", error.what, error.then, error.code)
    except OSError as error:
        what = f"{path} cannot be read ({error.strerror or error})"
        yield _line("fault", what, "check the file and its permissions", "unreadable")


def _answer(
    path: Path, options: ReadOptions, limits: Limits, start: Position, known: list[Any] | None, skip: int
) -> Iterator[bytes]:
    table = find_format(path)
    names = tuple(name for name in (options.text, *(column for column, _ in options.where)) if name)
    if known is None:
        # What the first rows say holds for all, wherever reading goes on.
        entries = open_rows(path, table, START, names)
        head = take_head(entries)
        if find_columns(names_of(head), options) is not None:
            what = f"{path} holds the speeches of plays, which are read together"
            raise BookError(what, then="leave out stream: for it", code="wrong-kind")
        decided = decide(path, head, options)
        entries = chain(head, entries) if start == START else open_rows(path, table, start, names)
        yield _line("decided", decided.column, decided.kind, decided.language)
    else:
        decided = Decided(*known)
        entries = open_rows(path, table, start, names)
    asked = Filter(options.where)
    for entry in islice(entries, skip, None):
        yield from _row(path, unit_of(table), entry, asked, decided, options, limits)


def _row(
    path: Path, unit: str, entry: Entry, asked: Filter, decided: Decided, options: ReadOptions, limits: Limits
) -> Iterator[bytes]:
    after = [entry.after.rows, entry.after.line, entry.after.offset]
    if isinstance(entry, Bad):
        yield _line("bad", entry.number, entry.reason, entry.text, entry.count, after)
        return
    try:
        values = flatten(entry.values)
        if not asked.keeps(values):
            yield _line("left", after)
            return
        text = values.get(decided.column)
        if isinstance(text, str) and len(text) > limits.text:
            reason = f"row with more than {limits.text // MIB} MB of text"
            yield _line("bad", entry.number, reason, text[:200], 1, after)
            return
        book = make_work(path, Place(str(path), unit, entry.number), values, decided, options)
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
    yield from wire.pack_book(book)
    yield _line("row", entry.number, after)


def _line(*values: object) -> bytes:
    return json.dumps(values).encode("ascii") + b"\n"


def main() -> None:
    """Read one request from standard input, write its lines to standard output."""
    request = json.loads(sys.stdin.buffer.read())
    out = os.fdopen(os.dup(1), "wb", buffering=MIB)
    # Libraries that print would spoil the lines: only this handle still leads to the parent.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    with Path(request["path"]).open("rb") as table:
        if table.read(4) == b"PAR1":
            os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
            importlib.import_module("pyarrow.parquet")
        confine.bound(Limits(**request["limits"]), endless=True)
        confine.lock_in(table.fileno())
        told = time.monotonic()

        def beat() -> None:
            nonlocal told
            if time.monotonic() - told > _BEAT_SECONDS:
                told = time.monotonic()
                out.write(_line("beat"))
                out.flush()

        pulse.listen(beat)
        try:
            for line in answer(request):
                out.write(line)
                # A slow row's work must not wait in a buffer for the next one's.
                if time.monotonic() - told > _BEAT_SECONDS:
                    told = time.monotonic()
                    out.flush()
            out.flush()
        except MemoryError:
            os._exit(NO_MEMORY)


if __name__ == "__main__":
    main()
