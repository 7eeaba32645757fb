"""The bench measures by doing."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.run.events import Event
from quire.verbs.bench import bench, training_figures


def step(seconds: float, tokens: int = 1000, memory: int = 10) -> Event:
    return Event(0.0, "step", values={"seconds": seconds, "tokens": tokens, "memory_bytes": memory})


def test_speed_is_the_median_without_the_first_steps() -> None:
    steps = [step(60.0), step(30.0), step(1.0), step(2.0, memory=99), step(4.0)]
    speed, first, memory = training_figures(steps)
    assert speed.value == 500
    assert first.value == 60
    assert memory.value == 99


def test_reading_training_and_writing_are_measured_and_nothing_is_left_behind(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = bench(str(tiny_base), settings={"train.window": 64, "train.steps": 3})
    names = {figure.name: figure for figure in found.figures}
    assert names.keys() == {"reading", "training", "first step", "peak memory", "writing"}
    assert all(figure.value > 0 for figure in found.figures)
    assert list(tmp_path.iterdir()) == []
