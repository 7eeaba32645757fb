"""What is told of the run and of the works: loading, curves, energy, shares, samples, tuning."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks.base.task import Task
from benchmarks.base.texts import keep

from benchmarks.base import curves, loading, samples, shares, tuning
from littleruns import little_run
from madeworks import book_of, pieces_of, silence
from quire.run.events import Event, EventLog, read_events


def test_loading_is_the_median_of_fresh_processes(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = tmp_path / "count"
    child = (
        "import pathlib, sys; p = pathlib.Path({!r}); n = int(p.read_text()) if p.exists() else 0; "
        "p.write_text(str(n + 1)); print('noise'); print([[5, 1, 1], [6, 9, 2], [7, 2, 9]][n])"
    )
    monkeypatch.setattr(loading, "_CHILD", child.format(str(counter)))
    told = loading.measure(task, tries=3)
    assert told == {"tries": 3, "import_seconds": 6, "load_seconds": 2, "again_seconds": 2}


def test_the_course_of_all_stages_is_drawn_and_told(task: Task, tmp_path: Path) -> None:
    run = little_run(tmp_path / "run", losses=(5.0, 4.0, 3.0), stages=("reading", "talking")).path
    told = curves.measure(replace(task, run=run))
    assert (tmp_path / told["picture"]).read_bytes().startswith(b"\x89PNG")
    assert [(stage["stage"], stage["steps"], stage["tokens"]) for stage in told["stages"]] == [
        *[("reading", 2, 2000), ("talking", 2, 2000)]
    ]
    assert told["stages"][0]["losses"] == [
        {"step": 0, "tokens": 0, "training": None, "held_out": 5.0},
        {"step": 10, "tokens": 1000, "training": 4.0, "held_out": 4.0},
        {"step": 20, "tokens": 2000, "training": 3.0, "held_out": 3.0},
    ]
    used = told["energy"]
    assert used["measured"] == ""
    assert used["core_seconds"] == 8.0 * used["threads"]
    assert used["kilowatt_hours"] == round(used["core_seconds"] * 10 / 3.6e6, 4)


def test_counters_come_before_estimates(task: Task, tmp_path: Path) -> None:
    run = little_run(tmp_path / "run")
    with EventLog(run.events_file) as log:
        log.append("energy", values={"session": "1", "seconds": 7200.0, "gpu_kilowatt_hours": 0.5})
    told = curves.energy(read_events(run.events_file), 2)
    assert (told["kilowatt_hours"], told["measured"]) == (0.5, "GPUs, by their driver")


def test_long_tables_keep_their_ends() -> None:
    rows = [{"step": n} for n in range(100)]
    assert [row["step"] for row in curves.spaced(rows, 4)] == [0, 33, 66, 99]
    assert curves.spaced(rows[:3], 4) == rows[:3]


def test_losses_of_steps_that_were_left_out_are_not_needed() -> None:
    told = [Event(0, "skipped", "a", 0, 1, {}), Event(0, "validation", "a", 0, 2, {"loss": 2.0})]
    assert curves.losses_of(told) == [{"step": 2, "tokens": 0, "training": None, "held_out": 2.0}]


def test_works_are_counted_by_language_period_source_and_licence(task: Task, tmp_path: Path) -> None:
    books = [
        book_of(n, ["Text."], "fr" if n == 3 else "en", year) for n, year in enumerate(["1799", "1800", "", "1899"])
    ]
    books.append(replace(book_of(4, ["Hello?", "Yes."]), kind="conversations"))
    keep(tmp_path / "own", "made", pieces_of(books, ["train", "test", "train", "train", "train"]), silence)
    told = shares.measure(replace(task, home=tmp_path / "own"))
    size = len("A River\n\nText.")
    assert told["periods"] == [
        {"language": "en", "period": "1750–1799", "train": [1, size]},
        {"language": "en", "period": "1800–1849", "test": [1, size]},
        {"language": "en", "period": "collections", "train": [1, size]},
        {"language": "fr", "period": "1850–1899", "train": [1, size]},
    ]
    assert told["languages"][0] == {"language": "en", "train": [2, 2 * size], "test": [1, size]}
    assert {row["licence"]: row["train"][0] for row in told["licences"] if "train" in row} == {
        "CC0": 2,
        "public domain": 1,
    }
    assert told["sources"][0]["source"] == "made"
    assert told["conversations"][0]["train"][0] == 1
    assert [one["id"] for one in told["held_out"]] == ["made:1"]


def test_samples_are_of_every_stage(
    task: Task, base_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.base.task.mark_of", lambda _run: "")  # the texts are its
    run = little_run(tmp_path / "run", stages=("reading", "talking"))
    shutil.copytree(base_folder, run.stage(0, "reading") / "voice")
    told = samples.measure(replace(task, run=run.path))
    assert [row["language"] for row in told["rows"]] == ["en", "en", "fr", "fr"]
    for row in told["rows"]:
        assert list(row["texts"]) == ["after reading", "the base"]
        assert row["texts"]["after reading"] == row["texts"]["the base"], "the same weights, seed and prompt"
    assert list(samples.measure(task)["rows"][0]["texts"]) == ["the base"]


def test_tuning_tells_what_judging_found(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / tuning.BOOKS[0]).write_text("a book")
    asked: list[tuple[str, str, object]] = []

    def tuned(book: str, base: str, settings: Mapping[str, object]) -> dict[str, Any]:
        asked.append((Path(book).name, base, settings["train.steps"]))
        return {"before": 2.0, "after": 1.9, "change": [-0.05, None, None]}

    monkeypatch.setattr(tuning, "tuned", tuned)
    told = tuning.measure(replace(task, books=tmp_path), {"train.steps": 3})
    assert asked == [(tuning.BOOKS[0], task.base, 3), (tuning.NOVELLA, task.base, 3)]
    assert json.loads(json.dumps(told))["rows"][0]["after"] == 1.9
