"""Quire beside TRL with Liger's kernels and beside Unsloth, through `benchmarks.peers`, and how far the goals are.

The peers need an environment each, which pip makes from the package index the first time.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.shapes import SIZES
from benchmarks.peers.__main__ import main as run_peers
from quire.verbs.benching.roofline import best_seconds, work_of

FASTER = {"trl": 1.3, "unsloth": 1.1}  # times as many tokens a second as these, at least
OF_THE_ROOFLINE = 0.5
OF_MEMORY_AND_SPEED = 1.1  # in nf4, over Unsloth's: tokens a second for each gigabyte at the peak

Run = Callable[[Sequence[str]], int]


def beside(shape: str, rounds: int, rate: float | None, run: Run = run_peers) -> dict[str, Any]:
    """All trainers in turns on this shape.  `rate` is that of products in bf16 (operations a second), where known.

    RuntimeError where not one of them trained.
    """
    with tempfile.TemporaryDirectory(prefix="quire-gpu-") as place:
        results = Path(place) / "peers.json"
        failed = run(["--device", "cuda", "--shape", shape, "--rounds", str(rounds), "--results", str(results)])
        if not results.exists():
            raise RuntimeError("no trainer trained; what they printed stands above")
        (told,) = json.loads(results.read_text(encoding="utf-8")).values()
    found = {"complete": failed == 0, "window": told["window"], "trainers": told["summary"]}
    return found | {"goals": goals(shape, told["window"], told["summary"], rate)}


def goals(
    shape: str, window: int, summary: Sequence[Mapping[str, Any]], rate: float | None
) -> list[dict[str, float | bool | str]]:
    """Each goal of which something was measured: what it asks, what was found."""
    rows = {row["trainer"]: row for row in summary}
    found: list[dict[str, float | bool | str]] = []
    for trainer, least in FASTER.items():
        times = rows.get(trainer, {}).get("quire_times_median")
        if times is not None:
            found.append(_goal(f"times as fast as {trainer}", least, times))
    in_one = rows.get("quire-nf4", {}).get("product_times_unsloth_median")
    if in_one is not None:
        found.append(_goal("times unsloth's speed and memory in one, nf4", OF_MEMORY_AND_SPEED, in_one))
    if rate is not None and "quire" in rows:
        best = window / best_seconds(work_of(SIZES[shape].base, window), {"bf16": rate}, "bf16", "bf16")
        found.append(_goal("of the roofline", OF_THE_ROOFLINE, rows["quire"]["median"] / best))
    return found


def _goal(what: str, least: float, found: float) -> dict[str, float | bool | str]:
    return {"goal": what, "least": least, "found": round(found, 3), "reached": found >= least}
