"""A run as one line of a table: what was set, what came of it.  Read from its recipe, events and report alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quire.errors import QuireError, RunError
from quire.recipe.keys import flatten
from quire.recipe.resolved import ResolvedRecipe, load_resolved
from quire.run.events import Event, read_events
from quire.run.finding import Finding
from quire.run.folder import RUNS, RunFolder
from quire.run.lock import holder
from quire.run.results import add_result
from quire.verbs.searching.outcome import outcome_of
from quire.verbs.searching.space import decisive

REPORT = "report.json"
# Events that say nothing of how a start ended: they follow others, or stand in a start that trains nothing.
_BESIDE = ("energy", "warning", "prepared")


@dataclass(frozen=True)
class StageLine:
    """What one stage came to: its lowest held-out loss and the step of that, its last one, its steps and tokens."""

    name: str
    best_loss: float | None
    best_step: int | None
    last_loss: float | None
    steps: int
    tokens: int


@dataclass(frozen=True)
class RunLine:
    """A run.  `loss` is the held-out loss of what its voice holds; `curve` are tokens and losses of the last stage."""

    name: str
    path: Path
    state: str
    resolved: ResolvedRecipe
    loss: float | None
    steps: int
    tokens: int
    seconds: float
    stages: tuple[StageLine, ...]
    curve: tuple[tuple[float, float], ...]
    samples: Mapping[str, str]
    findings: tuple[Finding, ...]

    @property
    def base(self) -> str:
        return base_name(self.resolved.decided.base)

    @property
    def method(self) -> str:
        """`lora`, or of several stages `full → lora → inherit`."""
        return " → ".join(stage.method.kind for stage in self.resolved.recipe.curriculum)

    @property
    def settings(self) -> dict[str, Any]:
        return flatten(self.resolved.recipe)

    def finding(self, name: str) -> Finding | None:
        return next((finding for finding in self.findings if finding.name == name), None)


def read_line(folder: RunFolder, name: str | None = None) -> RunLine:
    """The line of a run, however far it has come.  RunError where it has not begun or cannot be read."""
    if not folder.recipe_file.is_file():
        raise RunError(f"{folder.path} has not begun: it has no recipe.yaml yet", "give its quire train command again")
    resolved = load_resolved(folder.recipe_file)
    events = read_events(folder.events_file)
    stage, _ = decisive(resolved.recipe)
    found = outcome_of(events, stage)
    return RunLine(
        name=name or folder.name,
        path=folder.path,
        state=state_of(folder, events),
        resolved=resolved,
        loss=found.loss,
        steps=found.steps,
        tokens=found.tokens,
        seconds=found.seconds,
        stages=tuple(_stage_line(one.name, events) for one in resolved.recipe.curriculum),
        curve=_curve(events, stage.name),
        samples=_samples(events),
        findings=read_findings(folder),
    )


def state_of(folder: RunFolder, events: Sequence[Event]) -> str:
    """`training`, `finished`, `stopped` (on request), `crashed`, `ready` (its data alone), or `new`."""
    if holder(folder.lock) is not None:
        return "training"
    kinds = {event.kind for event in events}
    if "done" in kinds:
        return "finished"
    if not kinds & {"start", "step", "validation"}:
        return "ready" if folder.recipe_file.is_file() else "new"
    last = next(event.kind for event in reversed(events) if event.kind not in _BESIDE)
    return "stopped" if last in ("stopped", "stage_end") and not folder.crash_file.exists() else "crashed"


def read_findings(folder: RunFolder) -> tuple[Finding, ...]:
    """What its report says; nothing where there is none, or none that this Quire reads."""
    try:
        data = json.loads((folder.report / REPORT).read_text(encoding="utf-8"))
        return tuple(Finding.from_json(finding) for finding in data["findings"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def columns_of(line: RunLine) -> dict[str, object]:
    """A line of results.csv: where it stands, what it took, what was found, then all settings."""
    columns: dict[str, object] = {
        "state": line.state,
        "base": line.base,
        "method": line.method,
        "steps": line.steps,
        "tokens": line.tokens,
        "seconds": round(line.seconds, 3),
        "held_out_loss": line.loss,
    }
    for stage in line.stages if len(line.stages) > 1 else ():
        columns[f"held_out_loss_{stage.name}"] = stage.last_loss
    for finding in line.findings:
        name = finding.name.replace(" ", "_")
        columns |= {name: finding.value, f"{name}_low": finding.low, f"{name}_high": finding.high}
        columns |= {f"{name}_{other.name.replace(' ', '_')}": other.value for other in finding.compared_with}
    return columns | {key: value for key, value in line.settings.items() if key not in columns}


def keep_result(folder: RunFolder, also: Mapping[str, object] | None = None) -> None:
    """Put the line of a run that has finished, or has just been judged, into runs/results.csv, with `also` over it.

    A run elsewhere keeps its line in its own report, and leaves the folder around it alone.  A table that cannot be
    written spoils no training: the line can be had again with `quire compare --csv`.
    """
    home = folder.path.absolute().parent
    if home.name != RUNS.name:
        return
    try:
        line = replace(read_line(folder), state="finished")  # whoever keeps it may hold the lock still
        add_result(home, folder.name, {**columns_of(line), **(also or {})})
    except (QuireError, OSError):
        return


def base_name(base: str) -> str:
    """A hub id as it is, of a folder its name: where it lies is nobody's business but its owner's."""
    return Path(base).name if Path(base).is_absolute() or Path(base).is_dir() else base


def _stage_line(name: str, events: Sequence[Event]) -> StageLine:
    own = [event for event in events if event.stage == name]
    losses = [
        (value, event.step) for event in own if event.kind == "validation" and (value := _loss(event)) is not None
    ]
    steps = [event for event in own if event.kind == "step"]
    best = min(losses) if losses else None
    tokens = sum(int(count) for event in steps if isinstance(count := event.values.get("tokens"), int))
    begun = next((event.step for event in own if event.kind == "part_start"), 0)
    return StageLine(
        name=name,
        best_loss=best[0] if best else None,
        best_step=best[1] if best else None,
        last_loss=losses[-1][0] if losses else None,
        steps=max((event.step for event in steps), default=begun) - begun,
        tokens=tokens,
    )


def _curve(events: Sequence[Event], stage: str) -> tuple[tuple[float, float], ...]:
    """The held-out losses of a stage over the tokens that the run had learned from by then."""
    points = []
    tokens = 0.0
    for event in events:
        total = event.values.get("tokens_total")
        if event.kind == "step" and isinstance(total, int | float):
            tokens = float(total)
        if event.kind == "validation" and event.stage == stage and (loss := _loss(event)) is not None:
            points.append((tokens, loss))
    return tuple(points)


def _samples(events: Sequence[Event]) -> dict[str, str]:
    """The latest continuation of every prompt."""
    told = [(event.values.get("prompt"), event.values.get("text")) for event in events if event.kind == "sample"]
    return {prompt: text for prompt, text in told if isinstance(prompt, str) and isinstance(text, str)}


def _loss(event: Event) -> float | None:
    value = event.values.get("loss")
    return float(value) if isinstance(value, int | float) else None
