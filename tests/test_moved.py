"""What happens around a run between two starts: it is moved, the clock is set back; the bytes stay the same."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from quire.cli.app import run
from quire.run.events import read_all_events, read_events
from quire.training.checkpoints import list_checkpoints

TINY = {
    "train.window": "64",
    "train.precision": "fp32",
    "train.steps": "3",
    "train.method.lora.dropout": "0.1",
    "write.max_new_tokens": "4",
}
ADAPTER = "voice/adapter_model.safetensors"


def command(base: Path, place: Path, *more: str) -> list[str]:
    settings = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    return ["train", "sample:tale", "--base", str(base), "--run", str(place), *settings, *more]


@pytest.fixture(scope="module")
def undisturbed(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("moved") / "run"
    assert run(command(tiny_base, place)) == 0
    return place


def told(place: Path) -> list[object]:
    return [e.values["loss"] for e in read_events(place / "events.jsonl") if e.kind in ("step", "validation")]


def as_it_stood(finished: Path, place: Path) -> Path:
    """The run as a kill in its last step has left it: its first checkpoints and what was told until then."""
    shutil.copytree(finished, place)
    shutil.rmtree(place / "voice")
    shutil.rmtree(list_checkpoints(place / "checkpoints")[-1])
    lines = (place / "events.jsonl").read_bytes().splitlines(keepends=True)
    last = next(n for n, line in enumerate(lines) if b'"step": 3' in line)
    (place / "events.jsonl").write_bytes(b"".join(lines[: last + 1]))
    return place


def test_a_run_that_was_moved_goes_on_where_it_is_now(tiny_base: Path, tmp_path: Path, undisturbed: Path) -> None:
    as_it_stood(undisturbed, tmp_path / "here")
    (tmp_path / "there").mkdir()
    moved = (tmp_path / "here").rename(tmp_path / "there" / "under another name")
    assert run(command(tiny_base, moved)) == 0
    assert (moved / ADAPTER).read_bytes() == (undisturbed / ADAPTER).read_bytes()
    assert told(moved) == told(undisturbed)
    assert not (tmp_path / "here").exists()


def test_a_clock_that_was_set_back_changes_nothing_that_is_learned_or_kept(
    tiny_base: Path, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = as_it_stood(undisturbed, tmp_path / "run")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 10 * 365 * 86400)
    assert run(command(tiny_base, place)) == 0
    assert (place / ADAPTER).read_bytes() == (undisturbed / ADAPTER).read_bytes()
    assert told(place) == told(undisturbed)
    events = read_all_events(place / "events.jsonl")
    assert events[-1].time < events[0].time, "the clock was back indeed"
    assert all(value >= 0 for e in events if e.kind == "step" for key, value in e.values.items() if key == "seconds")


def test_a_run_without_its_recipe_is_told_what_is_missing_or_starts_over(
    tiny_base: Path, tmp_path: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = as_it_stood(undisturbed, tmp_path / "run")
    (place / "recipe.yaml").unlink()
    assert run(command(tiny_base, place)) == 2
    said = capsys.readouterr().err.splitlines()[-2:]
    assert "recipe.yaml" in said[0]
    assert said[1].startswith("try: ")
