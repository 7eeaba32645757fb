"""What kind of table a file is, by what stands in it."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.books.rows.row import Bad, Row, table_suffix
from quire.books.rows.tables import find_format, open_rows
from quire.errors import BookError


@pytest.mark.parametrize(
    ("name", "text", "format"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text": "b"}', "lines"),
        ("a.jsonl", '[1, 2]\n{"text": "b"}', "lines"),
        ("a.jsonl", '\n  \n{"text": "cut', "lines"),
        ("a.jsonl", '{"text": "cut\n{"text": "b"}', "lines"),
        ("a.json", '[{"text": "a"}]', "array"),
        ("a.jsonl", '[\n  {"text": "a"},\n]', "array"),
        ("a.json", '{\n  "text": "a"\n}', "array"),
        ("a.csv", '[1],{"a"}\n', "csv"),
        ("a.tsv", "text\na\n", "csv"),
    ],
)
def test_the_format_is_seen(tmp_path: Path, name: str, text: str, format: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert find_format(path) == format


def test_names_of_tables() -> None:
    names = ["a.jsonl", "a.b.JSONL.xz", "a.csv.gz", "a.parquet", "a.txt.gz", "a.gz", "a.txt", "jsonl", "a.jsonl.txt"]
    assert [table_suffix(Path(name)) for name in names] == [".jsonl", ".jsonl", ".csv", ".parquet", "", "", "", "", ""]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_packed_file_that_is_cut_gives_the_rows_before(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    rows = [{"text": f"{n} {n * 7919 % 104729} {n * 15485863 % 179424673}"} for n in range(5000)]
    path = tmp_path / "a.jsonl.xz"
    data = pack("\n".join(map(json.dumps, rows)).encode())
    path.write_bytes(data[: len(data) // 2])
    *entries, last = open_rows(path, "lines")
    assert len(entries) > 1000
    assert [entry.values for entry in entries if isinstance(entry, Row)] == rows[: len(entries)]
    assert isinstance(last, Bad)
    assert "the rest of the file is damaged" in last.reason


@settings(max_examples=150)
@given(
    st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.tsv", "a.parquet", "a.jsonl.gz"]),
    st.binary(max_size=200) | st.text('{}[]",:\\n\n a1', max_size=200).map(str.encode),
    st.sampled_from([b"", b"PAR1", b"\x1f\x8b", b"\xfd7zXZ\x00", b"[{", b'{"a": ', b"\xff\xfe"]),
)
def test_any_bytes_are_rows_or_a_book_error(tmp_path: Path, name: str, data: bytes, start: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(start + data)
    try:
        entries = list(open_rows(path, find_format(path)))
    except BookError:
        return
    assert all(isinstance(entry, Row | Bad) for entry in entries)


def test_an_object_alone_in_its_file_may_be_a_whole_table(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"version": 1, "data": [{"text": "' + "a " * 50_000 + '"}]}\n\n')
    assert find_format(path) == "array"
    path.write_text('{"text": "' + "a " * 50_000 + '"}\n{"text": "b"}\n')
    assert find_format(path) == "lines"
