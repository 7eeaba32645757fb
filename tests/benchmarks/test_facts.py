"""Files of results say where, when and from which code; cases that are not measured again stay."""

from __future__ import annotations

from pathlib import Path

from benchmarks import facts


def test_a_machine_its_versions_the_commit_and_the_date() -> None:
    told = facts.machine()
    assert told.keys() >= {"processor", "cores", "gpu", "memory_bytes", "python", "torch", "quire", "date", "commit"}


def test_two_machines_are_told_apart_and_another_day_is_none() -> None:
    kept = {"processor": "A", "cores": 2, "gpu": None, "date": "2026-11-21"}
    assert facts.other_machine(kept, {**kept, "date": "2026-11-22"}) is None
    assert facts.other_machine(kept, {**kept, "cores": 4}) == "cores 2"


def test_cases_found_take_the_place_of_those_kept() -> None:
    kept = [{"case": "old", "value": 1}, {"case": "c", "value": 1}, {"case": "a", "value": 1}]
    found = [{"case": "b", "value": 2}, {"case": "c", "value": 2}]
    assert facts.merged(kept, found, "case", ["a", "b", "c"]) == [
        {"case": "a", "value": 1},
        {"case": "b", "value": 2},
        {"case": "c", "value": 2},
        {"case": "old", "value": 1},
    ]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    target = tmp_path / "some.json"
    assert facts.read(target) == {}
    facts.write(target, {"a": "é"})
    assert facts.read(target) == {"a": "é"}
