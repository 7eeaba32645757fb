"""Going on from an earlier voice with a second book: what is taken over, watched, mixed in, and where it is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import quire
from quire.errors import RecipeError, RunError, VoiceError
from quire.planner.bases import BaseFiles
from quire.recipe.resolved import load_resolved
from quire.run.events import Event, read_events
from quire.run.folder import RunFolder
from quire.training.learner import Start
from quire.verbs.plan import plan
from quire.verbs.stages.earlier import earlier_start_of
from quire.verbs.stages.passed_on import base_of_voice
from toy import TINY_TRAINING, varied_book

ADAPTER = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("books")
    varied_book(folder / "first.md", seed=1)
    varied_book(folder / "second.md", seed=2)
    return folder


@pytest.fixture(scope="module")
def first(books: Path, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> quire.Run:
    path = tmp_path_factory.mktemp("first") / "first"
    settings = TINY_TRAINING | {"train.steps": 12}
    return quire.train(books / "first.md", base=str(tiny_base), run=path, settings=settings)


def go_on(first: quire.Run, books: Path, path: Path, **changes: object) -> quire.Run:
    settings = {key: value for key, value in TINY_TRAINING.items() if not key.startswith("train.method")}
    given = {"from": str(first.path), **{key.replace("__", "."): value for key, value in changes.items()}}
    return quire.train(books / "second.md", run=path, settings=settings | given)


@pytest.fixture(scope="module")
def second(first: quire.Run, books: Path, tmp_path_factory: pytest.TempPathFactory) -> quire.Run:
    return go_on(first, books, tmp_path_factory.mktemp("second") / "second", train__replay="25%")


def of_kind(run: quire.Run, kind: str) -> list[Event]:
    return [event for event in read_events(RunFolder(run.path).events_file) if event.kind == kind]


def test_the_earlier_adapter_goes_on_learning_on_its_own_base(first: quire.Run, second: quire.Run) -> None:
    before, after = (load_file(run.voice / ADAPTER) for run in (first, second))
    assert set(before) == set(after)
    moved = max(float((before[name] - after[name]).abs().max()) for name in before)
    assert 0 < moved < 0.2
    (told,) = of_kind(second, "inherited")
    assert told.values["from"] == f"{first.path}: its adapter goes on learning"
    assert quire.write_all(second.path, "The miller").texts


def test_what_was_learned_is_there_at_the_beginning(first: quire.Run, second: quire.Run) -> None:
    """The first book's held-out loss, watched from the first step on, starts where the first run ended."""
    ended = of_kind(first, "validation")[-1].values["loss"]
    watched = [event.values["watched"] for event in of_kind(second, "validation")]
    losses = [next(iter(found.values())) for found in watched if isinstance(found, dict)]
    assert len(losses) == len(watched) > 1
    assert losses[0] == pytest.approx(ended, rel=1e-4)


def test_replay_mixes_in_the_share_that_was_asked_for(second: quire.Run, first: quire.Run, books: Path) -> None:
    plain = go_on(first, books, second.path.parent / "plain")
    mixed, own = (of_kind(run, "prepared")[0].values["rows"] for run in (second, plain))
    assert isinstance(mixed, int)
    assert isinstance(own, int)
    epochs = [of_kind(run, "step")[-1].values["epoch"] for run in (second, plain)]
    assert mixed > own
    assert float(str(epochs[0])) / float(str(epochs[1])) == pytest.approx(0.75, abs=0.05), "an epoch is a third longer"


def test_a_new_method_may_lie_on_what_was_learned(first: quire.Run, books: Path, tmp_path: Path) -> None:
    done = go_on(first, books, tmp_path / "merged", train__method={"lora": {"rank": 2}})
    (told,) = of_kind(done, "inherited")
    assert "melted into the base, under a new one" in str(told.values["from"])
    assert (done.voice / "base" / "model.safetensors").is_file()


