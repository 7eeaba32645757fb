from __future__ import annotations

from pathlib import Path

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
