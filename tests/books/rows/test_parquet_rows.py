"""Parquet: rows by groups, columns that are no text left out, damaged files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from quire.books.rows.parquet_rows import read_parquet
from quire.books.rows.row import START, Bad, Entry, Row
from quire.errors import BookError


def write(path: Path, columns: dict[str, object], **options: object) -> Path:
    parquet.write_table(pa.table(columns), path, **options)
    return path


def entries(path: Path) -> list[Entry]:
    return list(read_parquet(path, START))


def test_columns_that_hold_bytes_are_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet",
        {
            "text": ["a", None],
            "image": [b"\xff\xd8", b""],
            "meta": [{"year": 1900, "tags": ["x"]}, None],
            "picture": [{"bytes": b"x", "path": "y"}] * 2,
        },
    )
    assert [entry.values for entry in entries(path) if isinstance(entry, Row)] == [
        {"text": "a", "meta": {"year": 1900, "tags": ["x"]}},
        {"text": None, "meta": None},
    ]
    with pytest.raises(BookError, match="no column of text"):
        entries(write(tmp_path / "b.parquet", {"image": [b"x"]}))


def test_a_damaged_group_is_dropped_with_its_rows(tmp_path: Path) -> None:
    texts = [f"a text of its own, number {n}" for n in range(300)]
    path = write(
        tmp_path / "a.parquet", {"text": texts}, row_group_size=100, compression="snappy", use_dictionary=False
    )
    data = bytearray(path.read_bytes())
    middle = parquet.ParquetFile(path).metadata.row_group(1).column(0)
    start = middle.data_page_offset + 20
    data[start : start + 200] = b"\xff" * 200
    path.write_bytes(bytes(data))
    found = entries(path)
    good = [entry for entry in found if isinstance(entry, Row)]
    bad = [entry for entry in found if isinstance(entry, Bad)]
    assert len(good) + sum(entry.count for entry in bad) == 300
    assert [entry.values["text"] for entry in good if entry.number > 200] == texts[200:]


def test_a_row_that_is_no_utf_8_is_dropped_alone(tmp_path: Path) -> None:
    bad = pa.StringArray.from_buffers(3, *pa.array([b"a", b"\xff\xfe", b"c"]).buffers()[1:])
    found = entries(write(tmp_path / "a.parquet", {"text": bad}))
    assert [type(entry) for entry in found] == [Row, Bad, Row]


def test_what_is_no_table_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + b"?" * 100)
    with pytest.raises(BookError, match="damaged") as raised:
        entries(path)
    assert raised.value.code == "damaged"


@settings(max_examples=60)
@given(st.data())
def test_a_spoiled_file_gives_rows_or_a_book_error(tmp_path: Path, data: st.DataObject) -> None:
    path = write(tmp_path / "a.parquet", {"text": [f"text {n}" for n in range(40)], "year": list(range(40))})
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 9))
    whole[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
    path.write_bytes(bytes(whole))
    try:
        found = entries(path)
    except BookError:
        return
    assert all(isinstance(entry, Row | Bad) for entry in found)


def test_a_value_that_no_calendar_has_costs_its_row_alone(tmp_path: Path) -> None:
    times = pa.array([0, 2**62, 1], pa.int64()).cast(pa.timestamp("us"))
    parquet.write_table(pa.table({"text": ["a", "b", "c"], "time": times}), tmp_path / "a.parquet")
    rows = list(read_parquet(tmp_path / "a.parquet", START))
    assert [type(row) for row in rows] == [Row, Bad, Row]
