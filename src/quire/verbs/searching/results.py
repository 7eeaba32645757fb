"""What a search leaves beside its journal: a table, two plots, and the winner as a recipe."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from quire.judging.plots import Dot, Share, history_plot, importance_plot
from quire.recipe.fresh import FreshBase
from quire.recipe.load import dump_recipe, load_recipe
from quire.recipe.resolved import ResolvedRecipe, load_resolved
from quire.run.atomic import write_text
from quire.verbs.searching.journal import Journal, Trial, write_journal
from quire.verbs.searching.sampler import ENOUGH_FOR_IMPORTANCE, Importance, importances
from quire.verbs.searching.space import shown
from quire.verbs.searching.verdict import pairs_of, verdict_of

RECIPE, WINNER, TABLE = "recipe.yaml", "winner.yaml", "results.csv"
HISTORY, IMPORTANCE = "history", "importance"
_NUMBERS = ("state", "loss", "steps", "tokens", "seconds", "reason")


def write_results(folder: Path, journal: Journal, complete: bool = True) -> Journal:
    """Write everything that can be told by now, and return the journal with its outcome in it.

    `complete` says that all trials and repeats that were wanted have been carried out.
    """
    found = importances(journal.space, journal.trials, journal.asked.seed)
    note = "" if found else _too_few(journal)
    winner = journal.best
    pairs = pairs_of(journal, winner) if winner is not None else None
    outcome: dict[str, Any] = {
        "complete": complete,
        "winner": winner.number if winner else None,
        "loss": winner.loss if winner else None,
        "original_loss": journal.trials[0].loss if journal.trials else None,
        "repeated": pairs.to_json() if pairs else None,
        "beats_the_recipe": pairs.beats if pairs and winner and winner.number else None,
        "verdict": verdict_of(journal),
        "importance": [asdict(importance) for importance in found],
        "importance_note": note,
    }
    journal = replace(journal, outcome=outcome)
    write_journal(folder, journal)
    write_text(folder / TABLE, _table(journal))
    if winner is not None:
        write_text(folder / WINNER, _winner_recipe(folder, journal, winner))
    _draw(folder, journal, found)
    return journal


def settings_of(resolved: ResolvedRecipe, trial: Trial) -> dict[str, Any]:
    """What a trial sets over the search's recipe: its parameters, its seed, and the precision that the first trial has
    measured, so that all are computed alike."""
    fixed: dict[str, Any] = {}
    for stage, decided in zip(resolved.recipe.curriculum, resolved.decided.stages, strict=False):
        if stage.precision == "auto":
            path = f"stages.{stage.name}" if resolved.recipe.stages else "train"
            fixed[f"{path}.precision"] = decided.precision
    seed = {} if trial.seed is None else {"seed": trial.seed}
    return {**fixed, **trial.params, **seed}


def _winner_recipe(folder: Path, journal: Journal, winner: Trial) -> str:
    resolved = load_resolved(folder / RECIPE)
    settings = dict(winner.params)
    if not isinstance(resolved.recipe.base, FreshBase) and resolved.recipe.earlier is None:
        settings["base"] = resolved.decided.base
    recipe = load_recipe(folder / RECIPE, settings).recipe
    asked = journal.asked.source.replace("\n", " ")
    told = [
        f"The winner of a search on {asked}: trial {winner.number} of {len(journal.trials)}.",
        *(f"{key} = {shown(value)}" for key, value in winner.params.items()),
        *verdict_of(journal).split(". "),
    ]
    return "".join(f"# {line}\n" for line in told) + dump_recipe(recipe)


def _table(journal: Journal) -> str:
    keys = [dimension.key for dimension in journal.space]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["trial", "seed", *_NUMBERS, *keys])
    for trial in (*journal.trials, *journal.repeats):
        seed = journal.asked.seed if trial.seed is None else trial.seed
        facts = asdict(trial)
        values = [facts[name] for name in _NUMBERS] + [_cell(trial.params.get(key)) for key in keys]
        writer.writerow([trial.number, seed, *("" if value is None else value for value in values)])
    return out.getvalue()


def _cell(value: Any) -> Any:
    return shown(value) if isinstance(value, list) else value


def _draw(folder: Path, journal: Journal, found: Sequence[Importance]) -> None:
    dots = [Dot(trial.number, _drawn_loss(trial), trial.state) for trial in journal.trials if trial.state != "running"]
    history_plot(dots, folder / HISTORY)
    if found:
        importance_plot([Share(i.key, i.share, i.low, i.high) for i in found], folder / IMPORTANCE)


def _drawn_loss(trial: Trial) -> float | None:
    return trial.loss if trial.loss is not None else min((loss for _, loss in trial.curve), default=None)


def _too_few(journal: Journal) -> str:
    if len(journal.space) < 2:
        return "which setting mattered is no question where one alone was varied"
    told = sum(trial.state in ("finished", "pruned") for trial in journal.trials)
    return f"{told} trials with a loss are too few to say which setting mattered; {ENOUGH_FOR_IMPORTANCE} may do"
