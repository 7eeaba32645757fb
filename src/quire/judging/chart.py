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
    mean = smoothed(curve.loss, span)
    last = max(at for at, _ in (*curve.loss, *curve.validation))
    values = [value for _, value in (*_thinned(curve.loss), *curve.validation)]
    frame = Frame((0, last), _padded(min(values), max(values)), 30, 250)
    parts = [_axis(frame, "loss, nats per token", 2), _sections(curve, frame)]
    parts += [_line(_thinned(curve.loss), frame, "raw"), _line(_thinned(mean), frame, "train")]
    parts += [_line(curve.validation, frame, "valid")] if len(curve.validation) > 1 else []
    parts += [_dot(frame.at_x(x), frame.at_y(y), "valid") for x, y in _thinned(curve.validation, 60)]
    ends = [("training", mean[-1], "train")]
    ends += [("validation", curve.validation[-1], "valid")] if curve.validation else []
    parts.append(_labels(ends, frame))
    height = 290
    if curve.learning_rate:
        peak = max(value for _, value in curve.learning_rate)
        low = Frame((0, last), (0, peak or 1), 292, 348)
        parts.append(_line(_thinned(curve.learning_rate), low, "rate"))
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


def _sections(curve: Curve, frame: Frame) -> Markup:
    """Where stages and parts begin; names only where there is room for them."""
    parts = []
    for at, name in curve.parts:
        x = frame.at_x(at)
        parts.append(_segment(x, frame.top, x, frame.bottom, "section"))
        if name and len(curve.parts) <= 5:
            parts.append(_text(x + 4, frame.bottom - 6, name, "tick"))
    return Markup("").join(parts)


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
