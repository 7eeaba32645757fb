"""A whole search with real trainings of the tiny base, in a process of its own as it is."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from quire.errors import BookError, QuireError, RecipeError, RunError, Stopped
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe
from quire.recipe.yaml_text import dump_yaml
from quire.run.events import read_events
from quire.run.lock import holder
from quire.verbs.search import Search, search
from quire.verbs.searching.trainer import Ended
from quire.verbs.train import train
from toy import TINY_TRAINING, toy_book
from trials import SETTINGS, SPACE, Killed, Scripted

RATE = "stages.imprint.learning_rate"


def write_recipe(folder: Path, base: Path) -> Path:
    """Two stages on one small book."""
    book = toy_book(folder / "river.md")
    shared = {"window": 64, "precision": "fp32", "effective_batch": 4, "steps": 3, "learning_rate": 5e-3}
    stages = [
        {"name": "first", "method": {"lora": {"rank": 4}}},
        {"name": "imprint", "method": "inherit", "learning_rate": 1e-4},
    ]
    recipe = {"base": str(base), "shelf": [{"path": book.name}], "train": shared, "stages": stages}
    file = folder / "recipe.yaml"
    file.write_text(dump_yaml({**recipe, "write": {"max_new_tokens": 4}}), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    return write_recipe(tmp_path_factory.mktemp("searched"), tiny_base)


@pytest.fixture(scope="module")
def found(recipe: Path) -> Search:
    return search(recipe, trials=2, repeats=0, space=[f"{RATE}=4e-3..4e-2/log"], run=recipe.parent / "s")


def losses(run: Path, stage: str = "imprint") -> list[Any]:
    return [e.values["loss"] for e in read_events(run / "events.jsonl") if e.kind == "validation" and e.stage == stage]


def test_the_first_trial_is_the_recipe_as_quire_train_carries_it_out(found: Search, recipe: Path) -> None:
    plain = train(recipe, run=recipe.parent / "plain")
    assert losses(plain.path) == losses(found.path / "trials" / "0000")
    assert found.journal.trials[0].loss == losses(plain.path)[-1]


def test_a_trial_trains_the_varied_stage_alone_and_its_recipe_comes_to_the_same_bytes(
    found: Search, recipe: Path
) -> None:
    """The second trial wins, for the recipe's own steps are tiny.  The winner's recipe trains all stages."""
    trial = found.journal.trials[1]
    assert found.journal.best == trial
    assert found.winner is not None
    assert found.winner.read_text(encoding="utf-8").startswith("# The winner of a search on ")
    assert load_recipe(found.winner).recipe.stages[1].learning_rate == trial.params[RATE]
    events = read_events(found.path / trial.folder / "events.jsonl")
    assert [event.stage for event in events if event.kind == "resume"] == ["imprint"]
    whole = train(found.winner, run=recipe.parent / "whole")
    assert losses(whole.path)[-1] == trial.loss
    assert losses(whole.path, "first") == losses(found.path / trial.folder, "first")
    assert found.voice is not None
    adapter = Path("voice", "adapter_model.safetensors")
    assert (whole.path / adapter).read_bytes() == (found.voice / adapter).read_bytes()


def test_what_a_search_leaves_behind(found: Search) -> None:
    with (found.path / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["0", "1"]
    assert float(rows[1][RATE]) == found.journal.trials[1].params[RATE]
    kept = json.loads((found.path / "search.json").read_text(encoding="utf-8"))
    assert kept["outcome"]["verdict"] == found.verdict
    assert (found.path / "history.png").read_bytes().startswith(b"\x89PNG")
    assert not (found.path / "shared").exists()
    assert not (found.path / "prepared").exists()
    assert len(list(found.path.glob("trials/*/voice"))) == 1


def test_going_on_with_a_finished_search_does_nothing_anew(found: Search) -> None:
    heard: list[str] = []
    again = search(found.path, trials=2, repeats=0, listener=lambda event: heard.append(event.kind))
    assert again.journal == found.journal
    assert heard == ["space"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"space": [f"{RATE}=4e-3..9e-2/log"]}, "--space"),
        ({"prune": "hyperband"}, "--prune"),
        ({"settings": {"seed": 8}}, "the seed"),
        ({"settings": {"stages.first.steps": 2}}, "the recipe or its settings"),
    ],
)
def test_another_question_needs_another_folder(
    changed: dict[str, Any], named: str, found: Search, recipe: Path
) -> None:
    asked: dict[str, Any] = {"space": [f"{RATE}=4e-3..4e-2/log"], "trials": 2, "run": found.path, **changed}
    with pytest.raises(RunError, match=named):
        search(recipe, **asked)


@pytest.mark.parametrize(
    ("space", "named"),
    [
        (["stages.imprint.learning_rte=1..2"], "learning_rate"),
        (["stages.imprint.dropout=1..2"], "unknown key"),
        (["stages.last.epochs=1..2"], "there is no such stage"),
        (["stages.imprint.window=64|128"], "could not be compared"),
        (["stages.imprint.learning_rate=-1..1"], "must be more than 0"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused_before_anything_is_trained(
    space: list[str], named: str, recipe: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=named):
        search(recipe, space=space, run=tmp_path / "s")
    assert not (tmp_path / "s" / "trials").exists()


def test_a_recipe_from_python_is_kept_for_the_trials_and_time_that_is_up_stops_resumably(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recipe.parent)
    given = Recipe.model_validate({"shelf": ["river.md"], "train": {"window": 64}})
    for _ in range(2):
        with pytest.raises(Stopped, match=r"before trial 0 .*time allowed"):
            search(given, run=tmp_path / "s", max_time=0)
    kept = load_recipe(tmp_path / "s" / "source.yaml").recipe
    assert kept.shelf[0].path == str(recipe.parent / "river.md")
    assert kept.train.window == 64
    with pytest.raises(Stopped):
        search(tmp_path / "s", max_time=0)


def test_a_folder_of_something_else_is_refused(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "papers.txt").write_text("mine")
    with pytest.raises(RunError, match="is no search"):
        search(recipe, run=tmp_path)


def test_without_optuna_it_names_the_command_that_installs_it(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(QuireError, match="Optuna") as caught:
        search(recipe, run=tmp_path / "s")
    assert caught.value.then == "pip install 'quire[search]'"
    assert not (tmp_path / "s").exists()


def scripted(monkeypatch: pytest.MonkeyPatch, trainer: Scripted) -> None:
    monkeypatch.setattr("quire.verbs.search.Trainer", lambda _folder, _fork: nullcontext(trainer))


def test_going_on_by_name_wants_what_was_wanted_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, Scripted(killed_at=40))
    asked: dict[str, Any] = {"base": "embedded", "settings": SETTINGS, "space": SPACE, "prune": "none"}
    with pytest.raises(Killed):
        search("sample:tale", trials=5, repeats=1, run=tmp_path / "s", **asked)
    scripted(monkeypatch, Scripted())
    done = search(tmp_path / "s").journal
    assert (len(done.trials), done.wanted, done.repeats_wanted) == (5, 5, 1)
    assert len(search(tmp_path / "s", trials=6).journal.trials) == 6


def test_a_recipe_whose_first_trial_failed_at_once_can_be_put_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"base": "embedded", "space": SPACE, "trials": 1, "run": tmp_path / "s"}

    class Refusing(Scripted):
        def carry_out(self, *_given: Any) -> Ended:
            return Ended("BookError", "no such book", fixable=True)

    scripted(monkeypatch, Refusing())
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("shelf: [nowhere.epub]\n", encoding="utf-8")
    with pytest.raises(BookError):
        search(wrong, settings=SETTINGS, **asked)
    scripted(monkeypatch, Scripted())
    assert search("sample:tale", settings=SETTINGS, **asked).journal.asked.source == "sample:tale"


@pytest.mark.slow
def test_where_processes_may_not_fork_the_same_is_found(
    found: Search, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a GPU: every trial in a process that was started for it."""
    monkeypatch.setattr("quire.verbs.search.may_fork", lambda: False)
    again = search(recipe, trials=2, repeats=0, space=[f"{RATE}=4e-3..4e-2/log"], run=tmp_path / "s")
    assert [(t.params, t.loss) for t in again.journal.trials] == [(t.params, t.loss) for t in found.journal.trials]


