"""Plots as SVG that takes its colours from the page, so that they follow light, dark and paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from quire.judging.curve import Curve, Point, smoothed
from quire.judging.wording import number

WIDTH = 720
_LEFT, _RIGHT = 52, 124
_MOST_POINTS = 500
_MOST_BEST = 6  # rings; with more parts than that they would hide the line


@dataclass(frozen=True)
class Frame:
    """Maps values to the picture: x and y ranges, and the top and bottom edge in pixels."""

    x: tuple[float, float]
    y: tuple[float, float]
    top: float
    bottom: float

    def at_x(self, value: float) -> float:
        low, high = self.x
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low) / ((high - low) or 1)

    def at_y(self, value: float) -> float:
        low, high = self.y
        return self.bottom - (self.bottom - self.top) * (value - low) / ((high - low) or 1)


def loss_chart(curve: Curve) -> Markup:
    """The loss over the steps, on validation text too, and below it the learning rate.  Empty without steps."""
    if not curve.loss:
        return Markup("")
    span = max(1, len(curve.loss) // 25) | 1
    starts = [at for at, _ in curve.parts]
    runs = _pieces(curve.loss, starts)
    means = [smoothed(run, span) for run in runs]
    last = max(at for at, _ in (*curve.loss, *curve.validation))
    others = [point for _, points in curve.watched for point in points]
    share = max(2, _MOST_POINTS // len(runs))
    thin = [_thinned(run, share) for run in runs]
    values = [value for _, value in (*(point for run in thin for point in run), *curve.validation, *others)]
    frame = Frame((0, last), _padded(min(values), max(values)), 30, 250)
    parts = [_bands(curve, frame), _axis(frame, "loss, nats per token", 2), _sections(curve, frame)]
    parts += [_line(run, frame, "raw") for run in thin]
    parts += [_line(_thinned(mean, share), frame, "train") for mean in means]
    parts += [_line(run, frame, "valid") for run in _pieces(curve.validation, ()) if len(run) > 1]
    parts += [_dot(frame.at_x(x), frame.at_y(y), "valid") for x, y in _thinned(curve.validation, 60)]
    parts += [_line(points, frame, "watched") for _, points in curve.watched if len(points) > 1]
    parts += [_ring(frame, point) for point in curve.best if len(curve.best) <= _MOST_BEST]
    parts += [_mark(frame, number, step, text) for number, (step, text) in enumerate(curve.warnings, start=1)]
    ends = [("training", means[-1][-1], "train")]
    ends += [("validation", curve.validation[-1], "valid")] if curve.validation else []
    ends += [(_short(name, 12), points[-1], "watched") for name, points in curve.watched if points]
    parts.append(_labels(ends, frame))
    height = 290
    if curve.learning_rate:
        peak = max(value for _, value in curve.learning_rate)
        low = Frame((0, last), (0, peak or 1), 292, 348)
        parts += [_line(_thinned(run, share), low, "rate") for run in _pieces(curve.learning_rate, starts)]
        parts.append(_rule(low.bottom))
        parts.append(_text(_LEFT - 8, low.at_y(peak) + 4, f"{peak:.2g}", "tick", "end"))
        parts.append(_text(_LEFT - 8, low.bottom + 4, "0", "tick", "end"))
        parts.append(_text(WIDTH - _RIGHT + 8, low.at_y(curve.learning_rate[-1][1]) + 4, "learning rate", "name rate"))
        height = 388
    parts += [_text(frame.at_x(x), height - 24, f"{x:,.0f}", "tick", "middle") for x in ticks(0, last, 6)]
    parts.append(_text((WIDTH + _LEFT - _RIGHT) / 2, height - 6, "optimiser steps", "name", "middle"))
    return _svg(height, "Loss and learning rate over the training", parts)


def units_chart(rows: Sequence[tuple[str, float, float]]) -> Markup:
    """Bits per byte of each chapter or work: (name, base, voice).  A line from the base's dot to the voice's."""
    if not rows:
        return Markup("")
    values = [value for _, base, voice in rows for value in (base, voice)]
    step, left = 22, 190
    bottom = 30 + step * len(rows)
    low, high = _padded(min(values), max(values))

    def at(value: float) -> float:
        return left + (WIDTH - left - 40) * (value - low) / (high - low)

    parts = [
        _text(at(x), 14, number(x, 2), "tick", "middle") + _segment(at(x), 20, at(x), bottom, "grid")
        for x in ticks(low, high, 6)
    ]
    for index, (name, base, voice) in enumerate(rows):
        y = 36 + step * index
        short = name if len(name) <= 28 else name[:27] + "…"
        parts.append(_text(left - 14, y + 4, short, "tick", "end"))
        parts.append(_segment(at(base), y, at(voice), y, "pair"))
        parts += [_dot(at(base), y, "base"), _dot(at(voice), y, "voice")]
    return _svg(bottom + 8, "Bits per byte of base and voice, by chapter", parts)


def imprint_line(value: float, low: float, high: float) -> Markup:
    """From style (0) to memorisation (1): the voice's place, and its interval as a thicker stretch."""
    left, right, y = 90, WIDTH - 90, 26

    def at(share: float) -> float:
        return left + (right - left) * share

    parts = [
        _segment(left, y, right, y, "section"),
        _segment(at(low), y, at(high), y, "pair"),
        _dot(at(value), y, "voice"),
        _text(left - 12, y + 4, "style", "name", "end"),
        _text(right + 12, y + 4, "memory", "name"),
        _text(at(value), y + 24, f"{value:.0%}", "tick", "middle"),
    ]
    return _svg(62, "From style to memorisation: where the voice ended", parts)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) between `low` and `high`, at most about `most`."""
    rough = (high - low) / most or 1
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _padded(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * 0.06 or abs(high) * 0.05 or 1
    return low - room, high + room


def _thinned(points: Sequence[Point], most: int = _MOST_POINTS) -> list[Point]:
    """At most `most` points: the mean of each run of neighbours, at the run's last step."""
    size = math.ceil(len(points) / most) or 1
    runs = [points[i : i + size] for i in range(0, len(points), size)]
    return [(run[-1][0], sum(value for _, value in run) / len(run)) for run in runs]


