"""What a trial came to, out of its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from quire.recipe.schema import Stage
from quire.run.events import Event


@dataclass(frozen=True)
class Outcome:
    """`loss` is the held-out loss of the weights that the voice holds, in nats per token; None before it has any.

    `curve` holds the loss at every tenth of the training that has been reached, between two validations on the
    straight line: trials of different lengths validate at different places, and are compared tenth by tenth.
    """

    loss: float | None
    curve: tuple[tuple[int, float], ...]
    steps: int
    tokens: int
    seconds: float


def outcome_of(events: Sequence[Event], stage: Stage) -> Outcome:
    """By the held-out loss of `stage`, the last one; steps, tokens and seconds are those of all stages.

    The voice holds the last weights, or with `early_stop` the best ones.  Several parts have held-out text of their
    own each: the loss is the mean of theirs.
    """
    steps = [event for event in events if event.kind == "step"]
    held_out = _validations(events, stage.name)
    by_part: dict[int, list[float]] = {}
    for _, part, loss in held_out:
        by_part.setdefault(part, []).append(loss)
    ends = [losses[-1] if stage.early_stop is None else min(losses) for losses in by_part.values()]
    points = [((part + progress) / stage.parts, loss) for progress, part, loss in held_out]
    return Outcome(
        loss=sum(ends) / len(ends) if ends else None,
        curve=tuple(_by_tenths(points)),
        steps=max((event.step for event in steps), default=0),
        tokens=sum(int(_number(event, "tokens")) for event in steps),
        seconds=sum(_number(event, "seconds") for event in steps),
    )


def _by_tenths(points: Sequence[tuple[float, float]]) -> Iterator[tuple[int, float]]:
    """The losses at 0, 1, … tenths; `points` are shares of the training and their losses, in order."""
    tenth = 0
    before: tuple[float, float] | None = None
    for at, loss in points:
        while tenth <= 10 * at + 1e-9:
            share = (tenth / 10 - before[0]) / (at - before[0]) if before is not None and at > before[0] else 1.0
            yield tenth, loss if before is None else before[1] + min(1.0, share) * (loss - before[1])
            tenth += 1
        before = (at, loss)


def _validations(events: Iterable[Event], stage: str) -> list[tuple[float, int, float]]:
    """Each held-out loss of a stage: how far the part was, the part, the loss."""
    found = []
    begun, steps = 0, 1
    for event in events:
        if event.stage != stage:
            continue
        if event.kind == "part_start":
            begun, steps = event.step, max(1, int(_number(event, "steps")))
        loss = event.values.get("loss")
        if event.kind == "validation" and isinstance(loss, int | float):
            found.append(((event.step - begun) / steps, event.part, float(loss)))
    return found


def _number(event: Event, key: str) -> float:
    value = event.values.get(key)
    return float(value) if isinstance(value, int | float) else 0.0
