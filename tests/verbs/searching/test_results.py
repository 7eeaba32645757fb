from __future__ import annotations

import csv
import json
from pathlib import Path

from quire.recipe.load import load_recipe
from quire.recipe.resolved import load_resolved
from quire.verbs.searching.journal import Trial, read_journal
from quire.verbs.searching.results import settings_of, write_results
from trials import RANK, RATE, Scripted, course


def test_a_short_search_leaves_table_winner_and_history(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    found = course(folder, Scripted(), trials=5, repeats=2)
    found.all_trials()
    found.all_repeats()
    journal = write_results(folder, found.journal)
    assert read_journal(folder) == journal
    best = journal.best
    assert best is not None
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["trial"], row["seed"]) for row in rows[:5]] == [(str(n), "7") for n in range(5)]
    assert [row["seed"] for row in rows[5:]] == ["8", "8", "9", "9"]
    assert float(rows[best.number]["loss"]) == best.loss
    recipe = load_recipe(folder / "winner.yaml").recipe
    assert recipe.train.learning_rate == best.params[RATE]
    assert recipe.train.method.adapter is not None
    assert recipe.train.method.adapter.rank == best.params[RANK]
    assert recipe.base == "embedded"
    assert recipe.seed == 7
    assert journal.outcome["importance"] == []
    assert "too few" in journal.outcome["importance_note"]
    assert (folder / "history.svg").is_file()
    assert not (folder / "importance.png").exists()
    assert json.loads((folder / "search.json").read_text())["outcome"]["winner"] == best.number


def test_a_longer_search_says_what_mattered(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    found = course(folder, Scripted(), trials=16)
    found.all_trials()
    journal = write_results(folder, found.journal)
    assert [row["key"] for row in journal.outcome["importance"]] == [RATE, RANK]
    assert (folder / "importance.png").read_bytes().startswith(b"\x89PNG")


def test_all_trials_compute_in_the_precision_that_the_first_one_measured(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    course(folder, Scripted(), trials=1).all_trials()
    resolved = load_resolved(folder / "recipe.yaml")
    assert settings_of(resolved, Trial(1, {RATE: 1e-3})) == {"train.precision": "fp32", RATE: 1e-3}
    assert settings_of(resolved, Trial(1, {RATE: 1e-3}, seed=9))["seed"] == 9
