"""What one sees while a run is trained or judged: a bar with the numbers that matter, and a line for whatever happens.

Everything shown comes from the run's events.  Where nobody sits at a terminal there are lines alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
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
ROOM_FOR_BAR = 22  # columns: a short bar, the time that is left, and what is between
WIDE = 100  # columns on which there is room for the name of a stage too


class Display:
    """A listener of `train` and `judge`: call it with every event."""

    def __init__(self, console: Console, bar: Progress | None) -> None:
        self._console = console
        self._bar = bar
        self._task: TaskID | None = bar.add_task("getting ready", total=None) if bar else None
        self._loss: float | None = None
        self._held_out: float | None = None
        self._stages: tuple[str, int, int] | None = None  # of several: name, number, how many
        self._parts = 1.0
        self._left_out = 0
        self._watched: dict[str, float] = {}  # an earlier book's loss when it was first heard of
        self._told_at = 0.0
        self._steps_timed: list[tuple[float, float]] = []

    def __call__(self, event: Event) -> None:
        match event.kind:
            case "step":
                self._step(event)
            case "skipped":
                self._left_out += 1
            case "judging":
                self._judging(event)
            case "preparing":
                self._preparing(event)
            case "inherited":
                self._stages = _stage_of(event)
            case "part_start":
                self._loss = self._held_out = None
                self._left_out = 0
                self._steps_timed.clear()
                self._parts = number(event, "parts") or 1
            case "rollback":
                self._loss = None
            case "validation":
                self._held_out = number(event, "loss")
        line = line_of(event)
        if event.kind == "validation" and line is not None:
            line += self._others(event)
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
        room = self._console.width - ROOM_FOR_BAR - 2 * len(f"{steps:.0f}")
        shown = _fitting([*self._where(event), *self._figures(event)], room)
        self._bar.update(self._task, completed=done, total=steps, description=escape(shown))

    def _where(self, event: Event) -> list[str]:
        """Which stage and which part, where there are several."""
        where = []
        if self._stages is not None and self._stages[2] > 1:
            name, count, of = self._stages
            where.append(f"{name if self._console.width >= WIDE else 'stage'} {count}/{of}")
        if self._parts > 1:
            where.append(f"part {event.part + 1}/{self._parts:.0f}")
        return where

    def _judging(self, event: Event) -> None:
        """How far the judge is; each thing that it does counts anew."""
        if self._bar is None or self._task is None:
            return
        done, total = number(event, "done") or 0, number(event, "total") or 0
        self._bar.update(self._task, completed=done, total=total, description=escape(str(event.values.get("doing"))))

    def _preparing(self, event: Event) -> None:
        """What is read and cut before the first step; a corpus takes its time."""
        text = str(event.values.get("text") or "")
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=0, total=None, description=escape(text))
        elif time.monotonic() - self._told_at >= PLAIN_PAUSE:
            self._told_at = time.monotonic()
            self._console.print(f"[dim]{escape(text)}[/dim]")

    def _step_in_words(self, event: Event, done: float, steps: float) -> None:
        now = time.monotonic()
        self._steps_timed.append((now, done))
        if done < steps and now - self._told_at < PLAIN_PAUSE:
            return
        self._told_at = now
        left = self._time_left(steps)
        where = "".join(f"{text}  " for text in self._where(event))
        figures = "  ".join(self._figures(event))
        self._console.print(f"{escape(where)}step {done:.0f}/{steps:.0f}  {escape(figures)}{left}")

    def _figures(self, event: Event) -> list[str]:
        """The numbers that matter, the most telling ones first."""
        shown = []
        if self._loss is not None:
            shown.append(f"loss {self._loss:.2f}")
        if self._held_out is not None:
            shown.append(f"held out {self._held_out:.2f}")
        if self._left_out:
            shown.append(f"{self._left_out} left out")
        speed, memory = number(event, "tokens_per_second"), number(event, "memory_bytes")
        if speed is not None:
            shown.append(f"{speed:,.0f} tok/s")
        if memory is not None:
            shown.append(show_size(memory))
        return shown

    def _others(self, event: Event) -> str:
        """What became of the earlier books that are watched."""
        watched = event.values.get("watched")
        if not isinstance(watched, dict):
            return ""
        told = []
        for name, loss in watched.items():
            if isinstance(loss, int | float):
                first = self._watched.setdefault(name, loss)
                change = f" ({(loss - first) / first:+.1%})" if first > 0 and loss != first else ""
                told.append(f"; {escape(name)} {loss:.4f}{change}")
        return "".join(told)

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

    with bar_on(console) as bar:
        yield Display(console, bar)


def bar_on(console: Console) -> Progress:
    """The bar: as long as the figures beside it leave room for."""

    def fixed() -> Column:
        return Column(no_wrap=True)

    columns = (
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        MofNCompleteColumn(table_column=fixed()),
        TextColumn("{task.description}", table_column=fixed()),
        TimeRemainingColumn(table_column=fixed()),
    )
    return Progress(*columns, console=console, transient=True, expand=True)


def line_of(event: Event) -> str | None:
    """An event in words, with rich's marks; None for what the bar shows or nobody needs to see."""
    match event.kind:
        case "resume":
            return f"resuming after step {event.step}"
        case "decided":
            return "\n".join(
                f"[dim]{escape(key)}: {escape(_plain(value))}[/dim]" for key, value in event.values.items()
            )
        case "inherited":
            return _stage_lines(event)
        case "prepared":
            return _prepared_line(event)
        case "foreseen":
            return _foreseen_line(event)
        case "recovered":
            return _recovered_line(event)
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
            where = str(event.values.get("voice") or "voice")
            return "voice saved" if where == "voice" else f"voice saved in {escape(where)}"
    return None


