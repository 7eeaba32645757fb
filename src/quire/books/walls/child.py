"""Reading in a process of its own, with limits on time, memory and output.

Parsers of PDF, XML and zip are large programs in C that meet files from strangers.  Whatever they do there (crash,
hang, fill the memory), the process that asked for the book goes on and says in one line what happened.  Books come
back as JSON, never as pickles.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from dataclasses import dataclass, replace
from pathlib import Path

from quire.books.book import Book
from quire.books.kinds import check_file, open_book
from quire.books.limits import MIB, Limits, ReadOptions
from quire.books.readers import Kind
from quire.books.walls.launch import PASSED_ON, ending, launch
from quire.books.walls.memory import room
from quire.books.walls.nursery import NO_MEMORY, OTHER_FORMAT, pack_request
from quire.books.walls.watch import Ended, Gone, Task, Watch, too_slow
from quire.books.walls.wire import TooMuch, Unpacker
from quire.errors import BOOK_FAULTS, BookError, BookFault

READER = "quire.books.readers:read_kind"
_MORE_ROOM = "check that memory and processes are left, and try again"


def read_in_child(
    path: Path, kind: Kind | None, options: ReadOptions, limits: Limits | None = None, reader: str = READER
) -> list[Book]:
    """The books of one file, read by a child process, which finds out the `kind` where None is given.

    Raises BookError for everything that can go wrong there: a file that is no book, a crash, a hang, too much memory, a
    file that changes meanwhile.  `reader` names another function than `readers.read_kind`.
    """
    limits = limits or Limits()
    limits = replace(limits, memory=room(limits.memory))
    if sys.platform == "win32":
        return read_unwalled(path, kind, options, limits)
    book = open_book(path, limits)
    try:
        before = os.fstat(book)
        task = Task(path, book, pack_request(path, kind, options, limits), limits)
        try:
            books = _books(task, _ask(task, reader))
        except BookError as error:
            raise _changed(path) if _state(path) != _Stamp.of(before) else error from None
        if _state(path) != _Stamp.of(before):
            raise _changed(path)
    finally:
        os.close(book)
    return books


@dataclass(frozen=True)
class _Stamp:
    """What tells whether a file has changed."""

    device: int
    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, state: os.stat_result) -> _Stamp:
        return cls(state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)


def _state(path: Path) -> _Stamp | None:
    try:
        return _Stamp.of(path.stat())
    except OSError:
        return None


def _changed(path: Path) -> BookError:
    return BookError(f"{path} changed while it was read", then="try again when nothing writes to it any more")


def _books(task: Task, ended: Ended) -> list[Book]:
    """The books that came, or the error that says why none did."""
    if ended.status == 0 and ended.unpacker.fault is not None:
        what, then, code = ended.unpacker.fault
        known: BookFault = next((fault for fault in BOOK_FAULTS if fault == code), "unreadable")
        raise BookError(what, then=then, code=known)
    if ended.status == 0 and ended.unpacker.finished():
        return ended.unpacker.books
    if ended.status == NO_MEMORY or (ended.status != 0 and ended.memory > 0.8 * task.limits.memory):
        what = f"{task.path} needs more than {task.limits.memory // MIB} MB of memory to read"
        raise BookError(what, then=OTHER_FORMAT, code="too-large")
    if ended.status == -signal.SIGKILL:
        what = f"{task.path} had its reader killed by the system (SIGKILL: is its memory short?)"
        raise BookError(what, then=_MORE_ROOM, code="too-large")
    if ended.status == -signal.SIGXCPU:
        raise too_slow(task.path, f"was not read within {task.limits.seconds:g} s")
    raise BookError(f"{task.path} made its reader crash ({ending(ended.status)})", then=OTHER_FORMAT, code="crashed")


class _Own(threading.local):
    """The nurseries of a thread, by process and reader: the kernel ends one together with the thread that began it,
    and a process that was forked off must not speak into its parent's."""

    def __init__(self) -> None:
        self.nurseries: dict[tuple[int, str], _Nursery] = {}


_own = _Own()


def _ask(task: Task, reader: str) -> Ended:
    """Hand the task to this thread's nursery; start one where there is none, or the one that there was has left."""
    key = (os.getpid(), reader)
    nursery = _own.nurseries.pop(key, None)
    _own.nurseries.clear()
    for candidate in (nursery, None):
        with contextlib.suppress(Gone):
            try:
                nursery = candidate or _Nursery(reader)
                ended = nursery.ask(task)
            except OSError as error:  # no process, or no open file, is left for it
                raise _not_started(task.path, error.strerror or str(error)) from None
            _own.nurseries[key] = nursery
            return ended
    raise _not_started(task.path, "it ends at once")


def _not_started(path: Path, why: str) -> BookError:
    return BookError(f"{path} cannot be read: no reader could be started ({why})", then=_MORE_ROOM)


class _Nursery:
    """The process that has the children, seen from here."""

    def __init__(self, reader: str) -> None:
        self.control, theirs = socket.socketpair()
        with theirs:
            arguments = (reader, str(os.getpid()))
            try:
                self.process = launch("quire.books.walls.nursery", *arguments, stdin=theirs.fileno(), new_session=True)
            except BaseException:
                self.control.close()
                raise
        self.end = weakref.finalize(self, _end, self.process, self.control, os.getpid())

    def ask(self, task: Task) -> Ended:
        """Have one file read.  Raises BookError where a limit was met, Gone where nobody was there to do it."""
        replies, reply = os.pipe()
        pulses, beats = os.pipe()
        try:
            try:
                sent = socket.send_fds(self.control, [task.request], [task.book, reply, beats])
                self.control.sendall(task.request[sent:])
            except (BrokenPipeError, ConnectionResetError):
                raise Gone from None
            finally:
                os.close(reply)
                os.close(beats)
            return Watch(task, self.control, replies, pulses, self.process.wait).until_the_end()
        except BaseException:
            self.end()
            raise
        finally:
            os.close(replies)
            os.close(pulses)


def _end(process: subprocess.Popen[bytes], control: socket.socket, owner: int) -> None:
    """Close a nursery, with the child that it may have."""
    control.close()
    if os.getpid() == owner and process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_unwalled(path: Path, kind: Kind | None, options: ReadOptions, limits: Limits) -> list[Book]:
    """Where processes cannot fork (Windows): a process of its own for each file, with a limit on time alone."""
    check_file(path, limits)
    request = pack_request(path, kind, options, limits)
    command = [sys.executable, "-P", "-X", "utf8", "-m", "quire.books.walls.nursery"]
    environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 (our own program)
            command, input=request, capture_output=True, timeout=limits.seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise too_slow(path, f"was not read within {limits.seconds:g} s") from None
    unpacker = Unpacker(limits)
    try:
        for line in done.stdout.splitlines():
            unpacker.take(line)
    except (TooMuch, ValueError):
        unpacker = Unpacker(limits)
    return _books(Task(path, -1, request, limits), Ended(done.returncode, 0, unpacker))
