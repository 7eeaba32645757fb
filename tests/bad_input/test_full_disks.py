"""A full disk: nothing is lost that was there."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

from quire.cli.app import run
from quire.run.events import read_events
from refusals import Shown, contents, losses, refused, train_command


def test_too_little_space_is_told_before_the_first_step(
    book: Path, tiny_base: Path, tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    error, remedy = refused(capsys, *train_command(book, tiny_base, tmp_path / "run"))
    assert str(tmp_path / "run") in error
    assert "free" in remedy
    assert not [event for event in read_events(tmp_path / "run" / "events.jsonl") if event.kind == "step"]


@pytest.mark.parametrize("syncs", [0, 1, 7, 14])
def test_a_disk_that_fills_up_loses_nothing_that_was_there(
    syncs: int,
    halfway: Path,
    finished_once: Path,
    book: Path,
    tiny_base: Path,
    capsys: Shown,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk refuses from some sync on; once there is room again, the run ends as if nothing had been."""
    before = contents(halfway / "checkpoints")
    left, sync = syncs, os.fsync

    def full(handle: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        error, remedy = refused(capsys, *train_command(book, tiny_base, halfway))
    assert "disk is full" in error
    assert str(halfway) in error
    assert "same command" in remedy
    after = contents(halfway / "checkpoints")
    assert {name: after.get(name) for name in before if name.startswith("0000003")}.items() <= before.items()
    assert not (halfway / "voice").exists()
    assert run(train_command(book, tiny_base, halfway)) == 0
    assert losses(halfway) == losses(finished_once)
    name = "voice/adapter_model.safetensors"
    assert (halfway / name).read_bytes() == (finished_once / name).read_bytes()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB, where this machine lets us make one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True)
    if made.returncode != 0:
        pytest.skip("a file system can be mounted only by root, and not everywhere")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_really_full_loses_nothing(
    small_disk: Path, book: Path, tiny_base: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check before the start is left out, as if another program had filled the disk in the meantime."""
    monkeypatch.setattr("quire.verbs.stages.curriculum.require_space", lambda path, needed: None)
    ballast, place = small_disk / "ballast", small_disk / "run"
    ballast.write_bytes(bytes(1_300_000))
    error, _ = refused(capsys, *train_command(book, tiny_base, place, **{"train.keep": "50"}))
    assert "disk is full" in error
    assert str(place) in error
    ballast.unlink()
    saved = sorted(path.name for path in (place / "checkpoints").iterdir() if path.name.isdigit())
    for name in saved:
        assert (place / "checkpoints" / name / "manifest.json").is_file()
    monkeypatch.setattr("quire.verbs.stages.curriculum.require_space", lambda path, needed: None)
    assert run(train_command(book, tiny_base, place, **{"train.keep": "50"})) == 0


def test_a_disk_without_any_room_is_named(small_disk: Path, book: Path, tiny_base: Path, capsys: Shown) -> None:
    with (small_disk / "ballast").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        file.writelines(repeat(bytes(4096)))
    error, _ = refused(capsys, *train_command(book, tiny_base, small_disk / "run"))
    assert "disk" in error
    assert str(small_disk) in error
