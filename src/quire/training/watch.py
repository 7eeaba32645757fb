"""Listening for the wish to stop: Ctrl-C, SIGTERM, or the time that was allowed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from quire.run.place import place_here

_TIME_IS_UP = 1000  # no signal has such a number

# Whoever stops a job on a cluster often signals every process, and so does the launcher above them: the same wish.
ECHO_SECONDS = 2.0


def reason_of(code: int) -> str | None:
    """In words why a run is to stop; see `StopWish.code`."""
    if code == _TIME_IS_UP:
        return "the time allowed is up"
    return signal.Signals(code).name if code else None


class StopWish:
    """`reason` is None as long as nobody wants to stop.  It is polled, so that a step is always finished first.

    With `echoes` a signal may come twice and mean one wish: from a cluster, and from the program that it started.
    """

    def __init__(self, max_time: float | None = None, echoes: bool = False) -> None:
        self._until = time.monotonic() + max_time if max_time is not None else None
        self._signal: int | None = None
        self._heard_at = 0.0
        self._echoes = echoes

    @property
    def reason(self) -> str | None:
        if self._signal is not None:
            return signal.Signals(self._signal).name
        if self._until is not None and time.monotonic() >= self._until:
            return reason_of(_TIME_IS_UP)
        return None

    @property
    def code(self) -> int:
        """The reason as a number, for processes that agree on one; 0 for none."""
        reason = self.reason
        if reason is None:
            return 0
        return signal.Signals[reason] if reason in signal.Signals.__members__ else _TIME_IS_UP

    def heard(self, number: int, _frame: FrameType | None) -> None:
        """The first signal is a wish; the second leaves at once, and only whole files are on the disk anyway."""
        now = time.monotonic()
        if self._signal is None:
            self._signal, self._heard_at = number, now
        elif not self._echoes or now - self._heard_at > ECHO_SECONDS:
            os._exit(128 + number)


NUMBERS = (signal.SIGINT, signal.SIGTERM)


def hold_back() -> None:
    """Keep SIGINT and SIGTERM waiting until `listening` begins, so that one that comes while Python is still importing
    is a wish like any other."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)


@contextmanager
def listening(max_time: float | None = None) -> Iterator[StopWish]:
    """Take over SIGINT and SIGTERM; give them back at the end.  Outside the main thread only the time is watched."""
    place = place_here()
    wish = StopWish(max_time, echoes=place.count > 1 and not place.launched)
    try:
        before = {number: signal.signal(number, wish.heard) for number in NUMBERS}
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_UNBLOCK, NUMBERS)
    except ValueError:  # not the main thread: Python delivers signals elsewhere
        before = {}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
