"""Tables, a row at a time: JSON lines and arrays, CSV, Parquet; packed or not.

Nothing here keeps what it has read, so that a table of any size takes no more memory than its longest row.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from quire.books import pulse
from quire.books.rows.csv_rows import read_csv
from quire.books.rows.inflate import DAMAGES, LONGEST_LINE, open_unpacked, read_head
from quire.books.rows.json_rows import read_json_array, read_json_lines
from quire.books.rows.parquet_rows import read_parquet
from quire.books.rows.row import START, Bad, Entry, Position, table_suffix
from quire.errors import BookError

_BITE = 1 << 16
Format = Literal["lines", "array", "csv", "parquet"]


def find_format(path: Path) -> Format:
    """By the first bytes, and by the name only whether lines are JSON or separated values."""
    head = read_head(path)
    if head.startswith(b"PAR1"):
        return "parquet"
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if table_suffix(path) in (".csv", ".tsv"):
        return "csv"
    if text.startswith("["):
        # A line that is a whole list is a bad line among others; an array of rows goes on over lines.
        first = text.split("\n", 1)[0].strip()
        return (
            "array" if "{" in text and not (first.endswith("]") and text[len(first) :].lstrip()[:1] == "{") else "lines"
        )
    if text.startswith("{") and _is_one_line(path):
        return "array"
    if text.startswith("{") and not _is_json(text.split("\n", 1)[0]) and len(text.split("\n", 1)) > 1:
        return "array" if re.match(r"\{\s*(\"[^\n]*)?\r?\n\s+[\"}]", text) else "lines"
    return "lines"


def _is_one_line(path: Path) -> bool:
    """Whether a file has a single line: an object that may be a whole table."""
    passed, ended = 0, False
    with contextlib.suppress(*DAMAGES), open_unpacked(path) as file:
        while passed <= LONGEST_LINE and (data := file.read(_BITE)):
            if not ended:
                line, end, data = data.partition(b"\n")
                passed += len(line)
                ended = bool(end)
            if ended and data.strip():
                return False
    return passed <= LONGEST_LINE


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def open_rows(path: Path, format: Format, start: Position = START, names: tuple[str, ...] = ()) -> Iterator[Entry]:
    """The rows of a file from a position on, and what is none.  `names` are columns that are known to be there.

    Raises BookError when the file cannot be opened as what it is; what is damaged further on ends it with a Bad.
    """
    if format == "parquet":
        yield from read_parquet(path, start)
        return
    last = start
    try:
        with open_unpacked(path) as file:
            for entry in _entries(file, path, format, start, names):
                last = entry.after
                yield entry
                pulse.beat()
    except DAMAGES as error:
        if isinstance(error, BookError):
            raise
        where = Position(last.rows + 1, last.line, last.offset)
        yield Bad(last.line, f"the rest of the file is damaged ({error})"[:200], "", where)


def _entries(file: BinaryIO, path: Path, format: Format, start: Position, names: tuple[str, ...]) -> Iterator[Entry]:
    if format == "csv":
        return read_csv(file, table_suffix(path) == ".tsv", start, names)
    return read_json_lines(file, start) if format == "lines" else read_json_array(file, start)
