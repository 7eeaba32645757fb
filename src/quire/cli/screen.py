"""The two consoles: results go to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

WIDE = 160  # columns of a line where nobody looks at it


def results() -> Console:
    """For what was asked.  Where it does not go to a terminal, lines are wide enough for every table."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)


def progress(quiet: bool = False) -> Console:
    """For what happens meanwhile; nothing of it is shown where another process shows it already."""
    return Console(stderr=True, highlight=False, quiet=quiet, width=None if sys.stderr.isatty() else WIDE)


def print_json(facts: Any) -> None:
    """One JSON document on stdout."""
    print(as_json(facts))


def as_json(facts: Any) -> str:
    """One JSON document, as people can read it."""
    return json.dumps(facts, ensure_ascii=False, indent=2, allow_nan=False)


def plain_table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """A table without a frame; the columns in `numbers` stand to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return table
