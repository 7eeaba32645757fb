"""What there is, and what may be removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from littleruns import little_run
from quire.errors import RunError, Stopped
from quire.run.events import Event
from quire.run.lock import hold
from quire.verbs import runs as module
from quire.verbs.runs import entry_of, find_entries, remove_run, runs
from quire.verbs.search import search
from trials import SETTINGS, SPACE, Scripted, course


def test_runs_and_searches_are_listed_and_nothing_else(tmp_path: Path) -> None:
    little_run(tmp_path / "a", ends="stopped")
    course(tmp_path / "s", Scripted(), trials=1).all_trials()
    (tmp_path / "papers").mkdir()
    (tmp_path / "results.csv").write_text("run\n")
    found = {entry.name: entry for entry in runs(tmp_path)}
    assert set(found) == {"a", "s"}
    assert (found["a"].kind, found["a"].state, found["a"].steps, found["a"].base) == ("run", "stopped", 20, "embedded")
    assert (found["s"].kind, found["s"].state, found["s"].steps, found["s"].base) == (
        "search",
        "stopped",
        1,
        "embedded",
    )


def test_a_search_has_finished_when_all_that_was_wanted_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in its repeats it has not, nor while it is made longer."""
    monkeypatch.setattr("quire.verbs.search.Trainer", lambda _folder, _fork: nullcontext(trainer))
    given: dict[str, Any] = {"base": "embedded", "settings": SETTINGS, "space": SPACE, "prune": "none"}

    def stop_at(seed: int | None, number: int) -> Callable[[Event], None]:
        def hear(event: Event) -> None:
            if event.kind == "trial" and (event.values["seed"], event.values["number"]) == (seed, number):
                raise Stopped("asked to")

        return hear

    def state() -> str:
        return entry_of(tmp_path / "s").state

    trainer = Scripted()
    with pytest.raises(Stopped):
        search("sample:tale", trials=5, repeats=1, run=tmp_path / "s", listener=stop_at(8, 0), **given)
    assert state() == "stopped"
    search(tmp_path / "s")
    assert state() == "finished"
    with pytest.raises(Stopped):
        search(tmp_path / "s", trials=7, listener=stop_at(None, 6))
    assert state() == "stopped"


def test_size_counts_every_file_once_and_follows_no_link(tmp_path: Path) -> None:
    run = little_run(tmp_path / "a")
    before = entry_of(run.path).size_bytes
    (run.path / "weights").write_bytes(b"x" * 1000)
    os.link(run.path / "weights", run.path / "again")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "large").write_bytes(b"x" * 100_000)
    (run.path / "link").symlink_to(outside)
    link = (run.path / "link").lstat().st_size
    assert entry_of(run.path).size_bytes - before in (1000, 1000 + link)


def test_a_damaged_run_is_listed_as_such(tmp_path: Path) -> None:
    run = little_run(tmp_path / "a")
    run.recipe_file.write_text("{", encoding="utf-8")
    (entry,) = runs(tmp_path)
    assert entry.state == "damaged"


def test_a_removed_run_is_gone_and_nothing_else_is(tmp_path: Path) -> None:
    little_run(tmp_path / "a")
    little_run(tmp_path / "b")
    assert remove_run("a", tmp_path).name == "a"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_what_lies_behind_a_link_stays(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "book.txt").write_text("mine")
    home = tmp_path / "runs"
    run = little_run(home / "a")
    (run.path / "link").symlink_to(outside)
    remove_run("a", home)
    assert (outside / "book.txt").read_text() == "mine"
    little_run(tmp_path / "real")
    (home / "named").symlink_to(tmp_path / "real")
    with pytest.raises(RunError, match="is a link"):
        remove_run("named", home)
    assert (tmp_path / "real" / "recipe.yaml").is_file()
    assert runs(home) == []


def test_a_run_in_use_is_refused_before_anything_goes(tmp_path: Path) -> None:
    run = little_run(tmp_path / "a")
    with hold(run.lock), pytest.raises(RunError, match="in use"):
        find_entries(["a"], tmp_path)
    assert run.recipe_file.is_file()


@pytest.mark.parametrize("name", ["papers", "..", "."])
def test_what_is_no_run_is_refused(name: str, tmp_path: Path) -> None:
    home = tmp_path / "runs"
    (home / "papers").mkdir(parents=True)
    with pytest.raises(RunError, match="no run and no search"):
        find_entries([name], home)


def test_an_unknown_name_is_answered_with_those_there_are(tmp_path: Path) -> None:
    little_run(tmp_path / "novel")
    with pytest.raises(RunError, match="no run named navel") as caught:
        find_entries(["navel"], tmp_path)
    assert "novel" in caught.value.then


def test_a_removal_that_was_cut_short_is_finished_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    little_run(tmp_path / "a")

    def killed(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            remove_run("a", tmp_path)
    assert not (tmp_path / "a").exists(), "no half of it is ever seen"
    assert runs(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
