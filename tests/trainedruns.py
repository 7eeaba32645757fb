"""Copies of a finished run, and what is compared of two."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from quire.run.atomic import hash_file
from quire.run.events import Event, read_events
from quire.verbs.train import Run


def again(run: Run, place: Path) -> Path:
    return Path(shutil.copytree(run.path, place))


def adapter(path: Path) -> str:
    return hash_file(path / "voice" / "adapter_model.safetensors")


def losses(path: Path) -> list[tuple[str, int, int, object]]:
    events = read_events(path / "events.jsonl")
    return [(e.kind, e.part, e.step, e.values["loss"]) for e in events if e.kind in ("step", "validation")]


def halfway(run: Run, place: Path) -> Path:
    """A copy of the finished run in which the voice was not saved yet."""
    again(run, place)
    shutil.rmtree(place / "voice")
    lines = (place / "events.jsonl").read_text().splitlines()
    (place / "events.jsonl").write_text("\n".join(lines[:-2]) + "\n")
    return place


def stopping(kind: str, step: int) -> object:
    """Send one SIGTERM at the first event of that kind and step."""
    waiting = [(kind, step)]

    def hear(event: Event) -> None:
        if (event.kind, event.step) in waiting:
            waiting.clear()
            os.kill(os.getpid(), signal.SIGTERM)

    return hear
