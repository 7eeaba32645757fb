"""A sign of life: readers beat once a page, chapter or row, so that whoever waits can tell slow from stuck."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

_listener: Callable[[], None] | None = None


def beat() -> None:
    """One more page, chapter or row has been read.  Cheap enough to be called for each."""
    if _listener is not None:
        _listener()


def each(items: Iterable[Item], every: int) -> Iterator[Item]:
    """The items, with a beat before the first and before every so many after it."""
    for number, item in enumerate(items):
        if number % every == 0:
            beat()
        yield item


def listen(listener: Callable[[], None] | None) -> None:
    """Whom to tell; None for nobody.  The child process that reads untrusted files sets it once."""
    global _listener
    _listener = listener
