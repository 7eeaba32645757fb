"""Two sequences aligned in order: runs that are unique in both hold them together, Myers' algorithm does the rest.

The result is a common subsequence, the longest one wherever the two differ in a few places; where a passage has moved,
only one of its places can be in order, and the other counts as missing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence

Pairs = list[tuple[int, int]]

# Lengths of the runs that may anchor, tried in turn: a long one is unique where a short one is not.
RUNS = (12, 5, 2, 1)
SMALL = 64  # sequences this short are compared outright
EDITS = 600  # as many differences between two anchors are searched for one by one


def align(a: Sequence[Hashable], b: Sequence[Hashable], runs: Sequence[int] = RUNS) -> Pairs:
    """Pairs (i, j), rising in both, with `a[i] == b[j]`."""
    names: dict[Hashable, int] = {}
    first = [names.setdefault(item, len(names)) for item in a]
    second = [names.setdefault(item, len(names)) for item in b]
    found: Pairs = []
    _align(first, second, 0, 0, tuple(runs), found)
    return found


def _align(a: list[int], b: list[int], at: int, bt: int, runs: tuple[int, ...], found: Pairs) -> None:
    start = 0
    while start < len(a) and start < len(b) and a[start] == b[start]:
        found.append((at + start, bt + start))
        start += 1
    stop = 0
    while stop < len(a) - start and stop < len(b) - start and a[-1 - stop] == b[-1 - stop]:
        stop += 1
    inner, other = a[start : len(a) - stop], b[start : len(b) - stop]
    if inner and other:
        _between(inner, other, at + start, bt + start, runs, found)
    found.extend((at + len(a) - n, bt + len(b) - n) for n in range(stop, 0, -1))


def _between(a: list[int], b: list[int], at: int, bt: int, runs: tuple[int, ...], found: Pairs) -> None:
    if len(a) + len(b) <= SMALL or not runs:
        found.extend((at + i, bt + j) for i, j in _myers(a, b))
        return
    x = y = 0
    run, *shorter = runs
    for i, j in _anchors(a, b, run):
        if i < x or j < y:
            continue
        _align(a[x:i], b[y:j], at + x, bt + y, tuple(shorter), found)
        length = 0
        while i + length < len(a) and j + length < len(b) and a[i + length] == b[j + length]:
            length += 1
        found.extend((at + i + n, bt + j + n) for n in range(length))
        x, y = i + length, j + length
    if (x, y) == (0, 0):
        _between(a, b, at, bt, tuple(shorter), found)
    else:
        _align(a[x:], b[y:], at + x, bt + y, tuple(shorter), found)


def _anchors(a: list[int], b: list[int], run: int) -> Pairs:
    """Where a run of items stands that occurs once in `a` and once in `b`; the longest series in order."""
    places = _once(a, run)
    others = _once(b, run)
    pairs = [(i, others[key]) for key, i in places.items() if key in others]
    pairs.sort()
    tops: list[int] = []
    ends: list[int] = []
    before = [-1] * len(pairs)
    for n, (_, j) in enumerate(pairs):
        k = bisect_left(tops, j)
        before[n] = ends[k - 1] if k else -1
        tops[k : k + 1] = [j]
        ends[k : k + 1] = [n]
    series: Pairs = []
    n = ends[-1] if ends else -1
    while n >= 0:
        series.append(pairs[n])
        n = before[n]
    return series[::-1]


def _once(items: list[int], run: int) -> dict[tuple[int, ...], int]:
    seen: dict[tuple[int, ...], int] = {}
    for i, key in enumerate(zip(*(items[n:] for n in range(run)), strict=False)):
        seen[key] = -1 if key in seen else i
    return {key: i for key, i in seen.items() if i >= 0}


def _myers(a: list[int], b: list[int]) -> Pairs:
    """The longest common subsequence (Myers 1986, O(ND)); nothing beyond `EDITS` differences."""
    furthest = {1: 0}
    steps: list[dict[int, int]] = []
    for edits in range(min(len(a) + len(b), EDITS) + 1):
        steps.append(dict(furthest))
        for k in range(-edits, edits + 1, 2):
            left, right = furthest.get(k - 1, -1), furthest.get(k + 1, -1)
            x = right if k == -edits or (k != edits and left < right) else left + 1
            while x < len(a) and x - k < len(b) and a[x] == b[x - k]:
                x += 1
            furthest[k] = x
            if x >= len(a) and x - k >= len(b):
                return _back(steps, len(a), len(b))
    return []


def _back(steps: list[dict[int, int]], x: int, y: int) -> Pairs:
    pairs: Pairs = []
    for edits in range(len(steps) - 1, -1, -1):
        k = x - y
        left, right = steps[edits].get(k - 1, -1), steps[edits].get(k + 1, -1)
        down = k == -edits or (k != edits and left < right)
        # The equal items after this edit; before the first edit there are only those.
        least = 0 if not edits else right if down else left + 1
        while x > least and x - k > 0:
            x -= 1
            pairs.append((x, x - k))
        if edits:
            x, y = (right, right - k - 1) if down else (left, left - k + 1)
    return pairs[::-1]
