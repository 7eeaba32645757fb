"""`quire compare` on the command line; what compares is tested with the verb."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from littleruns import little_run
from quire.cli.app import run


def test_tables_and_who_did_better(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    little_run(tmp_path / "first", (5.0, 4.0), bits=(2.0, 1.9, 2.1), samples={"She": " slept."})
    little_run(tmp_path / "second", (5.0, 3.25), settings={"train.learning_rate": 1e-3}, samples={"She": " woke."})
    assert run(["compare", str(tmp_path / "first"), str(tmp_path / "second"), "--samples"]) == 0
    shown = capsys.readouterr().out
    assert "3.2500" in shown
    assert "train.learning_rate" in shown
    assert "2 (1.9 … 2.1)" in shown
    assert "not judged" in shown
    assert "By held-out loss, best first: second, first." in shown
    assert "woke." in shown


def test_what_cannot_be_ranked_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    little_run(tmp_path / "a")
    little_run(tmp_path / "b", settings={"seed": 8}, stages=("first", "imprint"))
    assert run(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    shown = capsys.readouterr().out
    assert "Not ranked by held-out loss: their seeds hold out different text." in shown
    assert "  first" in shown


def test_of_many_runs_each_is_a_line_and_unfinished_ones_are_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        ends = "stopped" if number == 5 else "done"
        little_run(tmp_path / f"r{number}", (5.0, 4.0 - number / 10), settings={"train.epochs": number + 1}, ends=ends)
    assert run(["compare", *(str(tmp_path / f"r{number}") for number in range(6))]) == 0
    shown = capsys.readouterr().out
    assert "set otherwise  epochs" in shown
    assert "best first: r5 (so far), r4, r3" in shown


def test_json_csv_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    little_run(tmp_path / "a")
    files = ["--csv", str(tmp_path / "table.csv"), "--plot", str(tmp_path / "curves.svg")]
    assert run(["compare", str(tmp_path / "a"), "--json", *files]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["runs"][0]["held_out_loss"] == 3.0
    assert facts["runs"][0]["stages"][0]["best_step"] == 20
    assert (tmp_path / "table.csv").is_file()
    assert (tmp_path / "curves.svg").is_file()


def test_a_name_that_is_none_is_answered_in_two_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["compare", "nothing"]) == 2
    error, remedy = capsys.readouterr().err.splitlines()
    assert error == "error: no run named nothing"
    assert remedy.startswith("try: ")
