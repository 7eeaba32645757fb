"""The bench of plans: cases that are not measured again stay as they are, each with its own date, clock and commit."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from benchmarks.plan import CASES, LARGE, Case, Outcome, main

from benchmarks import facts, plan

HERE = {"processor": "A", "cores": 2, "gpu": None, "date": "2026-11-22", "commit": "abc"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """Nothing is measured, only noted."""
    carried_out: list[Case] = []

    def carry_out(case: Case, _home: Path, _clock: str) -> Outcome:
        carried_out.append(case)
        return Outcome(case, 90, 100, 2.0, 1.0, 3.0)

    monkeypatch.setattr(plan, "carry_out", carry_out)
    monkeypatch.setattr(facts, "machine", lambda: dict(HERE))
    return carried_out


def read(target: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(target.read_text())
    return told


def test_single_cases_are_put_among_the_others(
    quick: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "plan.json"
    main(["--results", str(target)])
    assert quick == list(CASES)
    monkeypatch.setattr(facts, "machine", lambda: {**HERE, "commit": "def"})
    main(["--results", str(target), "--only", "4", "1", "--clock", "cpu"])
    told = read(target)
    assert [one["case"] for one in told["cases"]] == [asdict(case) for case in CASES]
    assert [n for n, one in enumerate(told["cases"]) if (one["commit"], one["clock"]) == ("def", "cpu")] == [1, 4]
    assert {(one["commit"], one["clock"]) for one in told["cases"]} == {("abc", "wall"), ("def", "cpu")}
    assert (told["machine"]["commit"], told["largest_error"]) == ("def", {"memory": 0.1, "seconds": 1.0})


def test_large_cases_stay_when_the_others_are_measured_again(quick: list[Case], tmp_path: Path) -> None:
    target = tmp_path / "plan.json"
    main(["--results", str(target), "--large"])
    main(["--results", str(target)])
    assert [one["case"] for one in read(target)["cases"]] == [asdict(case) for case in (*CASES, *LARGE)]
    assert len(quick) == 2 * len(CASES) + len(LARGE)


@pytest.mark.parametrize("machine", [{**HERE, "processor": "B"}, "x86_64, 2 cores"])
def test_figures_of_two_machines_are_not_mixed(quick: list[Case], tmp_path: Path, machine: object) -> None:
    target = tmp_path / "plan.json"
    main(["--results", str(target), "--only", "0"])
    before = {**read(target), "machine": machine}
    target.write_text(json.dumps(before))
    with pytest.raises(SystemExit, match="measured on another machine"):
        main(["--results", str(target), "--only", "1"])
    assert read(target) == before
    main(["--results", str(target), "--only", "0"])  # all that is there is measured again
    assert read(target)["machine"] == HERE
    assert len(quick) == 2
