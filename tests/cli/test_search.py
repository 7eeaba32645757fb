"""`quire search` on the command line; what searches is tested with the verb and its pieces."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from quire.cli.app import run
from quire.cli.search import line_of, show
from quire.run.events import Event
from quire.verbs.search import Search
from quire.verbs.searching.journal import Journal, Trial
from quire.verbs.searching.results import write_results
from trials import Scripted, asked, course


def event(kind: str, **values: Any) -> Event:
    return Event(time.time(), kind, values=values)


ABOUT = {"number": 3, "of": 20, "params": {"train.learning_rate": 1e-4}, "seed": None, "state": "running", "loss": None}
ABOUT |= {"reason": "", "steps": 0, "best": 1, "best_loss": 3.0}


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (event("trial", **ABOUT), "trial 3 (4 of 20): learning_rate 0.0001"),
        (event("trial_end", **ABOUT | {"state": "finished", "loss": 3.25}), "trial 3 (4 of 20): held-out loss 3.2500"),
        (event("trial_end", **ABOUT | {"state": "failed", "reason": "it diverged"}), "it diverged"),
        (event("trial_end", **ABOUT | {"state": "finished", "loss": 2.5, "best": 3}), "(best so far)"),
        (event("trial", **ABOUT | {"number": 0, "params": {}}), "trial 0 (1 of 20), the recipe as it is"),
        (event("trial", **ABOUT | {"seed": 8}), "trial 3 again, seed 8"),
        (event("space", lines=["train.epochs: 1 … 6"], derived=True), "around the recipe's own values"),
        (event("note", text="all has been tried"), "all has been tried"),
    ],
)
def test_what_happens_is_told_in_a_line(told: Event, line: str) -> None:
    shown = line_of(told)
    assert shown is not None
    assert line in shown


def test_steps_are_for_the_bar(tmp_path: Path) -> None:
    assert line_of(event("step", loss=3.0)) is None


def test_the_best_come_first_and_the_verdict_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "s"
    found = course(folder, Scripted(), trials=4, repeats=2)
    found.all_trials()
    found.all_repeats()
    journal = write_results(folder, found.journal)
    show(Search(folder, journal), Console(width=160))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["trial", "held-out", "loss"]
    assert journal.best is not None
    assert lines[1].split()[0] == str(journal.best.number)
    assert any("the recipe as it is" in line for line in lines)
    assert any(line.startswith("8 ") or line.strip().startswith("8 ") for line in lines), "a row for each other seed"
    assert any("other seeds it gained" in line for line in lines)
    assert any("winner.yaml" in line for line in lines)
    assert lines[-1] == str(folder)


def test_a_search_without_a_winner_can_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = Trial(0, {}, "failed", reason="it diverged")
    outcome = {"importance": [], "importance_note": "too few", "verdict": "No trial has finished."}
    show(Search(tmp_path, Journal(asked(), trials=(failed,), outcome=outcome)), Console(width=120))
    shown = capsys.readouterr().out
    assert "it diverged" in shown
    assert "No trial has finished." in shown


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["sample:tale", "--trials", "0"], "at least one trial"),
        (["sample:tale", "--prune", "hard"], "--prune hard"),
        (["sample:tale", "--space", "train.epochs=3"], "neither a range nor choices"),
        (["sample:tale", "--max-time", "soon"], "--max-time soon"),
        (["no-such-book.epub"], "no-such-book.epub"),
    ],
)
def test_mistakes_get_two_lines_before_anything_is_made(
    words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["search", *words]) == 2
    error, remedy = capsys.readouterr().err.splitlines()
    assert named in error
    assert remedy.startswith("try: ")
    assert list(tmp_path.iterdir()) == []
