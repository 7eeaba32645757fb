"""Walls around a reading process.  That they hold is shown in test_child.py, by a reader that tries them."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from quire.books.limits import MIB, Limits
from quire.books.walls import confine, seccomp


def in_a_fork(act: Callable[[], bool]) -> bool:
    """Whether `act` holds in a process of its own, which its limits bind alone."""
    forked = os.fork()
    if forked == 0:
        status = 1
        try:
            status = 0 if act() else 1
        finally:
            os._exit(status)
    return os.waitpid(forked, 0)[1] == 0


def test_limits_bind_memory_files_and_time() -> None:
    def act() -> bool:
        confine.bound(Limits(seconds=3, memory=64 * MIB), endless=False)
        try:
            bytearray(128 * MIB)
        except MemoryError:
            return resource.getrlimit(resource.RLIMIT_CPU)[0] == 8 and resource.getrlimit(resource.RLIMIT_FSIZE)[1] == 0
        return False

    assert in_a_fork(act)


def test_many_works_have_no_end_of_time() -> None:
    def act() -> bool:
        before = resource.getrlimit(resource.RLIMIT_CPU)
        confine.bound(Limits(), endless=True)
        return resource.getrlimit(resource.RLIMIT_CPU) == before

    assert in_a_fork(act)


def test_limits_that_are_lower_already_stay() -> None:
    def act() -> bool:
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
        confine.bound(Limits(), endless=False)
        return resource.getrlimit(resource.RLIMIT_NOFILE) == (20, 20)

    assert in_a_fork(act)


def test_behind_the_walls_only_the_book_is_readable(tmp_path: Path) -> None:
    if "Landlock" not in confine.confinement():
        pytest.skip("no Landlock here")
    (tmp_path / "book").write_text("words")
    (tmp_path / "other").write_text("secret")

    def act() -> bool:
        book = os.open(tmp_path / "book", os.O_RDONLY)
        confine.lock_in(book)
        try:
            (tmp_path / "other").read_text()
        except PermissionError:
            return (tmp_path / "book").read_text() == "words"
        return False

    assert in_a_fork(act)


def test_what_is_held_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "is_supported", lambda: True)
    monkeypatch.setattr(confine, "_landlock_version", lambda: 4)
    assert confine.confinement() == (
        "yes: memory, time; no network, no programs, no writing (seccomp); no other files (Landlock 4)"
    )
    monkeypatch.setattr(confine, "_landlock_version", lambda: 0)
    assert confine.confinement() == "in part: memory, time; no network, no programs, no writing (seccomp)"


def test_a_child_does_not_outlive_its_parent() -> None:
    def act() -> bool:
        confine.die_with(os.getppid())
        return True

    assert in_a_fork(act)
    assert not in_a_fork(lambda: (confine.die_with(1), True)[1])  # whose parent has gone already
