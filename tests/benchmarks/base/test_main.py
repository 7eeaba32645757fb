"""Parts are measured alone, each keeps its own machine and date, and what cannot be had is said in a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.base.task import Task
from benchmarks.base.texts import Texts

from benchmarks import facts
from benchmarks.base import __main__ as program


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is measured, only noted."""
    carried_out: list[str] = []

    def part(name: str) -> Any:
        def measure(task: Task) -> dict[str, Any]:
            carried_out.append(name)
            return {"number": len(carried_out), "count": task.count}

        return measure

    monkeypatch.setattr(program, "PARTS", {name: part(name) for name in program.PARTS})
    monkeypatch.setattr(facts, "machine", lambda: {"commit": f"c{len(carried_out)}", "date": "2026-11-22"})
    return carried_out


def test_parts_alone_leave_the_others(quick: list[str], tmp_path: Path) -> None:
    results = tmp_path / "base.json"
    asked = ["--results", str(results), "--home", str(tmp_path)]
    assert program.main(asked) == 0
    assert quick == list(program.PARTS)
    assert program.main(["words", "loading", "--count", "3", *asked]) == 0
    assert quick[-2:] == ["loading", "words"], "in the order of the parts"
    parts = json.loads(results.read_text())["parts"]
    assert list(parts) == list(program.PARTS)
    assert parts["words"] == {
        "base": "embedded",
        "machine": {"commit": "c10", "date": "2026-11-22"},
        "number": 11,
        "count": 3,
    }
    assert parts["copies"]["machine"]["commit"] == "c7"


def test_texts_without_a_source_are_refused_in_a_line(
    quick: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["texts", "--home", str(tmp_path)]) == 2
    assert "error: texts come from --run, or from --corpus" in capsys.readouterr().err
    assert quick == []


def test_a_part_that_is_none_is_refused(quick: list[str]) -> None:
    with pytest.raises(SystemExit, match="there is no part wrods"):
        program.main(["words", "wrods"])
    assert quick == []


def test_without_texts_or_a_run_it_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["shares", "--home", str(tmp_path), "--results", str(tmp_path / "r.json")]) == 2
    assert "name the run with --run" in capsys.readouterr().err


def test_a_part_is_measured_and_kept(kept: Texts, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "base.json"
    assert program.main(["shares", "--home", str(kept.folder), "--results", str(results)]) == 0
    told = json.loads(results.read_text())["parts"]["shares"]
    assert told["of"] == "made works"
    assert told["machine"].keys() >= {"processor", "torch", "commit", "date"}
    assert "en: 1 works train, 1 works test" in capsys.readouterr().out
