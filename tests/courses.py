"""Trainings as their events tell them, made of formulas and a fixed seed: what alarms and displays are tried on."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from quire.recipe.schema import Stage
from quire.run.events import JSON, Event

Curve = Callable[[float], float]


def stage(name: str = "train", **settings: Any) -> Stage:
    return Stage.model_validate({"name": name, **settings})


def sinking(start: float = 4.2, end: float = 3.6) -> Curve:
    """A loss as it sinks in a healthy training, over the share of the steps that are done."""
    return lambda done: end + (start - end) * math.exp(-4 * done)


def course(
    steps: int = 200,
    loss: Curve | None = None,
    held_out: Curve | None = None,
    *,
    stage: str = "train",
    part: int = 0,
    first: int = 0,
    epochs: float = 3,
    spread: float = 0.1,
    pace: int | None = None,
    seed: int = 1,
    norm: Curve = lambda done: 0.5,
    values: Callable[[int], dict[str, JSON]] = lambda step: {},
) -> Iterator[Event]:
    """Part start, a validation, steps with noise of `spread` nats, a validation and a checkpoint every `pace` steps."""
    dice = random.Random(seed)
    loss = loss or sinking()
    held_out = held_out or (lambda done: loss(done) + 0.1)
    pace = pace or max(1, steps // 10)
    yield Event(0.0, "part_start", stage, part, first, {"rows": steps * 8, "parts": 1, "steps": steps})
    best: tuple[float, int] = (math.inf, first)
    for number in range(steps + 1):
        step, done = first + number, number / steps
        if number:
            told: dict[str, JSON] = {
                "loss": loss(done) + dice.gauss(0, spread),
                "grad_norm": norm(done) * math.exp(dice.gauss(0, 0.1)),
                "tokens": 1000,
                "part_step": number,
                "part_steps": steps,
                "epoch": epochs * done,
            }
            yield Event(0.0, "step", stage, part, step, told | values(number))
        if number % pace == 0 or number == steps:
            measured = held_out(done)
            best = min(best, (measured, step))
            checked: dict[str, JSON] = {"loss": measured, "best_loss": best[0], "best_step": best[1]}
            yield Event(0.0, "validation", stage, part, step, checked | values(-step))
            yield Event(0.0, "checkpoint", stage, part, step, {"path": f"{step:07d}"})


def replaced(events: Iterable[Event], change: Callable[[Event], dict[str, JSON]]) -> Iterator[Event]:
    """The same events with some values changed."""
    for event in events:
        yield Event(event.time, event.kind, event.stage, event.part, event.step, {**event.values, **change(event)})
