"""JSON in whatever layout: lines, arrays, objects over several lines, wrapped rows, mistakes."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest

from quire.books.rows.json_rows import read_json_array, read_json_lines
from quire.books.rows.row import START, Bad, Entry, Row


def array(text: str) -> list[Entry]:
    return list(read_json_array(io.BytesIO(text.encode()), START))


def shown(entries: list[Entry]) -> list[object]:
    return [entry.values if isinstance(entry, Row) else entry.reason for entry in entries]


ROWS = [{"text": f"No. {n} ]}},{{[", "more": {"n": [n]}} for n in range(5)]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        json.dumps({"version": "1", "data": ROWS}),
        "\n".join(json.dumps(row, indent=2) for row in ROWS),
        "\ufeff" + json.dumps(ROWS),
        json.dumps(ROWS)[:-1] + ",]",
    ],
    ids=["array", "indented", "wrapped", "one after another", "marked", "comma too many"],
)
def test_rows_of_an_array(text: str) -> None:
    assert shown(array(text)) == ROWS


def test_commas_too_many_inside_an_object_are_forgiven() -> None:
    assert shown(array('[{"text": "a",}, {"text": "b", "c": [1, 2,],},]')) == [
        {"text": "a"},
        {"text": "b", "c": [1, 2]},
    ]


def test_a_bad_entry_among_good_ones_is_dropped_alone() -> None:
    text = '[{"text": "a"}, {"text": oops}, {"text": "b"}, 7, "c", {"text": "d"}]'
    assert shown(array(text)) == [
        {"text": "a"},
        "entry that is no JSON",
        {"text": "b"},
        "entry that is no JSON object",
        "entry that is no JSON object",
        {"text": "d"},
    ]


def test_an_array_that_is_cut_keeps_what_came_before() -> None:
    rows = [{"text": f"No. {n}"} for n in range(5)]
    entries = array(json.dumps(rows)[:-6])
    assert shown(entries)[:4] == rows[:4]
    assert isinstance(entries[4], Bad)
    assert len(entries) == 5


def test_nesting_without_end_is_dropped() -> None:
    entries = array('[{"text": "a"}, ' + '{"a":' * 50_000 + '"}' * 3 + ', {"text": "b"}]')
    assert shown(entries)[0] == {"text": "a"}
    assert "nested too deeply" in shown(entries)


def test_an_array_takes_no_more_memory_than_a_row() -> None:
    row = json.dumps({"text": "word " * 200})
    data = io.BytesIO(f"[{','.join([row] * 20_000)}]".encode())
    tracemalloc.start()
    count = sum(1 for _ in read_json_array(data, START))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert most < 3 << 20


def test_bad_lines_have_reasons() -> None:
    lines = b'{"text": 1}\n[1]\n{"text": \n' + b"[" * 100_000 + b"\n'single'\n\n\xef\xbb\xbf{}"
    entries = list(read_json_lines(io.BytesIO(lines), START))
    assert [(entry.number, value) for entry, value in zip(entries, shown(entries), strict=True)] == [
        (1, {"text": 1}),
        (2, "line that is no JSON object"),
        (3, "line that is no JSON"),
        (4, "nested too deeply"),
        (5, "line that is no JSON"),
        (7, {}),
    ]


def test_lines_in_an_old_encoding_are_read() -> None:
    (entry,) = read_json_lines(io.BytesIO('{"text": "été à l’école"}'.encode("cp1252")), START)
    assert isinstance(entry, Row)
    assert entry.values == {"text": "été à l’école"}
