"""The course of a search, with trials that are scripted: what is tried, given up, repeated, tidied, and resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from quire.errors import BookError, DiskFull, RecipeError, RunError, Stopped
from quire.recipe.schema import Recipe
from quire.run.events import Event
from quire.training.watch import StopWish
from quire.verbs.searching.journal import FILE, read_journal
from quire.verbs.searching.trainer import Ended
from trials import RANK, RATE, SPACE, Killed, Scripted, asked, bowl, course


def written(folder: Path) -> Any:
    return json.loads((folder / FILE).read_text(encoding="utf-8"))


def fail_where(rank: int, how: str, **told: Any) -> Any:
    """Trials of that rank end so; the first one is of rank 8."""

    def ends(request: Mapping[str, Any]) -> Ended | None:
        return Ended(how, **told) if request["settings"].get(RANK) == rank and RATE in request["settings"] else None

    return ends


def test_the_first_trial_is_the_recipe_as_it_is_and_the_others_lie_in_the_space(tmp_path: Path) -> None:
    trainer = Scripted()
    found = course(tmp_path / "s", trainer)
    found.all_trials()
    first, *others = found.journal.trials
    assert first.params == {RATE: 3e-3, RANK: 8} or first.params[RANK] == 8
    assert trainer.requests[0]["settings"] == asked().settings
    assert len(others) == 5
    assert all(1e-5 <= trial.params[RATE] <= 1e-1 and trial.params[RANK] in (2, 4, 8, 16) for trial in others)
    assert all(trial.state == "finished" for trial in found.journal.trials)
    assert found.journal.trials[1].loss == pytest.approx(
        bowl(
            Recipe.model_validate(
                {
                    "train": {
                        "learning_rate": others[0].params[RATE],
                        "method": {"lora": {"rank": others[0].params[RANK]}},
                    }
                }
            )
        )[-1]
    )


def test_the_sampler_finds_the_bottom_of_the_bowl(tmp_path: Path) -> None:
    found = course(tmp_path / "s", Scripted(), trials=30)
    found.all_trials()
    best = found.journal.best
    assert best is not None
    assert 3e-3 < best.params[RATE] < 3e-2
    assert best.loss is not None
    assert best.loss < 1.99


def test_the_same_seed_tries_the_same_and_another_something_else(tmp_path: Path) -> None:
    tried = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        found = course(tmp_path / name, Scripted(), trials=10, what=asked(seed=seed))
        found.all_trials()
        tried.append([trial.params for trial in found.journal.trials[1:]])
    assert tried[0] == tried[1]
    assert tried[0] != tried[2]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("search") / "s"
    found = course(folder, Scripted(), trials=7, repeats=2, what=asked(prune="median"))
    found.all_trials()
    found.all_repeats()
    return written(folder)


@pytest.mark.parametrize("stride", [6, 9])
def test_a_search_that_is_killed_at_any_event_ends_as_if_it_had_not_been(
    stride: int, tmp_path: Path, undisturbed: Any
) -> None:
    """Killed again and again, every `stride` events: no trial is lost, none counts twice."""
    folder = tmp_path / "s"
    kills = 0
    while True:
        found = course(
            folder, Scripted(killed_at=3 + stride * (kills % 5)), trials=7, repeats=2, what=asked(prune="median")
        )
        try:
            found.all_trials()
            found.all_repeats()
            break
        except Killed:
            kills += 1
            assert kills < 60
    assert kills > 5
    assert written(folder) == undisturbed


def test_a_hopeless_trial_is_given_up_before_its_end_and_the_first_validations_are_waited_for(tmp_path: Path) -> None:
    found = course(tmp_path / "s", Scripted(), trials=14, what=asked(prune="median"))
    found.all_trials()
    pruned = [trial for trial in found.journal.trials if trial.state == "pruned"]
    assert pruned
    assert all(4 <= trial.curve[-1][0] < 10 and trial.loss is None for trial in pruned)
    assert all("given up after" in trial.reason for trial in pruned)
    assert found.journal.trials[0].state == "finished"


def test_hyperband_gives_up_too_and_none_never(tmp_path: Path) -> None:
    states = {}
    for prune in ("hyperband", "none"):
        found = course(tmp_path / prune, Scripted(), trials=14, what=asked(prune=prune))
        found.all_trials()
        states[prune] = [trial.state for trial in found.journal.trials]
    assert "pruned" in states["hyperband"]
    assert set(states["none"]) == {"finished"}


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("GuardError", {"what": "the loss is not finite", "fixable": True}),
        ("OutOfMemory", {"what": "a single row does not fit", "fixable": True}),
        ("BaseModelError", {"what": "no layer of that name", "fixable": True}),
        ("killed", {"what": "its process was ended by SIGKILL"}),
        ("ZeroDivisionError", {"what": "ZeroDivisionError: division by zero"}),
    ],
)
def test_a_trial_that_fails_is_kept_with_its_reason_and_the_search_goes_on(how: str, told: Any, tmp_path: Path) -> None:
    found = course(tmp_path / "s", Scripted(ends=fail_where(16, how, **told)), trials=12)
    found.all_trials()
    failed = [trial for trial in found.journal.trials if trial.state == "failed"]
    assert failed
    assert all(trial.params[RANK] == 16 and trial.reason == told["what"] for trial in failed)
    assert len(found.journal.trials) == 12
    assert found.journal.best is not None
    assert found.journal.best.params[RANK] != 16


@pytest.mark.parametrize(("how", "kind"), [("DiskFull", DiskFull), ("RunError", RunError), ("BookError", BookError)])
def test_what_would_meet_every_trial_ends_the_search_and_the_trial_can_go_on(
    how: str, kind: type[Exception], tmp_path: Path
) -> None:
    folder = tmp_path / "s"
    broken = course(
        folder, Scripted(ends=fail_where(4, how, what="no room", then="make room", fixable=True)), trials=12
    )
    with pytest.raises(kind, match="no room"):
        broken.all_trials()
    count = len(broken.journal.trials)
    assert broken.journal.trials[-1].state == "running"
    mended = course(folder, Scripted(), trials=12)
    mended.all_trials()
    assert [trial.params for trial in mended.journal.trials[:count]] == [
        trial.params for trial in broken.journal.trials
    ]
    assert len(mended.journal.trials) == 12


def test_a_recipe_that_cannot_be_carried_out_at_all_is_an_error(tmp_path: Path) -> None:
    def never(request: Mapping[str, Any]) -> Ended:
        return Ended("RecipeError", "no such layer", "name another", "", fixable=True)

    with pytest.raises(RecipeError, match="no such layer"):
        course(tmp_path / "s", Scripted(ends=never)).all_trials()


def test_a_recipe_that_diverges_as_it_is_can_still_be_searched(tmp_path: Path) -> None:
    def first_only(request: Mapping[str, Any]) -> Ended | None:
        return Ended("GuardError", "the loss is not finite", fixable=True) if RATE not in request["settings"] else None

    found = course(tmp_path / "s", Scripted(ends=first_only), repeats=2)
    found.all_trials()
    found.all_repeats()
    assert found.journal.trials[0].state == "failed"
    assert found.journal.best is not None
    assert not found.journal.repeats


def test_a_wish_to_stop_leaves_the_trial_running_and_the_same_call_goes_on(tmp_path: Path) -> None:
    wish = StopWish()
    folder = tmp_path / "s"

    def hear(event: Event) -> None:
        if event.kind == "validation" and event.step == 6 and len(stopping.journal.trials) == 3:
            wish.heard(15, None)

    stopping = course(folder, Scripted(), wish=wish, heard=hear)
    with pytest.raises(Stopped, match="in trial 2"):
        stopping.all_trials()
    kept = read_journal(folder)
    assert kept is not None
    assert [trial.state for trial in kept.trials] == ["finished", "finished", "running"]
    again = course(folder, Scripted())
    again.all_trials()
    assert [trial.state for trial in again.journal.trials] == ["finished"] * 6


def test_a_longer_search_goes_on_where_the_shorter_one_ended(tmp_path: Path) -> None:
    short, whole = tmp_path / "short", tmp_path / "whole"
    course(short, Scripted(), trials=4).all_trials()
    longer = course(short, Scripted(), trials=9)
    longer.all_trials()
    at_once = course(whole, Scripted(), trials=9)
    at_once.all_trials()
    assert longer.journal.trials == at_once.journal.trials


def test_the_winner_and_the_recipe_as_it_is_are_repeated_by_the_same_other_seeds(tmp_path: Path) -> None:
    trainer = Scripted()
    found = course(tmp_path / "s", trainer, repeats=3)
    found.all_trials()
    found.all_repeats()
    best = found.journal.best
    assert best is not None
    assert {(trial.number, trial.seed) for trial in found.journal.repeats} == {
        (number, seed) for number in (0, best.number) for seed in (8, 9, 10)
    }
    assert all(request["settings"]["seed"] in (8, 9, 10) for request in trainer.requests[6:])
    assert all(request["settings"]["train.precision"] == "fp32" for request in trainer.requests[1:])


def test_a_repeat_that_failed_is_tried_again_by_the_next_call(tmp_path: Path) -> None:
    def by_seed_nine(request: Mapping[str, Any]) -> Ended | None:
        return Ended("killed", "no memory") if request["settings"].get("seed") == 9 else None

    folder = tmp_path / "s"
    short = course(folder, Scripted(ends=by_seed_nine), repeats=2)
    short.all_trials()
    short.all_repeats()
    assert [trial.state for trial in short.journal.repeats] == ["finished", "finished", "failed", "failed"]
    again = course(folder, Scripted(), repeats=2)
    again.all_trials()
    again.all_repeats()
    assert [(trial.state, trial.reason) for trial in again.journal.repeats] == [("finished", "")] * 4


def test_where_nothing_beats_the_recipe_nothing_is_repeated(tmp_path: Path) -> None:
    def worse_below(recipe: Recipe) -> list[float]:
        return [6.0] if recipe.train.learning_rate < 1.5e-4 else [5.0]

    what = asked(space=(f"{RATE}=1e-5..1e-4/log",))
    found = course(
        tmp_path / "s",
        Scripted(losses=worse_below),
        repeats=2,
        what=what,
    )
    found.all_trials()
    found.all_repeats()
    assert found.journal.best is found.journal.trials[0]
    assert not found.journal.repeats


def test_only_the_best_trial_keeps_its_voice(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    found = course(folder, Scripted(), repeats=1)
    found.all_trials()
    found.all_repeats()
    best = found.journal.best
    assert best is not None
    assert [path.parent.name for path in folder.glob("*/*/voice")] == [f"{best.number:04d}"]
    assert len(list(folder.glob("*/*/events.jsonl"))) == 8


def test_a_source_that_changes_meanwhile_ends_the_search(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    course(folder, Scripted(sources={"book.txt": "aa"}), trials=2).all_trials()
    with pytest.raises(RunError, match=r"book\.txt changed"):
        course(folder, Scripted(sources={"book.txt": "bb"}), trials=3).all_trials()


def test_a_space_that_has_been_tried_out_ends_early_and_says_so(tmp_path: Path) -> None:
    told: list[Event] = []
    found = course(tmp_path / "s", Scripted(), trials=20, what=asked(space=(SPACE[1],)), heard=told.append)
    found.all_trials()
    assert sorted(trial.params[RANK] for trial in found.journal.trials) == [2, 4, 8, 16]
    assert any(event.kind == "note" and "all that the space holds" in str(event.values["text"]) for event in told)


def test_without_a_space_one_around_the_recipes_values_is_told(tmp_path: Path) -> None:
    told: list[Event] = []
    found = course(tmp_path / "s", Scripted(), trials=2, what=asked(space=()), heard=told.append)
    found.all_trials()
    (space,) = [event.values for event in told if event.kind == "space"]
    assert space["derived"] is True
    assert any("train.learning_rate" in line for line in space["lines"])  # type: ignore[union-attr]
    assert found.journal.trials[0].params[RANK] == 8
