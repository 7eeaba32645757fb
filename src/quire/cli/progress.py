"""What one sees while a run is trained or judged: a bar with the numbers that matter, and a line for whatever happens.

Everything shown comes from the run's events.  Where nobody sits at a terminal there are lines alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from quire.run.events import JSON, Event
from quire.units import show_duration, show_size

PLAIN_PAUSE = 10.0  # seconds between two lines about steps where there is no bar
SMOOTH = 0.9  # how much of the loss shown is that of earlier steps
SAMPLE_SHOWN = 400  # characters


class Display:
    """A listener of `train` and `judge`: call it with every event."""

    def __init__(self, console: Console, bar: Progress | None) -> None:
        self._console = console
        self._bar = bar
        self._task: TaskID | None = bar.add_task("getting ready", total=None) if bar else None
        self._loss: float | None = None
        self._held_out: float | None = None
        self._parts = 1.0
        self._told_at = 0.0
        self._steps_timed: list[tuple[float, float]] = []

    def __call__(self, event: Event) -> None:
        if event.kind == "step":
            self._step(event)
        elif event.kind == "judging":
            self._judging(event)
        elif event.kind == "part_start":
            self._loss = self._held_out = None
            self._steps_timed.clear()
            self._parts = number(event, "parts") or 1
        if event.kind == "validation":
            self._held_out = number(event, "loss")
        line = line_of(event)
        if line:
            self._console.print(line)

    def _step(self, event: Event) -> None:
        loss = number(event, "loss")
        if loss is not None:
            self._loss = loss if self._loss is None else SMOOTH * self._loss + (1 - SMOOTH) * loss
        done, steps = number(event, "part_step") or 0, number(event, "part_steps") or 0
        if self._bar is None or self._task is None:
            self._step_in_words(event, done, steps)
            return
        where = f"part {event.part + 1}/{self._parts:.0f}  " if self._parts > 1 else ""
        self._bar.update(self._task, completed=done, total=steps, description=f"{where}{self._figures(event)}")

    def _judging(self, event: Event) -> None:
        """How far the judge is; each thing that it does counts anew."""
        if self._bar is None or self._task is None:
            return
        done, total = number(event, "done") or 0, number(event, "total") or 0
        self._bar.update(self._task, completed=done, total=total, description=escape(str(event.values.get("doing"))))

    def _step_in_words(self, event: Event, done: float, steps: float) -> None:
        now = time.monotonic()
        self._steps_timed.append((now, done))
        if done < steps and now - self._told_at < PLAIN_PAUSE:
            return
        self._told_at = now
        left = self._time_left(steps)
        self._console.print(f"step {done:.0f}/{steps:.0f}  {self._figures(event)}{left}")

    def _figures(self, event: Event) -> str:
        shown = []
        if self._loss is not None:
            shown.append(f"loss {self._loss:.2f}")
        if self._held_out is not None:
            shown.append(f"held out {self._held_out:.2f}")
        speed, memory = number(event, "tokens_per_second"), number(event, "memory_bytes")
        if speed is not None:
            shown.append(f"{speed:,.0f} tok/s")
        if memory is not None:
            shown.append(show_size(memory))
        return "  ".join(shown)

    def _time_left(self, steps: float) -> str:
        (started, first), (now, done) = self._steps_timed[0], self._steps_timed[-1]
        if done <= first or done >= steps:
            return ""
        return f"  {show_duration((now - started) / (done - first) * (steps - done))} left"


@contextmanager
def watching(console: Console) -> Iterator[Display]:
    """A display on `console`, with a live bar if that is a terminal."""
    if not console.is_terminal:
        yield Display(console, None)
        return

    def fixed() -> Column:
        return Column(no_wrap=True)

    columns = (
        BarColumn(bar_width=None, table_column=Column(ratio=1)),  # whatever room the figures leave
        MofNCompleteColumn(table_column=fixed()),
        TextColumn("{task.description}", table_column=fixed()),
        TimeRemainingColumn(table_column=fixed()),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as bar:
        yield Display(console, bar)


def line_of(event: Event) -> str | None:
    """An event in words, with rich's marks; None for what the bar shows or nobody needs to see."""
    match event.kind:
        case "resume":
            return f"resuming after step {event.step}"
        case "decided":
            return "\n".join(
                f"[dim]{escape(key)}: {escape(_plain(value))}[/dim]" for key, value in event.values.items()
            )
        case "part_start" if (number(event, "parts") or 1) > 1:
            return f"[bold]part {event.part + 1} of {number(event, 'parts'):.0f}[/bold]"
        case "validation":
            return _validation_line(event)
        case "sample":
            return _sample_line(event)
        case "warning":
            remedy = event.values.get("remedy")
            end = f"\n  try: {escape(str(remedy))}" if remedy else ""
            return f"[yellow]![/yellow] {escape(str(event.values.get('text')))}{end}"
        case "stopped":
            return f"stopped after step {event.step}, and saved"
        case "saved":
            return "voice saved"
    return None


def _validation_line(event: Event) -> str | None:
    loss, best = number(event, "loss"), number(event, "best_loss")
    if loss is None:
        return None
    note = " (best so far)" if best is not None and loss <= best else ""
    return f"step {event.step}: held-out loss {loss:.4f}{note}"


def _sample_line(event: Event) -> str:
    prompt, text = str(event.values.get("prompt") or ""), str(event.values.get("text") or "")
    shown = text if len(text) <= SAMPLE_SHOWN else text[:SAMPLE_SHOWN].rpartition(" ")[0] + " …"
    return f"[dim]after step {event.step} it writes:[/dim]\n[bold]{escape(prompt)}[/bold]{escape(shown)}\n"


def number(event: Event, key: str) -> float | None:
    """A value of an event, if it is there and a number."""
    value = event.values.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _plain(value: JSON) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(inner) for inner in value)
    return str(value)
