"""Readers that do what no reader should: how the process around them is tested.

Named by `read_in_child(..., reader="badreaders:…")`; they run in the child, behind its walls.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from quire.books import pulse
from quire.books.book import Block, Book, Chapter, Place
from quire.books.limits import ReadOptions
from quire.books.readers import Kind


def said(path: Path, *texts: str) -> list[Book]:
    place = Place(str(path), "line", 1)
    return [Book(str(path), "Said", (Chapter(None, tuple(Block("paragraph", text, place) for text in texts)),))]


class PanicException(BaseException):
    pass


def panic(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    raise PanicException("called `Option::unwrap()`\non a `None` value")


def bug(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    raise KeyError("chapter\n7")


def leave(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    sys.exit("enough")


def vanish(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    os._exit(3)


def vanish_with_success(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    os._exit(0)


def crash(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    ctypes.string_at(0)
    return []


def abort(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    os.abort()


def overflow_the_stack(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    sys.setrecursionlimit(2**30)
    nested: list[object] = []
    for _ in range(10**6):
        nested = [nested]
    return said(path, repr(nested))


def hang_in_c(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    """A match that takes longer than the world will last, inside one call that lets nobody else run."""
    re.match(r"(a+)+$", "a" * 60 + "b")
    return []


def sleep(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    pulse.beat()
    time.sleep(600)
    return []


def beat_for_ever(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    while True:
        pulse.beat()
        time.sleep(0.01)


def slow_rows(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    """Longer than the time for one work, with signs of life."""
    for _ in range(12):
        time.sleep(0.05)
        pulse.beat()
    return said(path, "all rows")


def one_huge_list(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    return said(path, str(len(bytearray(4 * 2**30))))


def many_small_things(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    things: list[bytes] = []
    while True:
        things.append(bytes(1000))


def many_tiny_blocks(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    (book,) = said(path, "x")
    (block,) = book.chapters[0].blocks
    return [Book(str(path), "Many", (Chapter(None, (block,) * 5001),))]


def much_text(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    return said(path, *(["twenty characters…  " * 1000] * 100))


def controls(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    return said(path, "a\x1b[31mb\u202ec\r\nd", "שלום\u200f")


def no_books(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    return []


def attempts(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    """What a reader that was taken over would try; each attempt with what came of it."""
    outside = Path(options.text or "")
    tries = {
        "reads its file": lambda: path.read_bytes(),
        "imports lazily": lambda: __import__("wave"),
        "runs a thread": _thread,
        "reads another file": lambda: (outside / "other.txt").read_bytes(),
        "lists a folder": lambda: list(outside.iterdir()),
        "reads passwords": lambda: Path("/etc/passwd").read_bytes(),
        "reads its parent's memory": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        "writes a file": lambda: (outside / "new.txt").write_bytes(b""),
        "overwrites its file": lambda: path.write_bytes(b"gone"),
        "removes its file": lambda: path.unlink(),
        "renames its file": lambda: path.rename(outside / "moved.txt"),
        "makes a folder": lambda: (outside / "folder").mkdir(),
        "changes permissions": lambda: path.chmod(0o777),
        "makes a link": lambda: (outside / "link").symlink_to("/etc"),
        "opens a socket": lambda: socket.socket(),
        "opens a local socket": lambda: socket.socketpair(),
        "looks a name up": lambda: socket.getaddrinfo("localhost", 80),
        "starts a program": lambda: subprocess.run(["/bin/true"], check=True),
        "replaces itself": lambda: os.execv("/bin/true", ["true"]),
        "forks": lambda: os.fork() or os._exit(0),
        "kills its parent": lambda: os.kill(os.getppid(), 0),
        "kills everybody": lambda: os.kill(-1, 0),
        "raises its limits": lambda: __import__("resource").setrlimit(7, (4096, 4096)),
        "leaves its session": lambda: os.setsid(),
        "traces its parent": lambda: _call(16, os.getppid(), 0, 0),
    }
    return said(path, *(f"{name}: {_result(attempt)}" for name, attempt in tries.items()))


def _thread() -> None:
    import threading

    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def _call(request: int, process: int, address: int, data: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(request, process, address, data) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def _result(attempt: object) -> str:
    try:
        attempt()  # type: ignore[operator]
    except (OSError, RuntimeError, ValueError) as error:
        return f"no ({error})"
    return "yes"
