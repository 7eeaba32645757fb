"""Tables of separated values: commas, semicolons, tabs or bars; quotes and line ends inside fields; with a head or
without."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from quire.books.encoding import decode
from quire.books.rows.csv_layout import USUAL, Layout, find_layout
from quire.books.rows.inflate import LONGEST_LINE, Line, can_enter, read_lines
from quire.books.rows.row import Bad, Entry, Position, Row

_MOST_LINES = 100_000
_MOST_FIELDS = 4096
# So many quotes that are never closed: then it is no table.
_MOST_RETRIES = 16
_NUMBER = re.compile(r"[-+]?[\d.,]*\d%?")


class _Source:
    """Lines for the csv module, which asks for as many as a record needs; they can be given back."""

    def __init__(self, lines: Iterator[Line], encoding: str) -> None:
        self._lines = lines
        self.encoding = encoding
        self.back: deque[Line] = deque()
        self.taken: list[Line] = []
        self.size = 0

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> str:
        line = self.back.popleft() if self.back else next(self._lines)
        data = line.data if line.data is not None else b""
        self.size += len(data)
        self.taken.append(line)
        if line.data is None or self.size > LONGEST_LINE or len(self.taken) > _MOST_LINES:
            raise csv.Error("field too long")
        return data.decode(self.encoding, "replace").replace("\x00", "") + "\n"

    def begin(self) -> None:
        self.taken = []
        self.size = 0


def read_csv(file: BinaryIO, tabs: bool, start: Position, names: tuple[str, ...] = ()) -> Iterator[Entry]:
    """The rows of a table as columns by the names in its head; without a head they are `column 1`, `column 2`, …

    `names` are columns that somebody asks for: a first row that has one of them is a head.
    """
    head = file.read(1 << 16)
    seekable = can_enter(file)
    file.seek(0)
    text, encoding, _ = decode(head[: head.rfind(b"\n") + 1 or len(head)])
    encoding = "utf-8" if encoding.startswith("utf") else encoding
    layout = find_layout(text, tabs, {name.casefold() for name in names})
    columns, titled = _columns(layout.rows_of(text), names)
    source = _Source(islice(_unmarked(read_lines(file)), layout.before, None), encoding)
    rows = 0
    if seekable and start.offset:
        source = _Source(read_lines(file, start.offset, start.line), encoding)
        rows = start.rows
    elif titled:
        _ = next(_records(source, layout), None)
    for fields, taken in _records(source, layout):
        if isinstance(fields, list) and not any(field.strip() for field in fields):
            continue
        rows += 1
        if rows <= start.passed:
            continue
        after = Position(rows, taken[-1].number + 1, taken[-1].after if seekable else 0)
        number = taken[0].number
        if isinstance(fields, list) and len(columns) == 1:
            # One text a line, and nobody thought of quotes.
            fields = [layout.separator.join(fields)]
        if isinstance(fields, str):
            yield Bad(number, fields, (taken[0].data or taken[0].start)[:200].decode(encoding, "replace"), after)
        elif len(fields) > len(columns):
            yield _too_many(number, fields, layout.separator, after)
        else:
            yield Row(
                number, {name: field for name, field in zip(columns, fields, strict=False) if field.strip()}, after
            )


def _too_many(number: int, fields: list[str], separator: str, after: Position) -> Bad:
    return Bad(number, "row with more fields than the table has columns", separator.join(fields)[:200], after)


def _unmarked(lines: Iterator[Line]) -> Iterator[Line]:
    """Without a byte-order mark."""
    for line in lines:
        if line.number == 1 and line.data is not None and line.data.startswith(b"\xef\xbb\xbf"):
            yield Line(1, line.data[3:], line.after)
        else:
            yield line


def _records(source: _Source, layout: Layout) -> Iterator[tuple[list[str] | str, list[Line]]]:
    """Records with the lines they were read from; or, for a line that spoils all that follows, the reason."""
    csv.field_size_limit(LONGEST_LINE)
    retries = 0
    while True:
        reader = layout.reader(source, strict=True)
        try:
            while True:
                source.begin()
                fields = next(reader)
                yield fields[: _MOST_FIELDS + 1], source.taken
        except StopIteration:
            return
        except csv.Error as error:
            taken = source.taken
            if not taken:
                return
            plain = _plainly(taken, source, layout)
            if plain is not None:
                yield plain, taken
                continue
            retries += 1
            reason = "line too long" if taken[0].data is None else "row with a quote that is never closed"
            if "too long" in str(error) and taken[0].data is not None and len(taken) == 1:
                reason = "field too long"
            if retries > _MOST_RETRIES:
                yield reason, taken
                return
            source.back.extendleft(reversed(taken[1:]))
            yield reason, taken[:1]


def _plainly(taken: list[Line], source: _Source, layout: Layout) -> list[str] | None:
    """The fields of a record whose quotes are not as the rules want them, such as `"He" said,1`, but which end."""
    if taken[-1].data is None or source.size > LONGEST_LINE or len(taken) > 64:
        return None
    try:
        text = [(line.data or b"").decode(source.encoding, "replace").replace("\x00", "") + "\n" for line in taken]
        found = list(layout.reader(text))
    except csv.Error:
        return None
    closed = len(taken) == 1 and text[0].count('"') % 2 == 0
    return found[0] if len(found) == 1 and closed else None


def _columns(rows: list[list[str]], names: tuple[str, ...]) -> tuple[list[str], bool]:
    """The names of the columns, and whether the table's own first row gives them."""
    if not rows:
        return ["column 1"], False
    first = [" ".join(field.split()) for field in rows[0]]
    if _is_head(first, rows[1:], {name.casefold() for name in names}):
        used: dict[str, int] = {}
        columns = []
        for number, name in enumerate(first, start=1):
            plain = name or f"column {number}"
            used[plain] = used.get(plain, 0) + 1
            columns.append(plain if used[plain] == 1 else f"{plain} {used[plain]}")
        return columns[:_MOST_FIELDS], True
    width = min(_MOST_FIELDS, max(map(len, rows)))
    return [f"column {number}" for number in range(1, width + 1)], False


def _is_head(first: list[str], rest: list[list[str]], asked: set[str]) -> bool:
    """A first row that names columns: short names, no two the same, no numbers; or known ones."""
    folded = [name.casefold() for name in first]
    if (asked | USUAL) & set(folded):
        return True
    names = [name for name in folded if name]
    distinct = bool(names) and len(set(names)) == len(names)
    if not rest or not distinct or any(len(name) > 60 or _NUMBER.fullmatch(name) for name in names):
        return False
    columns = [[row[i] for row in rest if i < len(row)] for i in range(len(first))]
    if any(cells and all(map(_NUMBER.fullmatch, cells)) for cells in columns):
        return True
    lengths = [max(map(len, cells), default=0) for cells in columns]
    return any(most > 3 * max(20, len(first[i])) for i, most in enumerate(lengths))
