"""Trackers by name: what they do to a training, which is nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from quire.errors import RecipeError
from quire.planner.cautions import Warned
from quire.run.events import Event, EventLog
from quire.training.watching import trackers
from quire.training.watching.trackers import require_trackers, tracking
from tracking import new_run

STEP = Event(0.0, "step", "train", 0, 1, {"loss": 3.0})


def test_a_tracker_that_is_not_installed_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: None if name in ("wandb", "mlflow") else object())
    with pytest.raises(RecipeError, match="wandb, and it is not installed") as caught:
        require_trackers(["tensorboard", "wandb"])
    assert 'pip install "quire[track]"' in caught.value.then
    with pytest.raises(RecipeError, match="wandb and mlflow, and they are not installed"):
        require_trackers(["wandb", "mlflow"])
    require_trackers(["tensorboard"])
    require_trackers([])


def test_without_trackers_nothing_is_started(tmp_path: Path) -> None:
    told: list[Warned] = []
    with tracking([], new_run(tmp_path / "run"), told.append) as listen:
        listen(STEP)
    assert told == []


def fake_wandb(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "wandb.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(trackers, "BETWEEN_LOOKS", 0.0)


def test_one_that_fails_is_told_of_once_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_wandb(tmp_path, "raise OSError('the network is down\\nand more')", monkeypatch)
    folder, told = new_run(tmp_path / "run"), list[Warned]()
    with EventLog(folder.events_file) as log, tracking(["wandb"], folder, told.append) as listen:
        until = time.monotonic() + 30
        while not told and time.monotonic() < until:
            listen(log.append("step", "train", 0, 1, {"loss": 3.0}))
            time.sleep(0.02)
        listen(STEP)
    [warned] = told
    assert warned.text == "the tracker wandb has given up: OSError: the network is down"
    assert "run/track/wandb.log" in warned.remedy
    assert str(tmp_path) not in warned.remedy
    assert "the network is down" in (folder.path / "track" / "wandb.log").read_text()


def test_one_that_hangs_neither_slows_the_steps_nor_keeps_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_wandb(tmp_path, "import time\ntime.sleep(600)", monkeypatch)
    monkeypatch.setattr(trackers, "PATIENCE", 0.3)
    folder, told = new_run(tmp_path / "run"), list[Warned]()
    with tracking(["wandb"], folder, told.append) as listen:
        listen(STEP)
        began = time.monotonic()
        for _ in range(1000):
            listen(STEP)
        assert time.monotonic() - began < 1.0
    assert [warned.guide for warned in told] == ["trackers"]
    assert "had not taken everything" in told[0].text


def test_one_whose_program_cannot_be_started_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers.sys, "executable", str(tmp_path / "no-python"))
    told: list[Warned] = []
    with tracking(["tensorboard"], new_run(tmp_path / "run"), told.append) as listen:
        listen(STEP)
        listen(STEP)
    assert len(told) == 1


def test_a_training_that_fails_leaves_no_tracker_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_wandb(tmp_path, "import time\ntime.sleep(600)", monkeypatch)
    monkeypatch.setattr(trackers, "PATIENCE", 0.1)
    began = time.monotonic()

    def fail() -> None:
        with tracking(["wandb"], new_run(tmp_path / "run"), lambda warned: None) as listen:
            listen(STEP)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert time.monotonic() - began < 20
