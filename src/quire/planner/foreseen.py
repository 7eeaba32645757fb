"""What was foreseen of a run, to be shown beside what is then measured: in events, in the report, on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from quire.planner.plan import Plan
from quire.units import show_duration, show_size

# What a plan promises: the peak of memory within 15 %, the time within 30 % of what is then measured.
MEMORY_WITHIN, SECONDS_WITHIN = 0.15, 0.30


@dataclass(frozen=True)
class Foreseen:
    """One stage: bytes of memory on each device at the peak, seconds in all, steps.  `seconds` is None where nothing
    was measured beforehand."""

    stage: str
    memory_bytes: int
    seconds: float | None
    steps: int

    def to_json(self) -> dict[str, Any]:
        """The values of an event."""
        return asdict(self)


def foreseen_of(stage: str, plan: Plan, device: str = "cpu", held: int | None = None) -> Foreseen:
    """What a plan says of its stage.

    A GPU's context is no tensor, and torch, which measures there, does not count it.  On a CPU a process that has
    prepared its data may hold more than the plan's guess of what lies beside the model: `held` bytes, right before.
    """
    runtime = plan.memory.runtime
    beside_model = 0 if device == "cuda" else max(runtime, held or 0)
    return Foreseen(stage, plan.memory.total - runtime + beside_model, plan.seconds, plan.steps)


def from_json(values: Mapping[str, Any]) -> Foreseen:
    """The inverse of `Foreseen.to_json`."""
    seconds = values["seconds"]
    return Foreseen(
        str(values["stage"]),
        int(values["memory_bytes"]),
        None if seconds is None else float(seconds),
        int(values["steps"]),
    )


def beside(foreseen: Foreseen, memory_bytes: int | None, seconds: float | None) -> str:
    """`foreseen 1.2 GiB and 8 min 00 s, measured 1.1 GiB and 9 min 10 s`: for a report, a log, a screen."""
    said, found = [show_size(foreseen.memory_bytes)], []
    if foreseen.seconds is not None:
        said.append(show_duration(foreseen.seconds))
    if memory_bytes is not None:
        found.append(show_size(memory_bytes))
    if seconds is not None:
        found.append(show_duration(seconds))
    measured = f", measured {' and '.join(found)}" if found else ""
    return f"foreseen {' and '.join(said)}{measured}"


def kept(foreseen: Foreseen, memory_bytes: int | None, seconds: float | None) -> bool | None:
    """Whether both came true within what a plan promises; None where there is nothing to compare."""
    answers: list[bool] = []
    if memory_bytes:
        answers.append(abs(foreseen.memory_bytes / memory_bytes - 1) <= MEMORY_WITHIN)
    if seconds and foreseen.seconds is not None:
        answers.append(abs(foreseen.seconds / seconds - 1) <= SECONDS_WITHIN)
    return all(answers) if answers else None
