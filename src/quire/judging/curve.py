"""The course of a training, out of its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from quire.run.events import JSON, Event

Point = tuple[int, float]


@dataclass(frozen=True)
class Curve:
    """Values over the optimiser steps of the whole run, stages and parts one after the other.

    `parts` holds the step at which each stage or part begins, and its name where there are several; `stages` the first
    and the last step of each stage, and its name, where there are several.  `best` is the lowest held-out loss of each
    part.  `warnings` are the steps and texts of what was told while it trained; `watched` the held-out losses of
    earlier books by name; `left_out` steps whose numbers were not finite.
    """

    loss: tuple[Point, ...]
    learning_rate: tuple[Point, ...]
    validation: tuple[Point, ...]
    parts: tuple[tuple[int, str], ...]
    stages: tuple[tuple[int, int, str], ...] = ()
    best: tuple[Point, ...] = ()
    warnings: tuple[tuple[int, str], ...] = ()
    watched: tuple[tuple[str, tuple[Point, ...]], ...] = ()
    left_out: tuple[int, ...] = ()

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def curve_of(events: Iterable[Event]) -> Curve:
    """Loss in nats per token and learning rate of every step event, the validation losses, and what was told.

    An event's `step` counts over the whole run, so that parts follow one another by themselves.
    """
    loss: list[Point] = []
    rate: list[Point] = []
    validation: list[tuple[str, int, Point]] = []
    parts: list[tuple[int, str, int]] = []
    warnings: list[tuple[int, str]] = []
    watched: dict[str, list[Point]] = {}
    left_out: list[int] = []
    last = 0
    for event in events:
        if event.kind == "warning" and parts:
            warnings.append((event.step, str(event.values.get("text"))))
        if event.kind not in ("step", "skipped", "validation"):
            continue
        last = max(last, event.step)
        if not parts or parts[-1][1:] != (event.stage, event.part):
            parts.append((event.step if event.kind == "validation" else event.step - 1, event.stage, event.part))
        if event.kind == "skipped":
            left_out.append(event.step)
        elif event.kind == "validation":
            points: list[Point] = []
            _add(points, event.step, event.values.get("loss"))
            validation += [(event.stage, event.part, point) for point in points]
            others = event.values.get("watched")
            for name, value in others.items() if isinstance(others, dict) else ():
                _add(watched.setdefault(name, []), event.step, value)
        else:
            _add(loss, event.step, event.values.get("loss"))
            _add(rate, event.step, event.values.get("learning_rate"))
    return Curve(
        tuple(loss),
        tuple(rate),
        tuple(point for _, _, point in validation),
        tuple(_named(parts)),
        tuple(_stages(parts, last)),
        tuple(_best(validation)),
        tuple(warnings),
        tuple((name, tuple(points)) for name, points in watched.items()),
        tuple(left_out),
    )


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


def _stages(parts: Sequence[tuple[int, str, int]], last: int) -> list[tuple[int, int, str]]:
    begins = [(at, stage) for index, (at, stage, _) in enumerate(parts) if not index or parts[index - 1][1] != stage]
    ends = [at for at, _ in begins[1:]] + [last]
    return [(at, end, stage) for (at, stage), end in zip(begins, ends, strict=True)] if len(begins) > 1 else []


def _best(validation: Sequence[tuple[str, int, Point]]) -> list[Point]:
    """Of every part: its held-out text is its own, and compares with no other's."""
    lowest: dict[tuple[str, int], Point] = {}
    for stage, part, point in validation:
        if (stage, part) not in lowest or point[1] < lowest[stage, part][1]:
            lowest[stage, part] = point
    return list(lowest.values())