def start(recipe: Path, folder: Path) -> subprocess.Popen[str]:
    words = ["search", "sample:tale", "--trials", "3", "--repeats", "1", "--run", str(folder), "--base"]
    base = load_recipe(recipe).recipe.base
    settings = [part for key, value in TINY_TRAINING.items() for part in ("--set", f"{key}={value}")]
    return subprocess.Popen(
        [sys.executable, "-m", "quire", *words, str(base), *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def table(folder: Path) -> list[tuple[Any, ...]]:
    kept = json.loads((folder / "search.json").read_text(encoding="utf-8"))
    return [
        (t["number"], t["seed"], t["state"], t["loss"], json.dumps(t["params"]))
        for t in kept["trials"] + kept["repeats"]
    ]


@pytest.mark.slow
def test_killed_and_stopped_at_any_moment_a_search_ends_as_if_it_had_not_been(recipe: Path, tmp_path: Path) -> None:
    undisturbed = start(recipe, tmp_path / "whole")
    _, err = undisturbed.communicate(timeout=600)
    assert undisturbed.returncode == 0, err
    disturbed = tmp_path / "disturbed"
    numbers = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGKILL]
    for turn, number in enumerate(numbers):
        process = start(recipe, disturbed)
        place = disturbed / "trials" / f"{turn // 2:04d}"
        deadline = time.monotonic() + 300
        while process.poll() is None and not (holder(disturbed / "lock") and holder(place / "lock")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        _, err = process.communicate(timeout=300)
        expected = (75, 0) if number != signal.SIGKILL else (-9, 0)
        assert process.returncode in expected, err
        assert "Traceback" not in err
    last = start(recipe, disturbed)
    _, err = last.communicate(timeout=600)
    assert last.returncode == 0, err
    assert table(disturbed) == table(tmp_path / "whole")
