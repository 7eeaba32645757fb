"""Watch what a process does to the files of a folder, call by call, and let each call through, refuse it, or end there.

Linux hands every system call that changes files to the watching process before it is carried out (seccomp's user
notification, since 5.0; no privilege is needed), whatever language made it: Python's own writes, those of safetensors
(Rust) and of torch (C++) alike.  Numbers are those of unistd_64.h (x86-64) and asm-generic/unistd.h (arm64), layouts
those of linux/seccomp.h.
"""

# Paths of another process are text here.
# ruff: noqa: PTH112, PTH113, PTH115, PTH116, PTH118, PTH202, PTH208
from __future__ import annotations

import array  # noqa: F401 (send_fds imports it: after the filter is set nothing may be opened)
import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PASS, KILL, HALF = 0, -1, -2
"""Verdicts besides an errno: carry the call out; end the process before it; of a write, only its first half."""

_CALLS = {
    "open": (2, -1), "openat": (257, 56), "openat2": (437, 437), "creat": (85, -1),
    "write": (1, 64), "pwrite64": (18, 68), "writev": (20, 66), "pwritev": (296, 70), "pwritev2": (328, 287),
    "sendfile": (40, 71), "copy_file_range": (326, 285), "fsync": (74, 82), "fdatasync": (75, 83), "mmap": (9, 222),
    "rename": (82, -1), "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, -1), "mkdirat": (258, 34),
    "unlink": (87, -1), "unlinkat": (263, 35), "rmdir": (84, -1), "truncate": (76, 45), "ftruncate": (77, 46),
    "fallocate": (285, 47), "link": (86, -1), "linkat": (265, 37), "symlink": (88, -1), "symlinkat": (266, 36),
}  # fmt: skip
_MACHINES = {"x86_64": 0, "aarch64": 1}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438
_NO_NEW_PRIVS, _SET_FILTER, _NEW_LISTENER = 38, 1, 8
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1
_LOAD, _EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_NUMBER, _THIRD_ARGUMENT = 0, 16 + 3 * 8  # offsets in struct seccomp_data
_HERE = -100  # AT_FDCWD
_EXCHANGE, _REMOVE_FOLDER = 2, 0x200
_PATIENCE = 300.0


@dataclass(frozen=True)
class Operation:
    """One change to the folder's files; paths are relative to it.

    `name` is one of create, open (for writing), write, truncate, allocate, sync, rename, exchange, mkdir, unlink,
    rmdir, link (`other` is the file's older name), symlink, map.
    `inode` is that of the file written, synced, made or removed (0 where it does not exist yet).
    """

    number: int
    name: str
    path: str
    other: str = ""
    inode: int = 0
    offset: int = 0
    data: bytes = b""
    size: int = 0


Judge = Callable[[Operation], int]


