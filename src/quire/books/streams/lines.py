"""What the child that reads a table of a stream says, line by line, as long as it may take."""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import subprocess
import time
from collections.abc import Iterator

from quire.books.limits import MIB, Limits
from quire.books.walls.launch import ending, launch
from quire.books.walls.nursery import NO_MEMORY
from quire.errors import BookError

ENDLESS = math.inf
CHILD = "quire.books.streams.child"
_START_SECONDS = 60.0


class Enough(Exception):
    """The time that was given is over."""


class Died(Exception):
    """The child is gone, or had to go; says why."""


class Lines:
    """The lines of a child.  It waits while nobody asks for more; who asks waits no longer than the limits say."""

    def __init__(self, request: bytes, limits: Limits, until: float) -> None:
        self._limits = limits
        self._until = until
        self._any_row = False
        try:
            self._process = launch(CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            what = f"no reader could be started ({error.strerror or error})"
            raise BookError(what, "check that memory and processes are left", code="crashed") from None
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(request)
        # Python and its libraries take their time.
        self._begun = self._alive = time.monotonic() + _START_SECONDS

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def begin(self) -> None:
        """A row is done: the next has its own time."""
        self._any_row = True
        self._begun = self._alive = time.monotonic()

    def __iter__(self) -> Iterator[bytes]:
        assert self._process.stdout is not None
        source = self._process.stdout.fileno()
        waiting = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(source, selectors.EVENT_READ)
            while True:
                silent = self._alive + self._limits.silence
                late = self._begun + self._limits.seconds
                # Whoever looks for a second wants to see a row, not Python start.
                until = self._until if self._any_row else ENDLESS
                ready = selector.select(max(0.0, min(silent, late, until) - time.monotonic()))
                if time.monotonic() >= until:
                    raise Enough
                if not ready:
                    if late < silent:
                        raise Died(f"was not done with it within {self._limits.seconds:.0f} s")
                    raise Died(f"gave no sign of life for {self._limits.silence:.0f} s")
                chunk = os.read(source, MIB)
                if not chunk:
                    return
                waiting += chunk
                if len(waiting) > 5 * self._limits.text:
                    raise Died(f"gave more than {self._limits.text // MIB} MB")
                self._alive = time.monotonic()
                self._begun = min(self._begun, self._alive)
                if b"\n" in chunk:
                    *lines, rest = waiting.split(b"\n")
                    waiting = rest
                    yield from map(bytes, lines)

    def ending(self) -> str:
        """How the child ended, when its lines did."""
        status = self._process.wait()
        return "needed too much memory" if status == NO_MEMORY else f"crashed ({ending(status)})"
