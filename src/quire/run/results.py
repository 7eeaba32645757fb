"""runs/results.csv: one line for each run, with its settings and its findings."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from quire.run.atomic import write_text
from quire.run.lock import hold

RESULTS = "results.csv"
FIRST_COLUMN = "run"


def add_result(runs: Path, name: str, values: Mapping[str, object]) -> Path:
    """Put the line of run `name` into `runs`/results.csv, in place of the one that was there; return the file's path.

    Columns are the union of those there and those of `values`; values that a run lacks stay empty.  Several processes
    may do so at once.  A file that is no such table (saved anew by another program, say) is kept under another name.
    """
    path = runs / RESULTS
    with hold(runs / f".{RESULTS}.lock", wait=True):
        _set_aside(path)
        rows = [row for row in read_results(runs) if row[FIRST_COLUMN] != name]
        line = {FIRST_COLUMN: name, **{key: "" if value is None else str(value) for key, value in values.items()}}
        write_text(path, _as_csv([*rows, line]))
    return path


def read_results(runs: Path) -> list[dict[str, str]]:
    """The lines of `runs`/results.csv; none where there is no such file."""
    try:
        text = (runs / RESULTS).read_bytes().decode("utf-8-sig", "replace")
    except FileNotFoundError:
        return []
    rows = csv.DictReader(io.StringIO(text, newline=""), restval="")
    # Cells beyond the last column, as an editor may leave them, have no name.
    return [{key: value for key, value in row.items() if key is not None} for row in rows if row.get(FIRST_COLUMN)]


def _set_aside(path: Path) -> None:
    """Give a file whose first column is not the run's name, or that is no UTF-8, a name that is free."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return
    except UnicodeDecodeError:
        text = ""
    if next(csv.reader(io.StringIO(text, newline="")), [""])[:1] == [FIRST_COLUMN]:
        return
    number = 1
    while (aside := path.with_name(f"results-{number}.csv")).exists():
        number += 1
    path.rename(aside)


def _as_csv(rows: Sequence[Mapping[str, str]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
