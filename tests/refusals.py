"""What bad input gets, by the front door: exit code 2, one line that names the thing, one that says what to try."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.cli.app import run
from quire.run.events import read_events

Shown = pytest.CaptureFixture[str]
TINY = {
    "train.window": "64",
    "train.precision": "fp32",
    "train.steps": "4",
    "train.evaluate_every": "1",
    "train.keep": "3",
    "write.max_new_tokens": "4",
}


def refused(shown: Shown, *arguments: str, code: int = 2) -> tuple[str, str]:
    """Carry out the command; its `error:` and `try:` lines, without these words, of which there must be one each."""
    shown.readouterr()
    assert run(arguments) == code
    out, err = shown.readouterr()
    assert "Traceback" not in out + err
    lines = err.splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith(("error:", "try:"))] == ["error", "try"]
    error, remedy = lines[-2].removeprefix("error: "), lines[-1].removeprefix("try: ")
    assert error.strip()
    assert remedy.strip()
    assert out == ""
    return error, remedy


def train_command(book: Path, base: Path, place: Path, *more: str, **changes: str) -> list[str]:
    settings = [part for key, value in (TINY | changes).items() for part in ("--set", f"{key}={value}")]
    return ["train", str(book), "--base", str(base), "--run", str(place), *settings, *more]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, without the lock, which holds whoever came last."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def losses(place: Path) -> list[object]:
    """Of every step."""
    return [event.values["loss"] for event in read_events(place / "events.jsonl") if event.kind == "step"]
