"""What the process that reads a table of a stream says, line by line."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from quire.books.limits import MIB, Limits, ReadOptions
from quire.books.streams.child import answer

TEXT = "The ferryman looked at the water for a long time, and then he told me the whole of it from the beginning."


def request(path: Path, options: ReadOptions | None = None, **more: Any) -> dict[str, Any]:
    asked = {"path": str(path), "name": "the table", "options": asdict(options or ReadOptions())}
    return asked | {"limits": {}, "start": [0, 1, 0, 0], "decided": None, "head": 200, "careful": False} | more


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def said(asked: dict[str, Any]) -> list[list[Any]]:
    return [json.loads(line) for line in answer(asked)]


def names(lines: list[list[Any]]) -> list[str]:
    return [str(line[0]) for line in lines]


def test_each_row_is_a_work_or_says_why_it_is_none(tmp_path: Path) -> None:
    good = json.dumps({"text": TEXT})
    lines = said(request(write(tmp_path, good, "{", json.dumps({"text": " "}), good)))
    work = ["book", "chapter", "blocks", "end", "row"]
    assert names(lines) == ["decided", *work, "bad", "bad", *work, "done"]
    assert lines[0][1:] == ["text", "prose", "en"]
    assert [line[2] for line in lines if line[0] == "bad"] == ["line that is no JSON", "row without text"]
    size = len(good) + 1
    assert [line[2] for line in lines if line[0] == "row"] == [[1, 2, size], [4, 5, 2 * size + 2 + 14]]


def test_what_was_decided_before_is_not_asked_again(tmp_path: Path) -> None:
    path = write(tmp_path, *(json.dumps({"text": TEXT, "note": TEXT + TEXT}) for _ in range(3)))
    lines = said(request(path, decided=["note", "prose", "en"], start=[1, 2, 0, 1]))
    assert "decided" not in names(lines)
    assert [line for line in lines if line[0] == "row"] == [["row", 3, [3, 4, path.stat().st_size]]]


def test_values_are_told_once_as_they_come_up(tmp_path: Path) -> None:
    rows = (json.dumps({"text": TEXT, "age": age}) for age in ("old", "new", "old"))
    lines = said(request(write(tmp_path, *rows), ReadOptions(where=(("age", ("none",)),))))
    seen = sorted(line[1:] for line in lines if line[0] == "seen")
    assert seen == [["", "age"], ["", "text"], ["age", "new"], ["age", "old"]]
    assert names(lines).count("left") == 3


def test_faults_name_the_table_and_their_code(tmp_path: Path) -> None:
    (line,) = said(request(write(tmp_path, json.dumps({"n": 1}))))
    assert line[:2] == ["fault", "the table has no column of text among n"]
    assert line[3] == "not-a-book"
    (line,) = said(request(tmp_path / "gone.jsonl"))
    assert (line[0], line[3]) == ("fault", "damaged")


def test_a_row_larger_than_its_bound_is_left_where_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps({"text": TEXT}), json.dumps({"text": TEXT * 20_000}))
    lines = said(request(path, limits=asdict(Limits(text=MIB))))
    assert [line[2] for line in lines if line[0] == "bad"] == ["row with more than 1 MB of text"]
    assert len(json.dumps(lines)) < 10_000


def test_the_process_answers_on_its_standard_output(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps({"text": TEXT}))
    done = subprocess.run(
        [sys.executable, "-m", "quire.books.streams.child"],
        input=json.dumps(request(path)).encode(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.splitlines() == [line.strip() for line in answer(request(path))]


def test_conversations_come_row_by_row_each_bad_one_with_its_reason(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Who rows?"}, {"role": "assistant", "content": "She does."}]
    good = json.dumps({"messages": turns})
    lines = said(request(write(tmp_path, good, json.dumps({"messages": turns[1:]}), good)))
    work = ["book", "chapter", "blocks", "end", "row"]
    assert names(lines) == ["decided", *work, "bad", *work, "done"]
    assert lines[0][1:3] == ["", "conversations"]
    assert [line[2] for line in lines if line[0] == "bad"] == ["answer before anything was said to it"]
    again = said(request(tmp_path / "a.jsonl", decided=lines[0][1:], start=[1, 2, len(good) + 1, 0]))
    assert names(again) == ["bad", *work, "done"]
