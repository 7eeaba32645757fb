"""A row of a table, what is none, and the place between two rows from which reading can go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE_NAMES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
PACKED_NAMES = (".gz", ".xz", ".bz2")
PACKED_MAGIC = (b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh")

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: `number` in the file's own counting (of lines, entries, rows), its columns, and the position
    right after it."""

    number: int
    values: Values
    after: Position


@dataclass(frozen=True, slots=True)
class Bad:
    """What stands where a row should, and why it is none.  `count` rows, where a whole run of them is lost."""

    number: int
    reason: str
    text: str
    after: Position
    count: int = 1


@dataclass(frozen=True, slots=True)
class Position:
    """Where in a file the next row starts: rows before it, the number of its line, and its offset in bytes.

    The offset is 0 where the file cannot be entered in the middle; then the rows before are passed over.  `skip` more
    rows are passed over as well, without a look at what they hold where that can be done.
    """

    rows: int = 0
    line: int = 1
    offset: int = 0
    skip: int = 0

    @property
    def passed(self) -> int:
        """The last row that is not given."""
        return self.rows + self.skip


Entry = Row | Bad
START = Position()


def table_suffix(path: Path) -> str:
    """`.jsonl` for `a.jsonl` and for `a.jsonl.xz`; empty where the name is no table's."""
    names = [suffix.lower() for suffix in path.suffixes[-2:]]
    if names and names[-1] in PACKED_NAMES:
        names.pop()
    return names[-1] if names and names[-1] in TABLE_NAMES else ""
