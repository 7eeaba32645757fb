"""What the rounds gave: medians, ratios round by round, the table, how busy the machine was."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

OURS = "quire"
RIVAL = "unsloth"  # with whom memory and speed are compared on a GPU
QUIET = 0.1  # of the machine
LOOK = 3.0  # seconds


@dataclass(frozen=True)
class Outcome:
    """One trainer in one round.  `others` is the share of the machine's cores that other processes used meanwhile."""

    entrant: str
    round: int
    tokens_per_second: float
    peak_bytes: int
    others: float | None
    told: Mapping[str, Any]


def ratios(outcomes: Sequence[Outcome], ours: str = OURS, *, by_work: bool = False) -> dict[str, list[float]]:
    """How many times as fast as each other one `ours` was, round by round; rounds that lack either are left out.

    `by_work`: for each second of work of all threads together, instead of each second that went by.
    """
    rate = {
        (one.entrant, one.round): one.told["tokens_per_core_second"] if by_work else one.tokens_per_second
        for one in outcomes
    }
    rounds = sorted({one.round for one in outcomes})
    found: dict[str, list[float]] = {}
    for name in names(outcomes):
        both = [number for number in rounds if (name, number) in rate and (ours, number) in rate]
        if name != ours and both:
            found[name] = [rate[ours, number] / rate[name, number] for number in both]
    return found


def product(outcome: Outcome) -> float | None:
    """Memory and speed in one, where a GPU computed: tokens a second for each gigabyte (10⁹ bytes) that the GPU held at
    the peak."""
    peak = gpu_peak(outcome)
    return outcome.tokens_per_second / (peak / 1e9) if peak else None


def gpu_peak(outcome: Outcome) -> int | None:
    """The most bytes of a GPU that a trainer's tensors held."""
    notes: Mapping[str, Any] = outcome.told.get("notes", {})
    peak = notes.get("gpu_peak_bytes")
    return int(peak) if peak else None


def product_times(outcomes: Sequence[Outcome]) -> dict[str, list[float]]:
    """`product` over that of Unsloth in the same precision, round by round; rounds that lack either are left out."""
    found: dict[str, list[float]] = {}
    products = {(one.entrant, one.round): product(one) for one in outcomes}
    for (name, number), own in products.items():
        _, dash, precision = name.partition("-")
        rival = f"{RIVAL}{dash}{precision}"
        other = products.get((rival, number))
        if name != rival and own is not None and other is not None:
            found.setdefault(name, []).append(own / other)
    return found


def names(outcomes: Sequence[Outcome]) -> list[str]:
    """Every trainer once, in the order of the first round."""
    return list(dict.fromkeys(one.entrant for one in outcomes))


