from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quire.run.results import add_result, read_results


def test_each_run_has_one_line_and_columns_are_joined(tmp_path: Path) -> None:
    add_result(tmp_path, "one", {"loss": 3.5, "epochs": 3})
    add_result(tmp_path, "two", {"loss": 3.25, "title": 'a "b", c\r\nd'})
    add_result(tmp_path, "one", {"loss": 3.0, "rank": None})
    assert read_results(tmp_path) == [
        {"run": "two", "loss": "3.25", "epochs": "", "title": 'a "b", c\r\nd', "rank": ""},
        {"run": "one", "loss": "3.0", "epochs": "", "title": "", "rank": ""},
    ]


def test_no_file_has_no_lines(tmp_path: Path) -> None:
    assert read_results(tmp_path) == []


def test_writers_at_once_lose_no_line(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom quire.run.results import add_result\n"
        "for n in range(8): add_result(Path(sys.argv[1]), f'{sys.argv[2]}-{n}', {'loss': n, sys.argv[2]: 1})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name]) for name in ("one", "two")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    rows = read_results(tmp_path)
    assert sorted(row["run"] for row in rows) == sorted(f"{name}-{n}" for name in ("one", "two") for n in range(8))
    assert {row["one"] for row in rows} == {"", "1"}


@pytest.mark.parametrize("foreign", [b"a;b\n1;2\n", b"run,title\nx,\xff\xfe\n", b""])
def test_a_file_that_is_no_such_table_is_kept_under_another_name(foreign: bytes, tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_bytes(foreign)
    add_result(tmp_path, "a", {"loss": 1})
    assert [row["run"] for row in read_results(tmp_path)] == ["a"]
    assert (tmp_path / "results-1.csv").read_bytes() == foreign


def test_a_table_that_a_spreadsheet_saved_is_read(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_bytes("\ufeffrun,loss\nx,3\n".encode())
    add_result(tmp_path, "a", {"loss": 1})
    assert [row["run"] for row in read_results(tmp_path)] == ["x", "a"]


def test_lines_that_an_editor_left_too_long_or_too_short_are_read(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("run,loss,title\nx,3,t,more\ny,4\n")
    add_result(tmp_path, "a", {"loss": 1})
    rows = [(row["run"], row["loss"], row["title"]) for row in read_results(tmp_path)]
    assert rows == [("x", "3", "t"), ("y", "4", ""), ("a", "1", "")]
