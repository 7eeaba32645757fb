"""Watching a process that reads: what it says is bounded, and silence has an end."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quire.books.limits import MIB, Limits
from quire.books.walls.nursery import OTHER_FORMAT
from quire.books.walls.wire import TooMuch, Unpacker
from quire.errors import BookError

_START_SECONDS = 60.0
# Line ends and quotes are escaped, characters beyond ASCII take up to four bytes, every block brings its place.
_BYTES_PER_CHARACTER = 5


@dataclass(frozen=True)
class Task:
    """One file to be read: by its name and its open descriptor, and what the nursery is told."""

    path: Path
    book: int
    request: bytes
    limits: Limits


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status (a signal's number below 0), its most memory in bytes, and what it said."""

    status: int
    memory: int
    unpacker: Unpacker


class Gone(Exception):
    """The nursery has left, as it does when nothing has been asked of it for a while."""


def too_slow(path: Path, what: str) -> BookError:
    """The refusal of a file that took too long."""
    return BookError(f"{path} {what}", then=OTHER_FORMAT, code="too-slow")


class Watch:
    """Reads what a child says until it has ended or met a limit."""

    def __init__(self, task: Task, control: socket.socket, replies: int, pulses: int, last: Callable[[], int]) -> None:
        """`control` leads to the nursery, `replies` and `pulses` come from the child; `last` waits for the end of the
        nursery itself and gives its exit status."""
        self.task = task
        self.control, self.replies, self.pulses, self.last = control, replies, pulses, last
        self.unpacker = Unpacker(task.limits)
        self.beats = 0
        self._words = b""
        self._line = bytearray()
        self._seen = 0
        self._broken = False
        self._alive = self._began = time.monotonic()
        self._begun = False

    def until_the_end(self) -> Ended:
        """Raises BookError where a limit was met, Gone where nobody has begun."""
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
            raise Gone
        if self._began + limits.seconds <= self._alive + limits.silence:
            raise too_slow(self.task.path, f"was not read within {limits.seconds:g} s{self._reached()}")
        raise too_slow(self.task.path, f"gave no sign of life for {limits.silence:g} s{self._reached()}")

    def _reached(self) -> str:
        parts = "rows" if self.unpacker.kind == "jsonl" else "pages or chapters"
        return f", after {self.beats:,} {parts}" if self.beats else ""

    def _hear(self) -> Ended | None:
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
        if self._words.count(b"\n") > 1:
            self._drain()
            return Ended(*_numbers(words[1:]), self._said())
        if not more and not self._begun:
            raise Gone
        if not more:  # where it could have no child, it read the file itself
            self._drain()
            return Ended(self.last(), 0, self._said())
        return None

    def _said(self) -> Unpacker:
        """What was taken; nothing where it was no answer, or breaks off within a line."""
        return Unpacker(self.task.limits) if self._broken or self._line else self.unpacker

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


def _numbers(words: list[bytes]) -> tuple[int, int]:
    """Exit status and bytes of memory, as the nursery says them."""
    try:
        status, kilobytes = map(int, words)
    except ValueError:  # a reader that spoke for it
        return 1, 0
    return status, 1024 * kilobytes
