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
    data = io.BytesIO(f"[{','.join([row] * 6_000)}]".encode())
    tracemalloc.start()
    count = sum(1 for _ in read_json_array(data, START))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 6_000
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


def test_a_whole_table_in_one_object_is_told_by_its_shape() -> None:
    rows = [{"title": "One", "text": "A first text."}, {"title": "Two", "text": "Another."}]
    columns = {name: [row[name] for row in rows] for name in ("title", "text")}
    numbered = {name: {str(n): row[name] for n, row in enumerate(rows)} for name in ("title", "text")}
    keyed = {f"k{n}": row for n, row in enumerate(rows)}
    assert shown(array(json.dumps(columns))) == rows
    assert shown(array(json.dumps(numbered))) == rows
    assert shown(array(json.dumps(keyed, indent=1))) == [{"key": f"k{n}", **row} for n, row in enumerate(rows)]


def test_texts_by_their_titles_are_rows() -> None:
    songs = {f"Song {n}": f"The water is wide, the {n}th ferry is late,\n" * 4 for n in range(4)}
    assert shown(array(json.dumps(songs))) == [{"title": title, "text": text} for title, text in songs.items()]
    settings = {"version": "2.0", "name": "a tool", "on": True, "theme": "dark"}
    assert shown(array(json.dumps(settings))) == [settings]
    keys = {
        f"key{n}": json.dumps({"url": "https://example.org/a", "id": [n, n, n], "key": "a6f0/+x="}) for n in range(4)
    }
    assert shown(array(json.dumps(keys))) == [keys]


def test_a_work_with_its_chapters_is_one_row() -> None:
    book = {"title": "The Ferry", "author": "A. Nonym", "chapters": [{"title": "I", "text": "One."}]}
    assert shown(array(json.dumps(book))) == [book]
    shelf = {"title": "A Shelf", "books": [{"title": "T", "author": "A. Nonym", "text": "One."}]}
    assert shown(array(json.dumps(shelf))) == shelf["books"]


def test_a_row_that_needs_too_much_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def loads(text: str) -> object:
        raise MemoryError

    monkeypatch.setattr(json, "loads", loads)
    (entry,) = read_json_lines(io.BytesIO(b'{"text": "a"}\n'), START)
    assert isinstance(entry, Bad)
    assert entry.reason == "row that needs too much memory"


def test_lines_of_what_was_an_array_end_in_commas() -> None:
    entries = list(read_json_lines(io.BytesIO(b'{"text": "a"},\n{"text": "b"} ,\r\n' + b"," * 100_000), START))
    assert shown(entries) == [{"text": "a"}, {"text": "b"}, "line that is no JSON"]