def _axis(frame: Frame, name: str, digits: int) -> Markup:
    parts = [_text(_LEFT - 44, frame.top - 16, name, "name")]
    for value in ticks(*frame.y, 5):
        y = frame.at_y(value)
        parts.append(_segment(_LEFT, y, WIDTH - _RIGHT, y, "grid"))
        parts.append(_text(_LEFT - 8, y + 4, number(value, digits), "tick", "end"))
    return Markup("").join(parts)


def _pieces(points: Sequence[Point], starts: Sequence[int]) -> list[list[Point]]:
    """The points of each part: what lies between two parts is no line.  A step that comes twice ends one and begins
    the next."""
    pieces: list[list[Point]] = []
    for at, value in points:
        before = pieces[-1][-1][0] if pieces else None
        if before is None or at <= before or any(before <= start < at for start in starts):
            pieces.append([])
        pieces[-1].append((at, value))
    return pieces


def _bands(curve: Curve, frame: Frame) -> Markup:
    """Every second stage on a tinted ground, and below it the names of all that are wide enough for theirs."""
    parts = []
    for index, (first, last, name) in enumerate(curve.stages):
        left, right = frame.at_x(first), frame.at_x(last)
        if index % 2:
            places = (f"{value:.1f}" for value in (left, frame.top, right - left, frame.bottom - frame.top))
            parts.append(Markup('<rect class="band" x="{}" y="{}" width="{}" height="{}"/>').format(*places))
        shown = _short(name, int((right - left - 8) / 5.5))
        if len(shown) > 2:
            parts.append(_text((left + right) / 2, frame.bottom + 17, shown, "name", "middle"))
    return Markup("").join(parts)


def _sections(curve: Curve, frame: Frame) -> Markup:
    """Where stages and parts begin; the names of parts only where there is room for them."""
    parts = []
    named = {first: name for first, _, name in curve.stages}
    for at, name in curve.parts:
        x = frame.at_x(at)
        parts.append(_segment(x, frame.top, x, frame.bottom, "section"))
        part = name.rpartition(", ")[2]  # the stage's own stands below
        if part and named.get(at) != part and len(curve.parts) <= 5:
            parts.append(_text(x + 4, frame.bottom - 6, part, "tick"))
    return Markup("").join(parts)


def _ring(frame: Frame, best: Point) -> Markup:
    """Around the lowest held-out loss."""
    told = f"best held-out loss {number(best[1], 3)}, at step {best[0]}"
    return Markup('<circle class="best" cx="{}" cy="{}" r="6.5"><title>{}</title></circle>').format(
        f"{frame.at_x(best[0]):.1f}", f"{frame.at_y(best[1]):.1f}", told
    )


def _mark(frame: Frame, count: int, step: int, text: str) -> Markup:
    """A numbered flag above the step at which something was told; the page lists the texts by their numbers."""
    x, y = frame.at_x(step), frame.top
    flag = Markup('<path class="mark" d="M{} {}l-4 -7h8z"><title>{}</title></path>').format(
        f"{x:.1f}", f"{y:.1f}", f"step {step}: {text}"
    )
    return flag + _text(x, y - 9, str(count), "mark", "middle")


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: max(0, most - 1)]}…"


def _labels(ends: Sequence[tuple[str, Point, str]], frame: Frame) -> Markup:
    """Each line's name at its right end, moved apart where they would touch."""
    placed: list[float] = []
    parts = []
    for name, (_, value), kind in sorted(ends, key=lambda end: -end[1][1]):
        y = frame.at_y(value) + 4
        if placed and y - placed[-1] < 15:
            y = placed[-1] + 15
        placed.append(y)
        parts.append(_text(WIDTH - _RIGHT + 8, y, f"{name} {number(value)}", f"name {kind}"))
    return Markup("").join(parts)


def _line(points: Sequence[Point], frame: Frame, kind: str) -> Markup:
    path = " ".join(f"{frame.at_x(x):.1f},{frame.at_y(y):.1f}" for x, y in points)
    return Markup('<polyline class="line {}" points="{}"/>').format(kind, path)


def _dot(x: float, y: float, kind: str) -> Markup:
    return Markup('<circle class="dot {}" cx="{}" cy="{}" r="3.4"/>').format(kind, f"{x:.1f}", f"{y:.1f}")


def _segment(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    places = (f"{value:.1f}" for value in (x1, y1, x2, y2))
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, *places)


def _rule(y: float) -> Markup:
    return _segment(_LEFT, y, WIDTH - _RIGHT, y, "grid")


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, f"{x:.1f}", f"{y:.1f}", anchor, text
    )


def _svg(height: float, title: str, parts: Sequence[Markup]) -> Markup:
    head = Markup('<svg class="chart" viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">').format(
        WIDTH, height, escape(title)
    )
    return head + Markup("").join(parts) + Markup("</svg>")
