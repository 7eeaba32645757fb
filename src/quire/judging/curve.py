"""The course of a training, out of its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from quire.run.events import JSON, Event

Point = tuple[int, float]


@dataclass(frozen=True)
class Curve:
    """Values over the optimiser steps of the whole run, stages and parts one after the other.

    `parts` holds the step at which each stage or part begins, and its name where there are several.
    """

    loss: tuple[Point, ...]
    learning_rate: tuple[Point, ...]
    validation: tuple[Point, ...]
    parts: tuple[tuple[int, str], ...]

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def curve_of(events: Iterable[Event]) -> Curve:
    """Loss in nats per token and learning rate of every step event, and the validation losses.

    An event's `step` counts over the whole run, so that parts follow one another by themselves.
    """
    loss: list[Point] = []
    rate: list[Point] = []
    validation: list[Point] = []
    parts: list[tuple[int, str, int]] = []
    for event in events:
        if event.kind not in ("step", "validation"):
            continue
        if not parts or parts[-1][1:] != (event.stage, event.part):
            parts.append((event.step if event.kind == "validation" else event.step - 1, event.stage, event.part))
        if event.kind == "validation":
            _add(validation, event.step, event.values.get("loss"))
        else:
            _add(loss, event.step, event.values.get("loss"))
            _add(rate, event.step, event.values.get("learning_rate"))
    return Curve(tuple(loss), tuple(rate), tuple(validation), tuple(_named(parts)))


def smoothed(points: Sequence[Point], span: int) -> list[Point]:
    """Mean over the `span` points around each, fewer at the ends."""
    half = span // 2
    values = [value for _, value in points]
    means = []
    for index, (at, _) in enumerate(points):
        reach = min(half, index, len(points) - 1 - index)
        near = values[index - reach : index + reach + 1]
        means.append((at, sum(near) / len(near)))
    return means


def _add(points: list[Point], at: int, value: JSON) -> None:
    if isinstance(value, int | float):
        points.append((at, float(value)))


def _named(parts: Sequence[tuple[int, str, int]]) -> list[tuple[int, str]]:
    stages = {stage for _, stage, _ in parts}
    several = {stage for _, stage, part in parts if part > 0}
    named = []
    for at, stage, part in parts:
        words = [stage] if stage and len(stages) > 1 else []
        words += [f"part {part + 1}"] if stage in several else []
        named.append((at, ", ".join(words)))
    return named if len(named) > 1 else []