def is_supported() -> bool:
    """Whether this machine has such notifications and lets us ask for them."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return False
    child = os.fork()
    if child == 0:
        os._exit(0 if _listen() >= 0 else 1)
    return os.waitpid(child, 0)[1] == 0


def watch(work: Callable[[], int], folder: Path, judge: Judge) -> int:
    """Carry out `work` in a copy of this process; `judge` hears of every change to files in `folder` beforehand.

    Returns the process's wait status.  `folder` need not exist yet.
    """
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _carry_out(work, theirs)
    theirs.close()
    _, handles, _, _ = socket.recv_fds(ours, 1, 1)
    ours.close()
    if not handles:
        raise OSError("this system hands no calls to another process")
    try:
        return _serve(handles[0], child, _Reader(folder), judge)
    finally:
        os.close(handles[0])


def _carry_out(work: Callable[[], int], theirs: socket.socket) -> None:
    code = 1
    try:
        listener = _listen()
        socket.send_fds(theirs, [b"x"], [listener] if listener >= 0 else [])
        os.close(listener)
        theirs.close()
        code = work()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _serve(listener: int, child: int, reader: _Reader, judge: Judge) -> int:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    until = time.monotonic() + _PATIENCE
    killed = False
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
        if not poll.poll(20):
            continue
        given = bytearray(80)
        try:
            fcntl.ioctl(listener, _RECEIVE, given)
        except OSError:  # the caller has died
            continue
        notice = struct.unpack("=QIIiIQ6Q", given)
        verdict: int | tuple[int, int] = PASS
        if not killed:
            verdict = reader.answer(notice[1], notice[3], notice[6:], judge)
        if verdict == KILL:
            os.kill(child, signal.SIGKILL)
            killed = True
            continue
        value, error, flags = (verdict[0], verdict[1], 0) if isinstance(verdict, tuple) else (0, 0, _CONTINUE)
        try:
            fcntl.ioctl(listener, _SEND, struct.pack("=QqiI", notice[0], value, error, flags))
        except OSError:
            continue


class _Reader:
    """Makes operations of the notices of one process and its children."""

    def __init__(self, folder: Path) -> None:
        self.folder = os.path.realpath(folder)
        self.count = 0
        column = _MACHINES[platform.machine()]
        self.names = {numbers[column]: name for name, numbers in _CALLS.items() if numbers[column] >= 0}

    def answer(self, task: int, number: int, given: tuple[int, ...], judge: Judge) -> int | tuple[int, int]:
        """PASS, KILL, or what the call returns instead of being carried out: its value and minus its errno."""
        name = self.names[number]
        try:
            if name in ("sendfile", "copy_file_range"):  # those who use them fall back to plain writes
                inside = self.inside(self.opened(task, given[0] if name == "sendfile" else given[2])) is not None
                return (0, -(errno.EINVAL if name == "sendfile" else errno.ENOSYS)) if inside else PASS
            operation = self.operation(task, name, given)
        except (FileNotFoundError, ProcessLookupError):  # the caller has died, or its handle is none
            return PASS
        if operation is None:
            return PASS
        self.count += 1
        verdict = judge(operation)
        if verdict == HALF and operation.name == "write" and len(operation.data) > 1:
            return self.half(task, given[0], operation, positioned=name.startswith("pwrite")), 0
        return (0, -verdict) if verdict > 0 else (PASS if verdict == HALF else verdict)

    def operation(self, task: int, name: str, given: tuple[int, ...]) -> Operation | None:
        """What the call would change in the folder, or None."""
        match name:
            case "open" | "creat":
                flags = given[1] if name == "open" else os.O_CREAT | os.O_TRUNC
                return self.made(self.path(task, _HERE, given[0]), flags)
            case "openat":
                return self.made(self.path(task, given[0], given[1]), given[2])
            case "openat2":
                return self.made(self.path(task, given[0], given[1]), _word(task, given[2]))
            case "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2":
                return self.written(task, name, given)
            case "fsync" | "fdatasync":
                return self.of_handle(task, given[0], "sync")
            case "ftruncate":
                return self.of_handle(task, given[0], "truncate", given[1])
            case "fallocate":
                return self.of_handle(task, given[0], "allocate", given[2] + given[3])
            case "mmap":
                return self.of_handle(task, given[4], "map") if given[2] & 2 else None
            case "truncate":
                return self.of_path("truncate", self.path(task, _HERE, given[0]), given[1])
            case "mkdir" | "mkdirat":
                path = self.path(task, *((_HERE, given[0]) if name == "mkdir" else given[:2]))
                return None if os.path.lexists(path) else self.of_path("mkdir", path)
            case "rmdir" | "unlink":
                return self.removed(self.path(task, _HERE, given[0]), name)
            case "unlinkat":
                kind = "rmdir" if given[2] & _REMOVE_FOLDER else "unlink"
                return self.removed(self.path(task, given[0], given[1]), kind)
            case "rename":
                return self.renamed(self.path(task, _HERE, given[0]), self.path(task, _HERE, given[1]), 0)
            case "renameat" | "renameat2":
                pair = self.path(task, given[0], given[1]), self.path(task, given[2], given[3])
                return self.renamed(*pair, given[4] if name == "renameat2" else 0)
            case "link":
                return self.linked(self.path(task, _HERE, given[0]), self.path(task, _HERE, given[1]))
            case "linkat":
                return self.linked(self.path(task, given[0], given[1]), self.path(task, given[2], given[3]))
            case _:  # symlink(at)
                path = self.path(task, *((_HERE, given[1]) if name == "symlink" else (given[1], given[2])))
                return self.of_path("symlink", path)

    def made(self, path: str, flags: int) -> Operation | None:
        if not os.path.lexists(path):
            return self.of_path("create", path) if flags & os.O_CREAT else None
        if flags & os.O_TRUNC and os.path.isfile(path) and os.path.getsize(path):
            return self.of_path("truncate", path)
        return self.of_path("open", path) if flags & (os.O_WRONLY | os.O_RDWR) else None

    def written(self, task: int, name: str, given: tuple[int, ...]) -> Operation | None:
        path = self.opened(task, given[0])
        inside = self.inside(path)
        if inside is None:
            return None
        if name.endswith(("v", "v2")):
            pairs = struct.unpack(f"={2 * given[2]}Q", _memory(task, given[1], 16 * given[2]))
            data = b"".join(_memory(task, *pair) for pair in zip(pairs[::2], pairs[1::2], strict=True))
        else:
            data = _memory(task, given[1], given[2])
        facts = dict(line.split(":\t") for line in Path(f"/proc/{task}/fdinfo/{given[0]}").read_text().splitlines())
        found = os.stat(f"/proc/{task}/fd/{given[0]}")
        offset = found.st_size if int(facts["flags"], 8) & os.O_APPEND else int(facts["pos"])
        if name.startswith("pwrite"):
            offset = given[3]
        return Operation(self.count, "write", inside, inode=found.st_ino, offset=offset, data=data, size=len(data))

    def of_handle(self, task: int, handle: int, name: str, size: int = 0) -> Operation | None:
        inside = self.inside(self.opened(task, handle))
        if inside is None:
            return None
        return Operation(self.count, name, inside, inode=os.stat(f"/proc/{task}/fd/{handle}").st_ino, size=size)

    def of_path(self, name: str, path: str, size: int = 0) -> Operation | None:
        inside = self.inside(path)
        if inside is None:
            return None
        inode = os.lstat(path).st_ino if os.path.lexists(path) else 0
        return Operation(self.count, name, inside, inode=inode, size=size)

    def removed(self, path: str, name: str) -> Operation | None:
        if not os.path.lexists(path) or os.path.isdir(path) != (name == "rmdir"):
            return None
        return None if name == "rmdir" and os.listdir(path) else self.of_path(name, path)

    def renamed(self, one: str, other: str, flags: int) -> Operation | None:
        inside, target = self.inside(one), self.inside(other)
        if inside is None or target is None or not os.path.lexists(one):
            return None
        name = "exchange" if flags & _EXCHANGE else "rename"
        if name == "exchange" and not os.path.lexists(other):
            return None
        return Operation(self.count, name, inside, target, inode=os.lstat(one).st_ino)

    def linked(self, source: str, path: str) -> Operation | None:
        inside, target = self.inside(source), self.inside(path)
        if target is None or os.path.lexists(path) or not os.path.lexists(source):
            return None
        return Operation(self.count, "link", target, inside or source, inode=os.lstat(source).st_ino)

    def half(self, task: int, handle: int, operation: Operation, positioned: bool) -> int:
        """Write the first half ourselves, through the caller's own handle, so that its position moves."""
        libc = ctypes.CDLL(None, use_errno=True)
        process = libc.syscall(_PIDFD_OPEN, _leader(task), 0)
        ours = libc.syscall(_PIDFD_GETFD, process, handle, 0)
        try:
            part = operation.data[: len(operation.data) // 2]
            return os.pwrite(ours, part, operation.offset) if positioned else os.write(ours, part)
        finally:
            os.close(ours)
            os.close(process)

    def path(self, task: int, at: int, address: int) -> str:
        """The absolute path that the call names, its folder's links followed, its own not."""
        text = os.fsdecode(_text(task, address))
        at = ctypes.c_int(at).value  # the upper half of the register holds anything
        start = os.readlink(f"/proc/{task}/cwd" if at == _HERE else f"/proc/{task}/fd/{at}")
        folder, name = os.path.split(os.path.join(start, text).rstrip("/"))
        return os.path.join(os.path.realpath(folder), name)

    def opened(self, task: int, handle: int) -> str:
        return os.readlink(f"/proc/{task}/fd/{handle}").removesuffix(" (deleted)") if handle < 1 << 31 else ""

    def inside(self, path: str) -> str | None:
        if path == self.folder:
            return "."
        return path[len(self.folder) + 1 :] if path.startswith(self.folder + "/") else None


def _listen() -> int:
    """Set the filter on this process; the handle on which its calls are told, or -1."""

    class Step(ctypes.Structure):
        _fields_ = (
            ("code", ctypes.c_ushort),
            ("yes", ctypes.c_ubyte),
            ("no", ctypes.c_ubyte),
            ("constant", ctypes.c_uint),
        )

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.POINTER(Step)))

    column = _MACHINES[platform.machine()]
    numbers = [pair[column] for name, pair in _CALLS.items() if pair[column] >= 0 and name != "mmap"]
    steps = [(_LOAD, 0, 0, _NUMBER)]
    for number in numbers:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _NOTIFY)]
    # Of maps only those that share what is written (MAP_PRIVATE is 2, MAP_SHARED 1, MAP_SHARED_VALIDATE 3).
    steps += [(_EQUAL, 1, 0, _CALLS["mmap"][column]), (_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, _THIRD_ARGUMENT)]
    steps += [(_AND, 0, 0, 3), (_EQUAL, 0, 1, 2), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _NOTIFY)]
    made = (Step * len(steps))(*(Step(*step) for step in steps))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    program = Program(len(steps), made)
    return int(libc.syscall(_SECCOMP[platform.machine()], _SET_FILTER, _NEW_LISTENER, ctypes.byref(program)))


def _memory(task: int, address: int, size: int) -> bytes:
    handle = os.open(f"/proc/{task}/mem", os.O_RDONLY)
    try:
        return os.pread(handle, size, address)
    finally:
        os.close(handle)


def _word(task: int, address: int) -> int:
    return int(struct.unpack("=Q", _memory(task, address, 8))[0])


def _text(task: int, address: int) -> bytes:
    """A string that ends with a zero; pages are read one by one, for the next may not be there."""
    found = b""
    while b"\0" not in found:
        room = 4096 - address % 4096
        found += _memory(task, address, room)
        address += room
    return found[: found.index(b"\0")]


def _leader(task: int) -> int:
    status = Path(f"/proc/{task}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("Tgid")).split()[1])
