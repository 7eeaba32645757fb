"""Listening for the wish to stop: Ctrl-C, SIGTERM, or the time that was allowed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopWish:
    """`reason` is None as long as nobody wants to stop.  It is polled, so that a step is always finished first."""

    def __init__(self, max_time: float | None = None) -> None:
        self._until = time.monotonic() + max_time if max_time is not None else None
        self._signal: int | None = None

    @property
    def reason(self) -> str | None:
        if self._signal is not None:
            return signal.Signals(self._signal).name
        if self._until is not None and time.monotonic() >= self._until:
            return "the time allowed is up"
        return None

    def heard(self, number: int, _frame: FrameType | None) -> None:
        """The first signal is a wish; the second leaves at once, and only whole files are on the disk anyway."""
        if self._signal is not None:
            os._exit(128 + number)
        self._signal = number


NUMBERS = (signal.SIGINT, signal.SIGTERM)


def hold_back() -> None:
    """Keep SIGINT and SIGTERM waiting until `listening` begins, so that one that comes while Python is still importing
    is a wish like any other."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)


@contextmanager
def listening(max_time: float | None = None) -> Iterator[StopWish]:
    """Take over SIGINT and SIGTERM; give them back at the end.  Outside the main thread only the time is watched."""
    wish = StopWish(max_time)
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
