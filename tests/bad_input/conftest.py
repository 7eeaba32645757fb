"""A book, a run that trained on it, and that run as if it had been killed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from quire.cli.app import run
from refusals import train_command


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad-input")


@pytest.fixture(scope="session")
def book(home: Path) -> Path:
    sentences = (
        "The ferryman opened the door and looked at the water for a long time.",
        "You ask me why we do not go on, she said to the clerk.",
        "Nobody in the village had seen it leave, and nobody would say so.",
    )
    chapters = []
    for number in range(10):
        turned = " ".join(sentences[number % 3 :] + sentences[: number % 3])
        chapters.append(f"# Chapter {number + 1}\n\n{turned}\n\n{turned}")
    path = home / "river.md"
    path.write_text("\n\n".join(chapters) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def finished_once(home: Path, book: Path, tiny_base: Path) -> Path:
    assert run(train_command(book, tiny_base, home / "done")) == 0
    return home / "done"


@pytest.fixture
def finished(finished_once: Path, tmp_path: Path) -> Path:
    """A run with its voice, for this test alone."""
    return Path(shutil.copytree(finished_once, tmp_path / "done"))


@pytest.fixture
def halfway(finished: Path) -> Path:
    """The same run as if it had been killed after its third step."""
    kept = []
    for line in (finished / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True):
        event = json.loads(line)
        kept.append(line)
        if event["kind"] == "checkpoint" and event["step"] == 3:
            break
    (finished / "events.jsonl").write_text("".join(kept), encoding="utf-8")
    shutil.rmtree(finished / "checkpoints" / "0000004")
    shutil.rmtree(finished / "voice")
    (finished / "samples.md").unlink()
    return finished
