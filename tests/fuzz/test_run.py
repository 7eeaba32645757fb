"""The loop that changes seeds, and how what it finds is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.seeds import seeds

from fuzz import run

ROOT = Path(__file__).parents[2]


def test_a_search_stops_at_what_breaks_and_keeps_the_bytes() -> None:
    seen: list[bytes] = []

    def fragile(data: bytes) -> None:
        seen.append(data)
        if len(seen) == 20:
            raise KeyError("broken")

    found = run.search("wire", fragile, 1, lambda _: True)
    assert isinstance(found, run.Failure)
    assert (found.number, found.data) == (19, seen[-1])
    assert "KeyError: 'broken'" in found.said
    assert seen[0] == seeds()["wire"][0]


def test_a_search_ends_when_its_time_is_up() -> None:
    inputs: list[bytes] = []

    def go_on(data: bytes) -> bool:
        inputs.append(data)
        return len(inputs) < 30

    assert run.search("wire", lambda _: None, 1, go_on) == 29


def test_what_takes_too_long_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SECONDS_AN_INPUT", 0.1)

    def endless(data: bytes) -> None:
        while True:
            pass

    found = run.search("wire", endless, 1, lambda _: True)
    assert isinstance(found, run.Failure)
    assert "TimeoutError" in found.said


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fuzz.run", "--plain", "--only", "wire", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_run_says_how_many_inputs_held(tmp_path: Path) -> None:
    done = fuzz("--seconds", "0.3", "--keep", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wire" in done.stdout
    assert "nothing was found" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_input_without_bytes_does_not_end_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "mutate", lambda *_: b"")
    counted: list[bytes] = []
    monkeypatch.setattr("fuzz.targets.target", lambda name: counted.append)
    assert run._plain("wire", 0.2, 1, tmp_path) == 0
    assert len(counted) > 5
