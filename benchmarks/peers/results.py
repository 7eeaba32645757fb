"""What the rounds gave: medians, ratios round by round, the table, the machine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

OURS = "quire"
QUIET = 0.1  # of the machine
LOOK = 3.0  # seconds
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


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


def names(outcomes: Sequence[Outcome]) -> list[str]:
    """Every trainer once, in the order of the first round."""
    return list(dict.fromkeys(one.entrant for one in outcomes))


def summary(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A line for each trainer: every round, the median, how many times as fast Quire was, memory."""
    rows = []
    times, by_work = ratios(outcomes), ratios(outcomes, by_work=True)
    for name in names(outcomes):
        own = [one for one in outcomes if one.entrant == name]
        rates = [one.tokens_per_second for one in own]
        others = [one.others for one in own if one.others is not None]
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
                "others": round(max(others), 2) if others else None,
            }
        )
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """`summary` for the eye.

    `undisturbed`: tokens per second of the quicker half of the steps, in the best round.  `core`: tokens per second of
    work of all threads together, which others hinder least where there is one thread; `by work`: the ratio of those.
    """
    heads = "trainer       tokens/s, median (rounds)   undisturbed    core  Quire is, median (rounds)"
    lines = [heads + "  by work  peak memory  others"]
    for row in rows:
        rates = " ".join(f"{rate:.0f}" for rate in row["tokens_per_second"])
        times = " ".join(f"{ratio:.2f}" for ratio in row["quire_times"])
        shown = f"{row['quire_times_median']:.2f} × ({times})" if row["quire_times_median"] is not None else "–"
        others = f"{row['others']:.0%}" if row["others"] is not None else "–"
        speed = f"{row['median']:.1f} ({rates})"
        aside = f"{row['undisturbed']:11.1f}  {row['per_core_second']:6.1f}"
        memory = f"{row['peak_bytes'] / 1e9:8.2f} GB"
        work = f"{row['quire_times_by_work']:.2f} ×" if row["quire_times_by_work"] is not None else "–"
        lines.append(f"{row['trainer']:<14}{speed:<28}{aside}  {shown:<27}{work:>7}  {memory}  {others:>6}")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    cpu, flags = _processor(Path("/proc/cpuinfo"))
    return {
        "cpu": cpu or platform.processor(),
        "cores": os.cpu_count(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.machine()}",
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor(file: Path) -> tuple[str, set[str]]:
    if not file.exists():
        return "", set()
    told = [line.partition(":") for line in file.read_text(encoding="utf-8").splitlines()]
    facts = {key.strip(): value.strip() for key, _, value in reversed(told)}  # the first core's stand last
    return facts.get("model name", ""), set(facts.get("flags", "").split())


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
