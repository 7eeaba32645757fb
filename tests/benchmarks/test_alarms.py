"""The bench of alarms: what counts as noticed, as false, and as said by the plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.alarms import Case, Outcome, look_at, summed

from benchmarks import alarms
from courses import course
from quire.recipe.load import load_recipe
from quire.recipe.resolved import Decided, ResolvedRecipe
from quire.recipe.schema import Recipe
from quire.run.events import Event, EventLog


def outcome(healthy: bool, right: bool, same: bool = True) -> Outcome:
    return Outcome("x", 1, healthy, 100, (), (), right, same, "done", 1.0)


def test_figures_count_false_alarms_and_what_was_noticed() -> None:
    figures = summed([outcome(True, True), outcome(True, False), outcome(False, True), outcome(False, False)])
    assert (figures["healthy_runs"], figures["false_alarms"], figures["noticed_share"]) == (2, 1, 0.5)
    assert not summed([outcome(True, True, same=False)])["same_again"]


def run_of(path: Path, events: list[Event], *warned: tuple[int, str, str]) -> Path:
    """A run with these events and, right behind the steps named, these live warnings."""
    path.mkdir()
    recipe = load_recipe({"shelf": ["sample:tale"]}).recipe
    (path / "recipe.yaml").write_text(ResolvedRecipe(recipe=recipe, decided=Decided(base="embedded")).to_yaml())
    with EventLog(path / "events.jsonl") as log:
        for event in events:
            log.append(event.kind, event.stage, event.part, event.step, event.values)
            for step, guide, text in warned:
                if event.kind == "step" and event.step == step:
                    log.append("warning", "train", 0, step, {"text": text, "guide": guide})
    return path


def test_a_live_warning_counts_where_the_case_expects_it_and_only_there(tmp_path: Path) -> None:
    told = (40, "loss-leaps", "the loss leapt from 3 to 5")
    run = run_of(tmp_path / "run", list(course(60)), told)
    provoked = look_at(Case("x", "tale", {}, ("loss-leaps",)), 1, run, "done", 1.0)
    assert provoked.right
    assert not provoked.same_again  # hearing these calm events again says nothing of the kind
    assert not look_at(Case("x", "tale", {}), 1, run, "done", 1.0).right
    assert not look_at(Case("x", "tale", {}, ("overfitting",)), 1, run, "done", 1.0).right


def test_silence_is_right_where_nothing_is_expected(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", list(course(60)))
    assert look_at(Case("x", "tale", {}), 1, run, "done", 1.0).right
    assert not look_at(Case("x", "tale", {}, ("overfitting",)), 1, run, "done", 1.0).right


def test_what_the_plan_says_before_the_first_step_is_no_alarm(tmp_path: Path) -> None:
    plan = Event(0.0, "warning", "train", 0, 0, {"text": "little text", "guide": "how-much-text"})
    run = run_of(tmp_path / "run", [plan, *course(60)])
    assert look_at(Case("x", "tale", {}), 1, run, "done", 1.0).right


@pytest.mark.parametrize("case", [*alarms.HEALTHY, *alarms.PROVOKED], ids=lambda case: case.name)
def test_every_case_is_a_recipe(case: Case) -> None:
    train = {**alarms.COMMON, **case.settings}
    Recipe.model_validate({"shelf": ["sample:tale"], "base": dict(case.base or {"fresh": {}}), "train": train})


def test_names_of_cases_are_their_own() -> None:
    names = [case.name for case in (*alarms.HEALTHY, *alarms.PROVOKED)]
    assert len(names) == len(set(names))


def test_what_is_kept_says_on_which_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "alarms.json"
    monkeypatch.setattr(alarms, "RESULTS", target)
    monkeypatch.setattr(alarms, "make_base", lambda _home: "base")
    monkeypatch.setattr(alarms, "carry_out", lambda *_asked: outcome(True, True))
    assert alarms.main(["--seeds", "1", "--only", "tale", "--only", "plain", "--write"]) == 0
    told = json.loads(target.read_text())
    assert told["machine"].keys() >= {"processor", "torch", "commit", "date"}
    assert (told["false_alarms"], len(told["runs"])) == (0, 1)
