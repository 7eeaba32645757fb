"""What a run holds to when it goes on.  Whole runs that are stopped and resumed are in test_train.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.errors import RunError
from quire.model.machine import device_name
from quire.recipe.load import Loaded, load_recipe
from quire.recipe.resolved import Decided, ResolvedRecipe
from quire.run.events import EventLog
from quire.run.folder import RunFolder
from quire.verbs.stages.resume import (
    earlier_start,
    go_on_with,
    lost_kernels,
    other_versions,
    same_base,
    same_device,
    same_sources,
)

OWN = {"shelf": ["book.txt"], "train": {"epochs": 2, "learning_rate": 1e-4}, "name": "ferry"}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run that was started and has not learned anything yet."""
    folder = RunFolder.create(tmp_path / "ferry")
    folder.recipe_file.write_text(resolved().to_yaml(), encoding="utf-8")
    return folder


def resolved() -> ResolvedRecipe:
    return ResolvedRecipe(recipe=load_recipe(OWN).recipe, decided=Decided(base="embedded"), sources={"book.txt": "ab"})


def given(data: dict[str, object], **settings: object) -> Loaded:
    return load_recipe(
        {"shelf": ["book.txt"]} | data, {key.replace("__", "."): value for key, value in settings.items()}
    )


def test_what_has_learned_nothing_may_still_change(folder: RunFolder) -> None:
    assert earlier_start(folder) is None
    with EventLog(folder.events_file) as log:
        log.append("decided", "train", 0, 0, {})
    assert earlier_start(folder) is None
    with EventLog(folder.events_file) as log:
        log.append("step", "train", 0, 1, {"loss": 3.0})
    assert earlier_start(folder) == resolved()


def test_a_checkpoint_alone_is_proof_of_a_start(folder: RunFolder) -> None:
    (folder.checkpoints / "0000004").mkdir(parents=True)
    assert earlier_start(folder) == resolved()


def test_what_is_not_given_stays_as_the_run_has_it(folder: RunFolder) -> None:
    recipe = go_on_with(folder, resolved(), given({}))
    assert recipe == resolved().recipe
    assert recipe.train.learning_rate == 1e-4


def test_what_changes_nothing_that_is_learned_may_be_given_anew(folder: RunFolder) -> None:
    recipe = go_on_with(folder, resolved(), given({}, train__keep=7, train__log_every=5))
    assert (recipe.train.keep, recipe.train.log_every, recipe.train.epochs) == (7, 5, 2)


@pytest.mark.parametrize("by_run", [False, True])
def test_of_stages_too_what_changes_nothing_may_be_given_anew(folder: RunFolder, by_run: bool) -> None:
    """By the recipe that the run was started with, and by the run itself, whose recipe.yaml writes every key."""
    stages = [{"name": "wide"}, {"name": "book", "keep": 5, "log_every": 4}]
    data: dict[str, object] = {**OWN, "stages": stages}
    own = ResolvedRecipe(recipe=load_recipe(data).recipe, decided=Decided(base="embedded"))
    folder.recipe_file.write_text(own.to_yaml(), encoding="utf-8")
    source = folder.recipe_file if by_run else data

    def kept(**settings: object) -> list[tuple[int, int]]:
        now = load_recipe(source, {key.replace("__", "."): value for key, value in settings.items()})
        return [(stage.keep, stage.log_every) for stage in go_on_with(folder, own, now).stages]

    assert kept() == [(2, 1), (5, 4)]
    assert kept(train__keep=1) == [(1, 1), (5, 4)], "what a stage says itself wins"
    assert kept(stages__book__keep=3, train__log_every=7) == [(2, 7), (3, 4)]
    with pytest.raises(RunError, match=r"stages\.book\.epochs: 2\.0 → 9\.0"):
        kept(stages__book__epochs=9)
    alone = go_on_with(folder, own, given({}, train__save_every=6))
    assert [stage.save_every for stage in alone.stages] == [6, 6], "named by its book alone"


def test_other_settings_are_named_with_both_values(folder: RunFolder) -> None:
    with pytest.raises(RunError, match=r"train\.epochs: 2\.0 → 5\.0") as caught:
        go_on_with(folder, resolved(), given({}, train__epochs=5))
    assert "--run NEW" in caught.value.then


def test_settings_of_later_verbs_are_shown_their_place(folder: RunFolder) -> None:
    with pytest.raises(RunError, match=r"write\.temperature") as caught:
        go_on_with(folder, resolved(), given({}, write__temperature=0.5))
    assert "quire write ferry takes write keys with --set" in caught.value.then


def test_a_source_more_or_less_is_another_shelf(folder: RunFolder) -> None:
    with pytest.raises(RunError, match=r"shelf\.1\.path"):
        go_on_with(folder, resolved(), load_recipe({"shelf": ["book.txt", "other.txt"]}))
    two = ResolvedRecipe(
        recipe=load_recipe({"shelf": ["book.txt", "other.txt"]}).recipe, decided=Decided(base="embedded")
    )
    with pytest.raises(RunError, match=r"shelf\.1\.path: .*other\.txt → None"):
        go_on_with(folder, two, load_recipe({"shelf": ["book.txt"]}))


def test_a_changed_text_and_a_moved_base_are_named(folder: RunFolder) -> None:
    same_sources(folder, resolved(), {"book.txt": "ab"})
    with pytest.raises(RunError, match=r"book\.txt changed since"):
        same_sources(folder, resolved(), {"book.txt": "cd"})
    decided = Decided(base="a/base", base_revision="one")
    same_base("one", "a/base", decided)
    with pytest.raises(RunError, match="a/base was at revision one when the run was started, now two"):
        same_base("two", "a/base", decided)


def test_other_libraries_than_at_the_start_are_named_with_the_way_back() -> None:
    here = {"python": "3.12.1", "torch": "2.9.0", "transformers": "5.0.0", "peft": "0.18.0"}
    began = resolved().model_copy(update={"versions": here})
    assert other_versions(began, here) == []
    assert other_versions(began, {**here, "python": "3.13.0"}) == [], "it computes nothing"
    assert other_versions(resolved(), here) == [], "of a run that does not say them"
    (warned,) = other_versions(began, {**here, "torch": "2.10.0", "peft": "0.19.0"})
    assert "torch 2.9.0 → 2.10.0, peft 0.18.0 → 0.19.0" in warned.text
    assert "pip install torch==2.9.0 peft==0.18.0" in warned.remedy


def test_kernels_that_are_missing_here_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    began = resolved()
    compiled = began.model_copy(update={"decided": began.decided.model_copy(update={"kernels": "native"})})
    monkeypatch.setattr("quire.model.kernels.native.why_not", lambda: "they were not built")
    (warned,) = lost_kernels(compiled)
    assert "missing here: they were not built" in warned.text
    assert lost_kernels(began) == [], "it did without"
    monkeypatch.setattr("quire.model.kernels.native.why_not", lambda: None)
    assert lost_kernels(compiled) == []


@pytest.mark.skipif(device_name() == "cuda", reason="there is a GPU here")
def test_a_run_of_a_gpu_wants_one(folder: RunFolder) -> None:
    same_device(folder, Decided(base="embedded", device="cpu"))
    with pytest.raises(RunError, match="was started on a GPU"):
        same_device(folder, Decided(base="embedded", device="cuda"))
