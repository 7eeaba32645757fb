from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from quire.errors import DiskFault, DiskFull
from quire.run import atomic
from quire.run.atomic import (
    fresh_folder,
    hash_file,
    named_disk_errors,
    remove_folder,
    remove_leftovers,
    require_space,
    write_bytes,
    write_text,
)

DEAD = 2**22 + 1  # above the largest process number that Linux gives out


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_written_text_is_read_back_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "a.txt", "first")
    write_text(tmp_path / "deep" / "a.txt", "deuxième\r\n")
    assert (tmp_path / "deep" / "a.txt").read_bytes() == "deuxième\r\n".encode()
    assert names(tmp_path / "deep") == ["a.txt"]


def test_full_disk_is_named_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match=r"a\.bin") as caught:
        write_bytes(path, b"new")
    assert caught.value.then
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
def test_a_failing_disk_is_named_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")

    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskFault, match=rf"a\.bin.*{os.strerror(number)}") as caught:
        write_bytes(path, b"new")
    assert caught.value.then
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_failing_disk_told_in_words_only_is_recognised(tmp_path: Path) -> None:
    words = "Error while serializing: I/O error: Input/output error (os error 5)"
    with pytest.raises(DiskFault, match="voice"), named_disk_errors(tmp_path / "voice"):
        raise RuntimeError(words)


def test_every_folder_that_is_made_on_the_way_has_a_name_that_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(atomic, "sync_folder", synced.append)
    with fresh_folder(tmp_path / "run" / "stages" / "01"):
        pass
    assert {tmp_path, tmp_path / "run", tmp_path / "run" / "stages"} <= set(synced)


def test_a_folder_is_removed_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "0000010").mkdir()
    (tmp_path / "0000010" / "weights").write_text("w")

    def killed(path: Path, ignore_errors: bool) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(SystemExit):
            remove_folder(tmp_path / "0000010")
    assert not (tmp_path / "0000010").exists()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []
    remove_folder(tmp_path / "0000010")


def test_other_system_errors_are_not_called_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_bytes(tmp_path / "file" / "below", b"")


def test_fresh_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "voice"
    with fresh_folder(target) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a").write_text("1")
        assert not target.exists()
    assert (target / "inner" / "a").read_text() == "1"
    assert names(tmp_path) == ["voice"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_fresh_folder_replaces_the_old_one_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    target = tmp_path / "voice"
    for content in ("old", "new"):
        with fresh_folder(target) as folder:
            (folder / content).write_text(content)
    assert names(target) == ["new"]
    assert names(tmp_path) == ["voice"]


def test_failed_fresh_folder_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "voice"
    target.mkdir()
    (target / "old").write_text("")

    def fail() -> None:
        with fresh_folder(target) as folder:
            (folder / "new").write_text("")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(target) == ["old"]
    assert names(tmp_path) == ["voice"]


def test_full_disk_told_in_words_only_is_recognised(tmp_path: Path) -> None:
    words = 'Error while serializing: IoError(Os { code: 28, kind: StorageFull, message: "No space left on device" })'
    with pytest.raises(DiskFull, match="voice"), fresh_folder(tmp_path / "voice"):
        raise RuntimeError(words)


def test_leftovers_of_a_dead_process_go(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / f".0000120.quire-new-{DEAD}-0123abcd").mkdir()
    (tmp_path / f".recipe.yaml.quire-new-{DEAD}-0123abcd").write_text("half")
    (tmp_path / ".mine").write_text("kept")
    assert len(remove_leftovers(tmp_path)) == 2
    assert names(tmp_path) == [".mine", "checkpoints"]
    assert names(tmp_path / "checkpoints") == []


def test_what_a_living_process_writes_is_let_be(tmp_path: Path) -> None:
    path = tmp_path / f".report.quire-new-{os.getppid()}-0123abcd"
    path.mkdir()
    assert remove_leftovers(tmp_path) == []
    assert path.exists()


def test_folder_caught_while_being_replaced_gets_its_old_content_back(tmp_path: Path) -> None:
    old = tmp_path / f".voice.quire-old-{DEAD}-0123abcd"
    old.mkdir()
    (old / "a").write_text("old")
    remove_leftovers(tmp_path)
    assert (tmp_path / "voice" / "a").read_text() == "old"


def test_old_content_goes_once_the_new_stands(tmp_path: Path) -> None:
    (tmp_path / "voice").mkdir()
    (tmp_path / f".voice.quire-old-{DEAD}-0123abcd").mkdir()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["voice"]


def test_hash_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    (tmp_path / "a").write_bytes(data)
    assert hash_file(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_too_little_space_is_told_before_anything_is_written(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "yet" / "there", 1)
    with pytest.raises(DiskFull, match="are free"):
        require_space(tmp_path / "not" / "yet" / "there", shutil.disk_usage(tmp_path).total * 2)
