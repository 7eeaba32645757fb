"""Rows of every kind of table: what goes in comes out or is dropped, and reading can go on after any row."""

from __future__ import annotations

import csv
import gzip
import json
import lzma
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from quire.books.rows.row import Bad, Entry, Row
from quire.books.rows.tables import find_format, open_rows

TEXTS = ["One paragraph,\nthen “another”.", 'A "quoted" word; a comma, too.', "Été", "", "x" * 300]
ROWS = [{"title": f"No. {n}", "text": TEXTS[n % 5], "year": 1800 + n} for n in range(300)]


def write(folder: Path, name: str) -> Path:
    path = folder / name
    if ".parquet" in name:
        parquet.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=70)
    elif ".csv" in name:
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, ["title", "text", "year"])
            out.writeheader()
            out.writerows(ROWS)
    else:
        data = json.dumps(ROWS, indent=1) if path.suffixes[0] == ".json" else "\n".join(map(json.dumps, ROWS))
        pack = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)
        path.write_bytes(pack(data.encode()))
    return path


NAMES = ["a.jsonl", "a.jsonl.gz", "a.jsonl.xz", "a.json", "a.csv", "a.parquet"]


@pytest.mark.parametrize("name", NAMES)
def test_every_row_comes_once_with_its_columns(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, name)
    entries = list(open_rows(path, find_format(path)))
    assert len(entries) == len(ROWS)
    for entry, row in zip(entries, ROWS, strict=True):
        assert isinstance(entry, Row)
        assert {key: str(value) for key, value in entry.values.items()} == {
            key: str(value) for key, value in row.items() if value != "" or ".csv" not in name
        }
    assert [entry.after.rows for entry in entries] == list(range(1, len(ROWS) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_reading_goes_on_after_any_row(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, name)
    table = find_format(path)
    entries = list(open_rows(path, table))
    for stop in (0, 1, 69, 70, 71, 299):
        assert list(open_rows(path, table, entries[stop].after)) == entries[stop + 1 :]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_plain_files_are_entered_in_the_middle(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, name)
    table = find_format(path)
    entries = list(open_rows(path, table))
    path.write_bytes(path.read_bytes()[:20] + b"?" * 50 + path.read_bytes()[70:])
    assert list(open_rows(path, table, entries[99].after)) == entries[100:]


def count(entries: list[Entry]) -> int:
    return sum(entry.count if isinstance(entry, Bad) else 1 for entry in entries)


@settings(max_examples=60)
@given(st.lists(st.sampled_from([b'{"text": "good"}', b'{"text": "cut', b"[1]", b"\xff\xfe", b"7", b"[" * 3000])))
def test_lines_in_are_rows_or_dropped(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join([b'{"text": "first"}', *lines]))
    entries = list(open_rows(path, "lines"))
    assert count(entries) == 1 + len(lines)
    assert [entry.number for entry in entries] == list(range(1, len(lines) + 2))
