"""Time by the wall, up to the moment at which the device has done what was asked of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


@contextmanager
def timed(device: torch.device) -> Iterator[list[float]]:
    """The list holds the seconds afterwards."""
    spent: list[float] = []
    _wait(device)
    started = time.perf_counter()
    yield spent
    _wait(device)
    spent.append(time.perf_counter() - started)


def milliseconds(work: Callable[[], object], device: torch.device, rounds: int = 10) -> float:
    """The median, after two rounds that do not count."""
    found = []
    for _ in range(rounds + 2):
        with timed(device) as took:
            work()
        found.append(took[0])
    return round(1000 * statistics.median(found[2:]), 3)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
