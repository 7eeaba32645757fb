"""`quire runs` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from littleruns import little_run
from quire.cli.app import run
from quire.run.lock import hold


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    little_run(tmp_path / "runs" / "novel", ends="stopped")
    little_run(tmp_path / "runs" / "tale")
    return tmp_path / "runs"


def test_every_run_is_a_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs"]) == 0
    shown = capsys.readouterr().out
    assert "stopped" in shown
    assert "finished" in shown
    assert "embedded" in shown
    assert "2 in all" in shown


def test_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "list", "--json"]) == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["runs"]}
    assert entries["novel"]["state"] == "stopped"
    assert entries["novel"]["size_bytes"] > 1000


def test_none_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["runs"]) == 0
    assert "no runs here" in capsys.readouterr().out


def test_removing_wants_a_yes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "remove", "novel"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert (home / "novel").is_dir()


@pytest.mark.parametrize(("answer", "code", "stays"), [(True, 0, False), (False, 130, True)])
def test_at_a_terminal_it_asks(
    answer: bool, code: int, stays: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    def confirm(text: str, **given: object) -> bool:
        if not answer:
            raise typer.Abort
        return True

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", confirm)
    assert run(["runs", "remove", "novel"]) == code
    assert (home / "novel").is_dir() == stays


def test_removed_with_yes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "remove", "novel", "tale", "--yes"]) == 0
    assert "removed runs/novel" in capsys.readouterr().out
    assert list(home.iterdir()) == []


def test_where_one_is_in_use_none_goes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with hold(home / "tale" / "lock"):
        assert run(["runs", "remove", "novel", "tale", "--yes"]) == 2
    assert "in use" in capsys.readouterr().err
    assert (home / "novel").is_dir()


@pytest.mark.parametrize("words", [["delete", "novel"], ["remove"], ["list", "novel"]])
def test_other_words_are_wrong_usage(words: list[str], home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", *words]) == 2
    assert "quire runs remove RUN" in capsys.readouterr().err
