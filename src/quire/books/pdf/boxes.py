"""Boxes and turns on a page: what lies where, which way writing runs, and how much of a page pictures cover."""

from __future__ import annotations

import math
from collections.abc import Sequence

Box = tuple[float, float, float, float]
Matrix = tuple[float, float, float, float, float, float]
SAME: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
MOST_STRIPES = 500
_CELLS = 24


def times(first: Matrix, second: Matrix) -> Matrix:
    """One transformation after the other."""
    if second is SAME:
        return first
    a, b, c, d, e, f = first
    p, q, r, s, t, u = second
    return (a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u)


def quarter(a: float, b: float) -> int | None:
    """Which way writing runs, in quarter turns against the clock; None when it runs aslant.

    A scan's text may lean with its page by a few degrees.
    """
    if b == 0:
        return 0 if a >= 0 else 2
    turns = math.atan2(b, a) / (math.pi / 2)
    nearest = round(turns)
    return nearest % 4 if abs(turns - nearest) < 0.12 else None


def turning(upright: int, left: float, bottom: float, right: float, top: float) -> Matrix:
    """The transformation that lays the shown part of a page at the origin, its writing from left to right."""
    if upright == 1:
        return (0.0, -1.0, 1.0, 0.0, -bottom, right)
    if upright == 2:
        return (-1.0, 0.0, 0.0, -1.0, right, top)
    if upright == 3:
        return (0.0, 1.0, -1.0, 0.0, top, -left)
    return SAME if abs(left) < 0.5 and abs(bottom) < 0.5 else (1.0, 0.0, 0.0, 1.0, -left, -bottom)


def is_outside(box: Box, crop: Box) -> bool:
    return box[2] < crop[0] or box[0] > crop[2] or box[3] < crop[1] or box[1] > crop[3]


def lies_in(box: Box, ground: Box) -> bool:
    """Whether the middle of one box lies in another."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return ground[0] <= x <= ground[2] and ground[1] <= y <= ground[3]


def area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def share_covered(pictures: Sequence[Box], crop: Box) -> float:
    """The share of a page that its pictures cover together: scans are often cut in stripes, or in layers."""
    left, bottom, right, top = crop
    across, up = (right - left) / _CELLS, (top - bottom) / _CELLS
    if across <= 0 or up <= 0:
        return 0.0
    covered: set[tuple[int, int]] = set()
    for west, south, east, north in pictures[:MOST_STRIPES]:
        # A cell counts when its middle is covered.
        columns = _middles(west, east, left, across)
        rows = _middles(south, north, bottom, up)
        covered.update((column, row) for column in columns for row in rows)
        if len(covered) == _CELLS * _CELLS:
            break
    return len(covered) / (_CELLS * _CELLS)


def _middles(low: float, high: float, start: float, step: float) -> range:
    first = math.ceil(max(-1.0, min(float(_CELLS), (low - start) / step - 0.5)))
    last = math.floor(max(-1.0, min(float(_CELLS), (high - start) / step - 0.5)))
    return range(max(0, first), min(_CELLS, last + 1))
