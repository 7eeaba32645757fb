from __future__ import annotations

import errno
import os
import random
import signal
from pathlib import Path

import pytest
import torch
from benchmarks.disk import Disk
from benchmarks.syscalls import HALF, KILL, PASS, Operation, is_supported, watch
from safetensors.torch import load_file, save_file

pytestmark = pytest.mark.skipif(not is_supported(), reason="needs seccomp's user notification")


def told(work, folder: Path) -> list[tuple[str, str, str]]:
    """What `work` does in `folder`: names, paths, other paths."""
    heard: list[Operation] = []

    def judge(operation: Operation) -> int:
        heard.append(operation)
        return PASS

    assert watch(work, folder, judge) == 0
    return [(operation.name, operation.path, operation.other) for operation in heard]


def test_every_change_is_told_in_order_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "seen").mkdir()
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "seen" / "old").write_text("old")

    def work() -> int:
        os.chdir(tmp_path / "seen")
        (tmp_path / "elsewhere").write_text("not told")
        Path("old").read_text()
        Path("deep").mkdir()
        Path("deep").mkdir(exist_ok=True)
        with Path("deep/a").open("w") as file:
            file.write("text")
            file.flush()
            os.fsync(file.fileno())
        os.rename("deep/a", "deep/b")  # noqa: PTH104 (by relative names)
        Path("old").unlink()
        Path("old").unlink(missing_ok=True)
        return 0

    assert told(work, tmp_path / "seen") == [
        ("mkdir", "deep", ""),
        ("create", "deep/a", ""),
        ("write", "deep/a", ""),
        ("sync", "deep/a", ""),
        ("rename", "deep/a", "deep/b"),
        ("unlink", "old", ""),
    ]


def test_writes_of_other_languages_are_told_with_their_bytes(tmp_path: Path) -> None:
    """safetensors writes in Rust: made anew from what was told, its file is the same."""
    disk = Disk()

    def judge(operation: Operation) -> int:
        disk.hear(operation)
        return PASS

    tensors = {"a": torch.arange(5000), "b": torch.ones(3)}
    assert watch(lambda: save_file(tensors, tmp_path / "a") or 0, tmp_path, judge) == 0
    kind, tree = next(disk.states(random.Random(1), 0))
    assert (kind, tree) == ("all", {"a": (tmp_path / "a").read_bytes()})
    assert torch.equal(load_file(tmp_path / "a")["a"], tensors["a"])


def test_the_process_ends_before_the_call_that_is_fatal(tmp_path: Path) -> None:
    def work() -> int:
        for name in "abc":
            (tmp_path / name).mkdir()
        return 0

    status = watch(work, tmp_path, lambda operation: KILL if operation.path == "b" else PASS)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_call_can_fail_without_being_carried_out(tmp_path: Path, number: int) -> None:
    def work() -> int:
        try:
            (tmp_path / "a").mkdir()
        except OSError as error:
            return error.errno
        return 0

    assert os.WEXITSTATUS(watch(work, tmp_path, lambda operation: number)) == number
    assert not (tmp_path / "a").exists()


def test_half_of_a_write_is_written_and_the_rest_can_follow(tmp_path: Path) -> None:
    first = True

    def judge(operation: Operation) -> int:
        nonlocal first
        if operation.name != "write" or not first:
            return PASS
        first = False
        return HALF

    def work() -> int:
        handle = os.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
        written = os.write(handle, b"twelve bytes")
        return 0 if written == 6 and os.write(handle, b" more") == 5 else 1

    assert watch(work, tmp_path, judge) == 0
    assert (tmp_path / "a").read_bytes() == b"twelve more"
