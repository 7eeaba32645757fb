"""The course of the pretraining out of its events: losses as a picture and a table, tokens, time and energy."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.base.task import Task, tell
from quire.judging.curve import Point, curve_of, smoothed
from quire.recipe.resolved import load_resolved
from quire.run.atomic import write_bytes
from quire.run.events import Event, read_events
from quire.run.folder import RunFolder
from quire.training.watching.energy import energy_of

PICTURE = "embedded-base-loss.png"
WATTS_A_CORE = 10.0
"""Assumed, not measured: a server's processor is rated at about six watts a core; memory and cooling add to it."""
_MOST_ROWS = 12  # of each stage in the table


def measure(task: Task) -> dict[str, Any]:
    """`stages`, each with its table of losses, tokens and seconds; `energy`; and the picture, drawn."""
    if task.run is None:
        raise FileNotFoundError("the course of a training is told by its run: name it with --run")
    folder = RunFolder.open(task.run)
    events = read_events(folder.events_file)
    threads = load_resolved(folder.recipe_file).decided.threads
    picture = draw(events, task.pictures / PICTURE)
    tell(f"  {picture}")
    stages = stages_of(events)
    return {"picture": picture.name, "stages": stages, "energy": energy(events, threads)}


def stages_of(events: Sequence[Event]) -> list[dict[str, Any]]:
    """What each stage learned, in the order of the run: steps, tokens, seconds, and losses where it was measured."""
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys(event.stage for event in events if event.kind == "step"):
        own = [event for event in events if event.stage == name]
        steps = [event for event in own if event.kind == "step"]
        found.append(
            {
                "stage": name,
                "steps": len(steps),
                "tokens": int(_sum(steps, "tokens")),
                "seconds": round(_sum(steps, "seconds"), 1),
                "losses": spaced(losses_of(own), _MOST_ROWS),
            }
        )
    return found


def losses_of(own: Sequence[Event]) -> list[dict[str, Any]]:
    """At each measurement of held-out text: the steps and tokens so far, its loss, the mean loss trained since."""
    rows: list[dict[str, Any]] = []
    tokens = 0
    since: list[float] = []
    for event in own:
        if event.kind == "step":
            tokens += int(float(str(event.values["tokens"])))
            since.append(float(str(event.values["loss"])))
        elif event.kind == "validation":
            mean = round(sum(since) / len(since), 4) if since else None
            held_out = round(float(str(event.values["loss"])), 4)
            rows.append({"step": event.step, "tokens": tokens, "training": mean, "held_out": held_out})
            since = []
    return rows


def spaced(rows: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """At most so many rows, evenly spaced, the first and the last among them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(number * (len(rows) - 1) / (most - 1))] for number in range(most)]


def energy(events: Sequence[Event], threads: int) -> dict[str, Any]:
    """What counters measured of the run; without any, the processor's seconds and an estimate that says so."""
    used = energy_of(events)
    seconds = _sum([event for event in events if event.kind == "step"], "seconds")
    if used is not None:
        told = {"kilowatt_hours": round(used.kilowatt_hours, 4), "measured": used.counted}
        return {**told, "co2_kilograms": used.co2_kilograms, "country": used.country, "seconds": round(used.seconds, 1)}
    core_seconds = seconds * threads
    return {
        "kilowatt_hours": round(core_seconds * WATTS_A_CORE / 3.6e6, 4),
        "measured": "",
        "watts_a_core": WATTS_A_CORE,
        "threads": threads,
        "seconds": round(seconds, 1),
        "core_seconds": round(core_seconds, 1),
    }


def draw(events: Sequence[Event], path: Path) -> Path:
    """Training loss, smoothed over a hundredth of its stage, and held-out loss; a line where a stage begins."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.8, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.7)
    named = dict.fromkeys(event.stage for event in events if event.kind == "step")
    for number, name in enumerate(named):
        curve = curve_of(event for event in events if event.stage == name)
        trained = smoothed(curve.loss, max(1, len(curve.loss) // 100))
        x, y = _columns(trained)
        axes.plot(x, y, color="#0072B2", linewidth=1.2, label="_" if number else "training")
        x, y = _columns(curve.validation)
        label = "_" if number else "held out"
        axes.plot(x, y, color="#D55E00", marker="o", markersize=3, linewidth=1.5, label=label)
        if number:
            axes.axvline(trained[0][0] - 1, color="#333333", linewidth=0.8, linestyle="--")
            axes.annotate(f" {name}", (trained[0][0] - 1, axes.get_ylim()[1]), va="top", fontsize=8.5, color="#333333")
    axes.set_xlabel("optimiser steps")
    axes.set_ylabel("loss, nats per token")
    axes.legend(frameon=False, loc="upper right")
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=144)
    write_bytes(path, out.getvalue())
    return path


def _columns(points: Sequence[Point]) -> tuple[list[int], list[float]]:
    return [at for at, _ in points], [value for _, value in points]


def _sum(events: Sequence[Event], name: str) -> float:
    return sum(float(str(event.values[name])) for event in events)
