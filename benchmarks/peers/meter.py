"""Counting what a trainer trains.  Nothing but the standard library: every peer's own environment imports this."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

MARK = "peer says: "  # what stands before the line of JSON: trainers print much else
UNLABELLED = -100


class Meter:
    """Tokens that each step trained, when it was done, and the seconds that this process's threads had worked by then.

    A trainer takes batches from its collator some steps ahead, so what is counted there waits in a row until its step
    is done.
    """

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self.times: list[float] = []
        self.worked: list[float] = []
        self.tokens: list[int] = []
        self.losses: list[float] = []

    def counting(self, collate: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
        """`collate`, with the targets of every batch counted."""

        def collate_and_count(rows: Any) -> dict[str, Any]:
            batch = collate(rows)
            self._waiting.append(targets_in(batch["labels"].tolist()))
            return batch

        return collate_and_count

    def step_done(self) -> None:
        """A step that trained the earliest waiting batch has ended now."""
        self.step(self._waiting.pop(0))

    def step(self, tokens: int) -> None:
        """A step over so many tokens has ended now."""
        self.tokens.append(tokens)
        self.times.append(time.perf_counter())
        self.worked.append(time.process_time())

    def rate(self, warm: int) -> tuple[int, float]:
        """Tokens of all steps but the first `warm`, and the seconds that they took."""
        if not 0 < warm < len(self.times):
            raise ValueError(f"{len(self.times)} steps were done and {warm} of them are to be left out")
        return sum(self.tokens[warm:]), self.times[-1] - self.times[warm - 1]

    def undisturbed(self, warm: int) -> float:
        """Tokens per second of the quicker half of the steps behind `warm`: what a busy machine has hindered least."""
        seconds = [after - before for before, after in pairwise(self.times[warm - 1 :])]
        steps = sorted(zip(self.tokens[warm:], seconds, strict=True), key=lambda step: step[1] / max(1, step[0]))
        half = steps[: -(-len(steps) // 2)]
        return sum(tokens for tokens, _ in half) / sum(took for _, took in half)

    def say(self, warm: int, *, threads: int, packages: Iterable[str], notes: Mapping[str, object]) -> None:
        """Print the line that `said` reads."""
        tokens, seconds = self.rate(warm)
        told = {
            "tokens_per_second": tokens / seconds,
            "undisturbed": self.undisturbed(warm),
            "tokens_per_core_second": tokens / (self.worked[-1] - self.worked[warm - 1]),
            "tokens": tokens,
            "seconds": seconds,
            "steps": len(self.times) - warm,
            "warm_steps": warm,
            "losses": [round(loss, 4) for loss in self.losses],
            "peak_bytes": peak_bytes(),
            "threads": threads,
            "versions": versions_of(packages),
            "notes": dict(notes),
        }
        print(MARK + json.dumps(told), flush=True)


def targets_in(labels: Sequence[Sequence[int]]) -> int:
    """Tokens that a causal model is trained to foretell: every labelled one but the first of a row, which nothing
    stands before."""
    return sum(label != UNLABELLED for row in labels for label in row[1:])


def said(printed: str) -> dict[str, Any]:
    """What a trainer said of itself, out of all that it printed.  Raises ValueError where it said nothing."""
    lines = [line for line in printed.splitlines() if MARK in line]
    if not lines:
        raise ValueError("it ended without a word of its speed")
    told: dict[str, Any] = json.loads(lines[-1].split(MARK, 1)[1])
    return told


def peak_bytes() -> int:
    """The most main memory that this process ever held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Python's version and that of each package that is installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
