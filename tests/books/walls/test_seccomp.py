"""The filter of system calls, run by a small machine of its own: which call gets which answer."""

from __future__ import annotations

import errno
import os
import struct

import pytest

from quire.books.walls import seccomp

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
ARCHES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
OWN = 4321


def answer(machine: str, number: int, *arguments: int, programs: bool = False, arch: int | None = None) -> int:
    """What the kernel would answer: an interpreter of the few instructions that the filter uses."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, ARCHES[machine] if arch is None else arch, 0, *padded)
    steps = seccomp.program(machine, OWN, programs)
    at = value = 0
    while True:
        code, if_true, if_false, constant = steps[at]
        if code == 0x06:
            return constant
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, constant)
            at += 1
            continue
        holds = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[code]
        at += 1 + (if_true if holds else if_false)


def refused(error: int = errno.EPERM) -> int:
    return 0x00050000 | error


@pytest.mark.parametrize(
    ("machine", "read", "openat", "clone", "kill", "socket", "execve", "prlimit"),
    [("x86_64", 0, 257, 56, 62, 41, 59, 302), ("aarch64", 63, 56, 220, 129, 198, 221, 261)],
)
def test_what_reading_needs_is_allowed_and_nothing_beside_it(
    machine: str, read: int, openat: int, clone: int, kill: int, socket: int, execve: int, prlimit: int
) -> None:
    assert answer(machine, read) == ALLOWED
    assert answer(machine, openat, 3, 0, os.O_RDONLY | os.O_CLOEXEC) == ALLOWED
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC):
        assert answer(machine, openat, 3, 0, flags) == refused()
    assert answer(machine, clone, 0x10000 | 0x100) == ALLOWED  # a thread
    assert answer(machine, clone, 17) == refused()  # a process
    assert answer(machine, 435) == refused(errno.ENOSYS)
    assert answer(machine, kill, OWN, 6) == ALLOWED
    assert answer(machine, kill, 1, 9) == answer(machine, kill, 2**32 - 1, 9) == refused()
    assert answer(machine, socket, 2) == answer(machine, execve) == refused()
    assert answer(machine, prlimit, 0, 7, 0, 1) == ALLOWED
    assert answer(machine, prlimit, 0, 7, 1, 0) == refused()


def test_calls_of_another_machine_are_deadly() -> None:
    assert answer("x86_64", 0, arch=0x40000003) == KILLED  # 32-bit calls have other numbers
    assert answer("x86_64", 0x40000000 | 59) == refused()  # and so has x32


def test_where_programs_may_run_the_network_stays_closed() -> None:
    assert answer("x86_64", 59, programs=True) == ALLOWED
    assert answer("x86_64", 257, 3, 0, os.O_WRONLY, programs=True) == ALLOWED
    assert answer("x86_64", 41, 2, programs=True) == refused()
    assert answer("x86_64", 101, programs=True) == refused()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_no_jump_leaves_the_program(machine: str) -> None:
    steps = seccomp.program(machine, OWN, False)
    assert len(steps) < 4096  # the kernel's own bound
    for at, (code, if_true, if_false, _) in enumerate(steps):
        if code in (0x15, 0x35, 0x45):
            assert at + 1 + max(if_true, if_false) < len(steps)
            assert max(if_true, if_false) < 256
    assert steps[-1] == (0x06, 0, 0, ALLOWED)