@pytest.mark.parametrize("method", ["full", {"lora": {"rank": 6, "targets": ["q_proj"], "lr_ratio": 16}}])
def test_what_goes_on_learning_is_foreseen_as_what_it_is(
    method: object, tiny_base: Path, books: Path, tmp_path: Path
) -> None:
    """A learning rate that is usual for all weights and too low for an adapter, of which alone it is warned."""
    settings = TINY_TRAINING | {"train.method": method, "train.steps": 1, "train.learning_rate": 1e-5}
    settings = {key: value for key, value in settings.items() if not key.startswith("train.method.")}
    before = quire.train(books / "first.md", base=str(tiny_base), run=tmp_path / "first", settings=settings)
    given = {"train.steps": 1, "train.learning_rate": 1e-5}
    done = go_on(before, books, tmp_path / "second", **{key.replace(".", "__"): value for key, value in given.items()})
    (decided,) = of_kind(done, "decided")
    foreseen = plan(books / "second.md", settings=given | {"from": str(before.path), "train.window": 64})
    assert str(decided.values["parameters"]).startswith(f"{foreseen.plan.trainable:,} of ")
    warned = [event.values["guide"] for event in of_kind(done, "warning")]
    assert ("learning-rate" in warned) == (method != "full")
    kept = load_resolved(done.path / "recipe.yaml").decided.stages[0]
    assert kept.lr_ratio == (1 if method == "full" else 16)


def test_a_voice_folder_is_enough_but_then_nothing_can_be_watched(
    first: quire.Run, books: Path, tmp_path: Path
) -> None:
    alone = Path(shutil.copytree(first.voice, tmp_path / "voice"))
    done = go_on(quire.Run(alone, 0), books, tmp_path / "run")
    assert all("watched" not in event.values for event in of_kind(done, "validation"))
    assert any("is a voice without its run" in str(event.values["text"]) for event in of_kind(done, "warning"))
    with pytest.raises((RecipeError, RunError), match="replay"):
        go_on(quire.Run(alone, 0), books, tmp_path / "other", train__replay="10%")


def test_a_first_book_that_is_gone_is_said_and_not_watched(tiny_base: Path, books: Path, tmp_path: Path) -> None:
    book = Path(shutil.copy(books / "first.md", tmp_path / "gone.md"))
    before = quire.train(book, base=str(tiny_base), run=tmp_path / "first", settings=TINY_TRAINING)
    book.unlink()
    done = go_on(before, books, tmp_path / "run")
    assert any("cannot be read any more" in str(event.values["text"]) for event in of_kind(done, "warning"))
    varied_book(book, seed=9)
    again = go_on(before, books, tmp_path / "again")
    assert any("is not what" in str(event.values["text"]) for event in of_kind(again, "warning"))


def test_an_earlier_voice_that_was_changed_stops_a_resume(first: quire.Run, books: Path, tmp_path: Path) -> None:
    copied = quire.Run(Path(shutil.copytree(first.path, tmp_path / "first")), 0)
    with pytest.raises(quire.Stopped):
        quire.train(
            books / "second.md",
            run=tmp_path / "run",
            settings={"from": str(copied.path), "train.window": 64, "train.precision": "fp32", "train.steps": 400},
            max_time=6,
        )
    weights = load_file(copied.voice / ADAPTER)
    from safetensors.torch import save_file

    save_file({name: tensor + torch.ones_like(tensor) for name, tensor in weights.items()}, copied.voice / ADAPTER)
    with pytest.raises(RunError, match="changed since"):
        quire.train(tmp_path / "run")


def test_a_name_that_is_no_run_and_no_voice_is_refused(books: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run named"):
        quire.train(books / "second.md", run=tmp_path / "run", settings={"from": "nowhere"})
    (tmp_path / "runs" / "begun").mkdir(parents=True)
    RunFolder.create(tmp_path / "runs" / "begun")
    with pytest.raises(VoiceError, match="has no voice yet"):
        quire.train(books / "second.md", run=tmp_path / "run", settings={"from": str(tmp_path / "runs" / "begun")})


def test_the_base_of_a_voice_is_found_beside_it_in_it_or_by_its_name(
    first: quire.Run, tiny_base: Path, tmp_path: Path
) -> None:
    assert base_of_voice(str(first.path)) == str(tiny_base)
    files = BaseFiles(str(tiny_base), tiny_base, "", "folder")
    assert earlier_start_of(str(first.path), files) == Start(files, first.voice)
    whole = Path(shutil.copytree(tiny_base, tmp_path / "whole"))
    assert base_of_voice(str(whole)) == str(whole)
    assert earlier_start_of(str(whole), files) == Start(files)