def summary(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A line for each trainer: every round, the median, how many times as fast Quire was, memory."""
    rows = []
    times, by_work = ratios(outcomes), ratios(outcomes, by_work=True)
    against = product_times(outcomes)
    for name in names(outcomes):
        own = [one for one in outcomes if one.entrant == name]
        rates = [one.tokens_per_second for one in own]
        others = [one.others for one in own if one.others is not None]
        peaks = [peak for one in own if (peak := gpu_peak(one)) is not None]
        products = [made for one in own if (made := product(one)) is not None]
        rows.append(
            {
                "trainer": name,
                "tokens_per_second": [round(rate, 1) for rate in rates],
                "median": round(statistics.median(rates), 1),
                "undisturbed": round(max(one.told["undisturbed"] for one in own), 1),
                "per_core_second": round(statistics.median(one.told["tokens_per_core_second"] for one in own), 1),
                "quire_times": [round(ratio, 2) for ratio in times.get(name, [])],
                "quire_times_median": round(statistics.median(times[name]), 2) if name in times else None,
                "quire_times_by_work": round(statistics.median(by_work[name]), 2) if name in by_work else None,
                "peak_bytes": max(one.peak_bytes for one in own),
                "gpu_peak_bytes": max(peaks, default=None),
                "tokens_per_second_per_gb": round(statistics.median(products), 2) if products else None,
                "product_times_unsloth": [round(ratio, 3) for ratio in against.get(name, [])],
                "product_times_unsloth_median": round(statistics.median(against[name]), 3) if name in against else None,
                "others": round(max(others), 2) if others else None,
            }
        )
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """`summary` for the eye.

    `undisturbed`: tokens per second of the quicker half of the steps, in the best round.  `core`: tokens per second of
    work of all threads together, which others hinder least where there is one thread; `by work`: the ratio of those.
    Where a GPU computed: its peak memory, tokens a second for each gigabyte of it, and that over Unsloth's in the same
    precision.
    """
    heads = "trainer       tokens/s, median (rounds)   undisturbed    core  Quire is, median (rounds)"
    gpu = any(row["gpu_peak_bytes"] for row in rows)
    lines = [
        heads + "  by work  peak memory  others" + ("  GPU memory  tokens/s for a GB  of Unsloth's" if gpu else "")
    ]
    for row in rows:
        rates = " ".join(f"{rate:.0f}" for rate in row["tokens_per_second"])
        times = " ".join(f"{ratio:.2f}" for ratio in row["quire_times"])
        shown = f"{row['quire_times_median']:.2f} × ({times})" if row["quire_times_median"] is not None else "–"
        others = f"{row['others']:.0%}" if row["others"] is not None else "–"
        speed = f"{row['median']:.1f} ({rates})"
        aside = f"{row['undisturbed']:11.1f}  {row['per_core_second']:6.1f}"
        memory = f"{row['peak_bytes'] / 1e9:8.2f} GB"
        work = f"{row['quire_times_by_work']:.2f} ×" if row["quire_times_by_work"] is not None else "–"
        line = f"{row['trainer']:<14}{speed:<28}{aside}  {shown:<27}{work:>7}  {memory}  {others:>6}"
        lines.append(line + (_gpu_columns(row) if gpu else ""))
    return "\n".join(lines)


def _gpu_columns(row: Mapping[str, Any]) -> str:
    if not row["gpu_peak_bytes"]:
        return ""
    times = row["product_times_unsloth_median"]
    shown = "–" if times is None else f"{times:.2f} ×"
    return f"  {row['gpu_peak_bytes'] / 1e9:7.2f} GB  {row['tokens_per_second_per_gb']:17.1f}  {shown:>12}"


class Onlooker:
    """Sees how much of the machine others use while a child of ours works, on Linux; elsewhere it sees nothing."""

    def __init__(self, file: Path = Path("/proc/stat")) -> None:
        self._file = file
        self._began = self._look()

    def others(self) -> float | None:
        """The share of all cores that others used since the beginning; our children count when they have ended."""
        now = self._look()
        if now is None or self._began is None:
            return None
        wall, busy, own = (after - before for after, before in zip(now, self._began, strict=True))
        return max(0.0, busy - own) / (wall * (os.cpu_count() or 1))

    def wait_for_quiet(self, patience: float) -> None:
        """Until others use less than a tenth of the machine for some seconds, or `patience` seconds have gone by."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            self._began = self._look()
            time.sleep(LOOK)
            others = self.others()
            if others is None or others < QUIET:
                break
        self._began = self._look()

    def _look(self) -> tuple[float, float, float] | None:
        """Seconds: by the clock, of all cores at work, of ours and our ended children at work."""
        if not self._file.exists():
            return None
        user, nice, system, _idle, _waiting, *rest = map(int, self._file.read_text().splitlines()[0].split()[1:])
        busy = (user + nice + system + sum(rest[:2])) / os.sysconf("SC_CLK_TCK")
        return time.monotonic(), busy, sum(os.times()[:4])


def to_json(outcomes: Sequence[Outcome], facts: Mapping[str, Any]) -> dict[str, Any]:
    """As benchmarks/results/peers.json keeps a shape."""
    return {**facts, "summary": summary(outcomes), "rounds": [asdict(one) for one in outcomes]}
