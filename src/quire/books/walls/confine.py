"""The walls around a process that reads a stranger's file: memory, time, files, programs, network.

All of it is the kernel's: limits (setrlimit) everywhere but on Windows; on Linux also a filter of system calls
(seccomp) and a list of readable files (Landlock), each where the kernel has it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import signal
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from quire.books.limits import MIB, Limits
from quire.books.walls import seccomp

MOST_OPEN_FILES = 64
_USUAL_SIZE = 256 * MIB
# The same numbers on every machine (linux/landlock.h).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _READ_FILE, _READ_DIR = 1, 4, 8
# How many rights over files each version knows, from the lowest bit on.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_RIGHTS_NOW = 16
_NET_SINCE, _SCOPES_SINCE = 4, 6
_PARENT_DIES, _NO_NEW_PRIVS = 1, 38


def die_with(parent: int) -> None:
    """Have this process end when its parent `parent` does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DIES, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def bound(limits: Limits, endless: bool) -> None:
    """Bind this process to its memory and its files; and to its seconds, unless it is `endless` (many works)."""
    if sys.platform == "win32":
        return
    import resource

    if not endless:
        seconds = int(limits.seconds) + 5
        _lower(resource.RLIMIT_CPU, seconds)
    with contextlib.suppress(OSError):  # should the machine run short all the same, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000")
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, MOST_OPEN_FILES)
    if sys.platform == "linux":
        _lower(resource.RLIMIT_AS, _size() + limits.memory)


def _size() -> int:
    """The bytes of address space that this process has."""
    import resource

    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):  # no /proc here
        return _USUAL_SIZE
    return pages * resource.getpagesize()


def _lower(which: int, most: int) -> None:
    """Limits may be lower already (`ulimit -v`), and then cannot be raised."""
    import resource

    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(which, (most, most))


def lock_in(book: int) -> None:
    """From here on this process reads the open file `book` and Python's own, and nothing else; writes nothing,
    starts nothing, calls nobody.  As far as the system can hold it to that: see `confinement`.
    """
    _landlock([book], _libraries())
    seccomp.seal()


def confinement() -> str:
    """How well the reading of strangers' files is walled in on this machine, in a few words."""
    if sys.platform == "win32":
        return "no: only its time is limited"
    held = ["memory, time"]
    if seccomp.is_supported():
        held.append("no network, no programs, no writing (seccomp)")
    if version := _landlock_version():
        held.append(f"no other files (Landlock {version})")
    return ("yes: " if len(held) == 3 else "in part: ") + "; ".join(held)


def _libraries() -> list[str]:
    """Folders that Python loads modules from; a home folder or the root on the path is not opened for it."""
    named = [*sys.path, *os.environ.get("LD_LIBRARY_PATH", "").split(":"), "/lib", "/usr/lib", "/lib64", "/usr/lib64"]
    named += ["/usr/local/lib", "/etc/ld.so.cache", "/dev/null", "/dev/urandom"]
    closed = {"", "/", str(Path.home())}
    return [name for name in dict.fromkeys(named) if name not in closed]


@functools.cache
def _landlock_version() -> int:
    """0 where the kernel has none, or does not let it be used."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _VERSION)))


def _landlock(files: Iterable[int], folders: Iterable[str]) -> bool:
    """Only `files` may be read from now on, and what lies in `folders`.  False where the kernel cannot do it."""
    version = _landlock_version()
    if version == 0:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    rights = (1 << _RIGHTS.get(version, _RIGHTS_NOW)) - 1
    # struct landlock_ruleset_attr: files, TCP (bind, connect), scopes (abstract sockets, signals).
    attributes = struct.pack("<Q", rights)
    if version >= _NET_SINCE:
        attributes += struct.pack("<Q", 0b11)
    if version >= _SCOPES_SINCE:
        attributes += struct.pack("<Q", 0b11)
    rules = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return False
    for file in files:
        _allow(libc, rules, file, _READ_FILE)
    for folder in folders:
        with contextlib.suppress(OSError):
            opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            _allow(libc, rules, opened, _READ_FILE | _READ_DIR if Path(folder).is_dir() else _READ_FILE)
            os.close(opened)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    held = libc.syscall(_RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return bool(held)


def _allow(libc: ctypes.CDLL, rules: int, file: int, rights: int) -> None:
    beneath = struct.pack("<Qi", rights, file)  # struct landlock_path_beneath_attr, packed
    libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, beneath, 0)