def _validation_line(event: Event) -> str | None:
    loss, best = number(event, "loss"), number(event, "best_loss")
    if loss is None:
        return None
    note = " (best so far)" if best is not None and loss <= best else ""
    return f"step {event.step}: held-out loss {loss:.4f}{note}"


def _stage_of(event: Event) -> tuple[str, int, int]:
    return event.stage, round(number(event, "number") or 1), round(number(event, "stages") or 1)


def _stage_lines(event: Event) -> str:
    """Which stage begins, what it goes on from, and what it does otherwise."""
    name, count, of = _stage_of(event)
    method = event.values.get("method")
    lines = [f"[bold]stage {count} of {of}: {escape(name)}[/bold]" + (f" ({escape(str(method))})" if method else "")]
    if of == 1:
        lines = []
    if event.values.get("from"):
        lines.append(f"goes on from {escape(str(event.values['from']))}")
    changes = event.values.get("overrides")
    if isinstance(changes, dict) and changes:
        told = ", ".join(f"{key} {_plain(change)}" for key, change in changes.items())
        lines.append(f"[dim]otherwise than before: {escape(told)}[/dim]")
    return "\n".join(lines)


def _prepared_line(event: Event) -> str:
    rows = number(event, "rows")
    what = f"{rows:,.0f} rows" if rows is not None else "the data"
    return f"[dim]{escape(event.stage)}: {what} {'found prepared' if event.values.get('reused') else 'prepared'}[/dim]"


def _foreseen_line(event: Event) -> str | None:
    memory, seconds = number(event, "memory_bytes"), number(event, "seconds")
    told = [f"about {show_size(memory)} of memory"] if memory is not None else []
    told += [f"about {show_duration(seconds)}"] if seconds is not None else []
    return f"[dim]foreseen: {', '.join(told)}[/dim]" if told else None


def _recovered_line(event: Event) -> str:
    """Said aloud, since it is no mistake and changes how fast it goes."""
    batch, accumulate = number(event, "batch"), number(event, "accumulate")
    now = (
        f"{batch:.0f} × {accumulate:.0f} rows from now on, as many to a step as before" if batch and accumulate else ""
    )
    twice = "activations are computed twice" if event.values.get("checkpointing") else ""
    told = ", and ".join(text for text in (now, twice) if text)
    return f"[yellow]![/yellow] memory ran out at step {event.step + 1}: {told}; it goes on by itself"


def _fitting(texts: Sequence[str], room: int) -> str:
    """As many of the texts, from the first, as one line holds; always one."""
    shown = texts[0] if texts else ""
    for text in texts[1:]:
        if len(shown) + 2 + len(text) > room:
            break
        shown += f"  {text}"
    return shown


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
