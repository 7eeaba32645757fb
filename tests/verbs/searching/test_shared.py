"""What trials share, by hand; that sharing changes no loss is tested with real trainings in test_search.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from littleruns import little_run
from quire.recipe.resolved import ResolvedRecipe, load_resolved
from quire.run.events import read_events
from quire.run.folder import RunFolder
from quire.verbs.searching.journal import Trial
from quire.verbs.searching.shared import clear_shared, keep_stages, lay_out, tidy

STAGES = ("wide", "deep", "imprint")


@pytest.fixture
def search(tmp_path: Path) -> tuple[Path, ResolvedRecipe]:
    """A search whose first trial has ended, with the voice of every stage."""
    run = little_run(tmp_path / "trials" / "0000", stages=STAGES)
    for number, name in enumerate(STAGES):
        voice = run.stage(number, name) / "voice"
        voice.mkdir(parents=True)
        (voice / "weights").write_text(name)
    resolved = load_resolved(run.recipe_file)
    (tmp_path / "recipe.yaml").write_text(run.recipe_file.read_text())
    keep_stages(tmp_path, resolved, Trial(0, {}))
    tidy(tmp_path, [Trial(0, {}, "finished", 3.0)], None)
    return tmp_path, resolved


def laid(search: tuple[Path, ResolvedRecipe], key: str, value: object, **more: object) -> tuple[int, RunFolder]:
    folder, resolved = search
    trial = Trial(1, {key: value}, **more)  # type: ignore[arg-type]
    settings = {key: value, **({"seed": trial.seed} if trial.seed is not None else {})}
    return lay_out(folder, trial, resolved, settings, str(folder / "recipe.yaml")), RunFolder(folder / trial.folder)


@pytest.mark.parametrize(
    ("key", "value", "count"),
    [
        ("stages.imprint.learning_rate", 1e-3, 2),
        ("stages.deep.learning_rate", 1e-3, 1),
        ("stages.wide.learning_rate", 1e-3, 0),
        ("stages.imprint.effective_batch", 4, 0),
    ],
)
def test_stages_before_the_first_varied_one_are_taken_over(
    key: str, value: object, count: int, search: tuple[Path, ResolvedRecipe]
) -> None:
    found, run = laid(search, key, value)
    assert found == count
    kept = [run.stage(number, name) / "voice" / "weights" for number, name in enumerate(STAGES)]
    assert [file.is_file() for file in kept] == [number < count for number in range(3)]
    if count:
        recipe = load_resolved(run.recipe_file).recipe
        assert recipe.stages[STAGES.index(key.split(".")[1])].learning_rate == value
        assert [e.stage for e in read_events(run.events_file) if e.kind == "stage_end"] == list(STAGES[:count])


def test_another_seed_takes_nothing_over(search: tuple[Path, ResolvedRecipe]) -> None:
    assert laid(search, "stages.imprint.learning_rate", 1e-3, seed=8)[0] == 0


def test_a_trial_that_has_begun_is_left_as_it_is(search: tuple[Path, ResolvedRecipe]) -> None:
    _, run = laid(search, "stages.imprint.learning_rate", 1e-3)
    before = run.events_file.read_bytes()
    assert laid(search, "stages.imprint.learning_rate", 1e-3)[0] == 0
    assert run.events_file.read_bytes() == before


def test_ended_trials_give_their_disk_back_and_the_best_keeps_its_voice(tmp_path: Path) -> None:
    trials = [
        Trial(0, {}, "finished", 3.0),
        Trial(1, {}, "finished", 2.0),
        Trial(2, {}, "running"),
        Trial(3, {}, "failed"),
    ]
    for trial in trials:
        lay_out(tmp_path, trial, None, {}, "")
        for name in ("voice", "checkpoints"):
            (tmp_path / trial.folder / name).mkdir()
    (tmp_path / "prepared").mkdir()
    tidy(tmp_path, trials, trials[1])
    left = {trial.number: sorted(path.name for path in (tmp_path / trial.folder).iterdir()) for trial in trials}
    assert left == {
        0: ["format"],
        1: ["checkpoints", "format", "voice"],
        2: ["checkpoints", "format", "voice"],
        3: ["format"],
    }
    assert (tmp_path / "prepared").is_dir(), "for the trials to come"
    clear_shared(tmp_path)
    assert not (tmp_path / "prepared").exists()
