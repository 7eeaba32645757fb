"""Reading in a process of its own, with limits on time, memory and output.

Parsers of PDF, XML and zip are large programs in C that meet files from strangers.  Whatever they do there (crash,
hang, fill the memory), the process that asked for the book goes on and says in one line what happened.  Books come
back as JSON, never as pickles.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quire.books.book import Book
from quire.books.kinds import check_file, open_book
from quire.books.limits import MIB, Limits, ReadOptions
from quire.books.readers import Kind
from quire.books.walls.nursery import NO_MEMORY, OTHER_FORMAT, pack_request
from quire.books.walls.wire import TooMuch, Unpacker
from quire.errors import BOOK_FAULTS, BookError, BookFault

READER = "quire.books.readers:read_kind"
# What the nursery needs to find Python and this package; tokens and other secrets of the environment stay outside.
PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "HOME", "SYSTEMROOT", "LANG", "LC_ALL")
_START_SECONDS = 60.0
# Line ends and quotes are escaped, characters beyond ASCII take up to four bytes, every block brings its place.
_BYTES_PER_CHARACTER = 5


def read_in_child(
    path: Path, kind: Kind | None, options: ReadOptions, limits: Limits | None = None, reader: str = READER
) -> list[Book]:
    """The books of one file, read by a child process, which finds out the `kind` where None is given.

    Raises BookError for everything that can go wrong there: a file that is no book, a crash, a hang, too much memory, a
    file that changes meanwhile.  `reader` names another function than `readers.read_kind`.
    """
    limits = limits or Limits()
    if sys.platform == "win32":
        return read_unwalled(path, kind, options, limits)
    book = open_book(path, limits)
    try:
        before = os.fstat(book)
        task = _Task(path, book, pack_request(path, kind, options, limits), limits)
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


@dataclass(frozen=True)
class _Task:
    """One file to be read: by its name and its open descriptor, and what the nursery is told."""

    path: Path
    book: int
    request: bytes
    limits: Limits


@dataclass(frozen=True)
class _Ended:
    """How a child ended: its exit status (a signal's number below 0), its most memory in bytes, and what it said."""

    status: int
    memory: int
    unpacker: Unpacker


class _Gone(Exception):
    """The nursery has left, as it does when nothing has been asked of it for a while."""


def _books(task: _Task, ended: _Ended) -> list[Book]:
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
    if ended.status == -signal.SIGXCPU:
        raise _too_slow(task.path, f"was not read within {task.limits.seconds:g} s")
    raise BookError(f"{task.path} made its reader crash ({ending(ended.status)})", then=OTHER_FORMAT, code="crashed")


def ending(status: int) -> str:
    if status >= 0:
        return f"exit status {status}" if status else "it said nothing"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _too_slow(path: Path, what: str) -> BookError:
    return BookError(f"{path} {what}", then=OTHER_FORMAT, code="too-slow")


class _Own(threading.local):
    """The nurseries of a thread, by process and reader: the kernel ends one together with the thread that began it,
    and a process that was forked off must not speak into its parent's."""

    def __init__(self) -> None:
        self.nurseries: dict[tuple[int, str], _Nursery] = {}


_own = _Own()


def _ask(task: _Task, reader: str) -> _Ended:
    """Hand the task to this thread's nursery; start one where there is none, or the one that there was has left."""
    key = (os.getpid(), reader)
    nursery = _own.nurseries.pop(key, None)
    _own.nurseries.clear()
    for candidate in (nursery, None):
        nursery = candidate or _Nursery(reader)
        with contextlib.suppress(_Gone):
            ended = nursery.ask(task)
            _own.nurseries[key] = nursery
            return ended
    raise BookError(
        f"{task.path} cannot be read: no reader could be started",
        then="check that memory and processes are left",
        code="crashed",
    )


class _Nursery:
    """The process that has the children, seen from here."""

    def __init__(self, reader: str) -> None:
        environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        self.control, theirs = socket.socketpair()
        with signals_held_back():
            self.process = subprocess.Popen(  # noqa: S603 (our own program)
                [sys.executable, "-P", "-X", "utf8", "-m", "quire.books.walls.nursery", reader, str(os.getpid())],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        theirs.close()
        self.end = weakref.finalize(self, _end, self.process, self.control, os.getpid())

    def ask(self, task: _Task) -> _Ended:
        """Have one file read.  Raises BookError where a limit was met, _Gone where nobody was there to do it."""
        replies, reply = os.pipe()
        pulses, beats = os.pipe()
        try:
            try:
                sent = socket.send_fds(self.control, [task.request], [task.book, reply, beats])
                self.control.sendall(task.request[sent:])
            except (BrokenPipeError, ConnectionResetError):
                raise _Gone from None
            finally:
                os.close(reply)
                os.close(beats)
            return _Watch(task, self.control, replies, pulses).until_the_end()
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


class _Watch:
    """Reads what a child says until it has ended or met a limit."""

    def __init__(self, task: _Task, control: socket.socket, replies: int, pulses: int) -> None:
        self.task = task
        self.control, self.replies, self.pulses = control, replies, pulses
        self.unpacker = Unpacker(task.limits)
        self.beats = 0
        self._words = b""
        self._line = bytearray()
        self._seen = 0
        self._broken = False
        self._alive = self._began = time.monotonic()
        self._begun = False

    def until_the_end(self) -> _Ended:
        with selectors.DefaultSelector() as selector:
            for source in (self.control, self.replies, self.pulses):
                selector.register(source, selectors.EVENT_READ)
            while True:
                # What came while this process was held up counts, so look before the clock is asked.
                events = selector.select(max(0.0, self._deadline() - time.monotonic()))
                late = not events
                for key, _ in events:
                    if key.fileobj is self.control:
                        if (ended := self._hear()) is not None:
                            return ended
                    elif not self._read(key.fd):
                        selector.unregister(key.fd)
                if late or time.monotonic() > self._deadline():
                    self._stop()

    def _deadline(self) -> float:
        if not self._begun:
            return self._began + _START_SECONDS
        return min(self._alive + self.task.limits.silence, self._began + self.task.limits.seconds)

    def _stop(self) -> None:
        limits = self.task.limits
        if not self._begun:
            raise _Gone
        if self._began + limits.seconds <= self._alive + limits.silence:
            raise _too_slow(self.task.path, f"was not read within {limits.seconds:g} s{self._reached()}")
        raise _too_slow(self.task.path, f"gave no sign of life for {limits.silence:g} s{self._reached()}")

    def _reached(self) -> str:
        parts = "rows" if self.unpacker.kind == "jsonl" else "pages or chapters"
        return f", after {self.beats:,} {parts}" if self.beats else ""

    def _hear(self) -> _Ended | None:
        """What the nursery says; the end of the child, when it comes."""
        try:
            more = self.control.recv(4096)
        except ConnectionResetError:
            more = b""
        self._words += more
        words = self._words.split()
        if words and not self._begun:
            self._begun = True
            self._alive = self._began = time.monotonic()
        if self._words.count(b"\n") == 2:
            self._drain()
            unpacker = Unpacker(self.task.limits) if self._broken or self._line else self.unpacker
            return _Ended(int(words[1]), 1024 * int(words[2]), unpacker)
        if not more and not self._begun:
            raise _Gone
        if not more:
            return _Ended(-signal.SIGKILL, 0, Unpacker(self.task.limits))
        return None

    def _drain(self) -> None:
        """What the child wrote before it ended; a pipe that somebody still holds open is not waited for."""
        os.set_blocking(self.replies, False)
        with contextlib.suppress(BlockingIOError):
            while self._read(self.replies):
                pass

    def _read(self, source: int) -> bool:
        """Take a piece from one of the child's pipes; False at its end."""
        chunk = os.read(source, MIB)
        if not chunk:
            return False
        self._alive = time.monotonic()
        if source == self.pulses:
            self._count(chunk)
        else:
            self._take(chunk)
        return True

    def _count(self, chunk: bytes) -> None:
        self.beats = int.from_bytes(chunk[-8:], "little")
        if self.unpacker.kind == "jsonl":
            self._began = self._alive

    def _take(self, chunk: bytes) -> None:
        """A piece of the answer, which is lines: bounded each, and in all."""
        limits = self.task.limits
        self._seen += len(chunk)
        self._line += chunk
        if len(self._line) > _BYTES_PER_CHARACTER * limits.text or self._seen > _BYTES_PER_CHARACTER * limits.file:
            raise self._too_large(f"more than {limits.text // MIB} MB of text")
        if b"\n" not in chunk or self._broken:
            return
        *lines, rest = self._line.split(b"\n")
        self._line = rest
        known = len(self.unpacker.books)
        try:
            for line in lines:
                self.unpacker.take(bytes(line))
        except TooMuch as error:
            raise self._too_large(str(error)) from None
        except ValueError:
            self._broken = True
        if len(self.unpacker.books) > known:
            self._began = self._alive

    def _too_large(self, what: str) -> BookError:
        return BookError(f"{self.task.path} holds {what}", then="split it into several files", code="too-large")


@contextmanager
def signals_held_back() -> Iterator[None]:
    """A process started inside stays deaf to Ctrl-C and SIGTERM, which reach whole groups of processes: what they
    mean is the parent's to say.  It hears what came meanwhile at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
        raise _too_slow(path, f"was not read within {limits.seconds:g} s") from None
    unpacker = Unpacker(limits)
    try:
        for line in done.stdout.splitlines():
            unpacker.take(line)
    except (TooMuch, ValueError):
        unpacker = Unpacker(limits)
    return _books(_Task(path, -1, request, limits), _Ended(done.returncode, 0, unpacker))
