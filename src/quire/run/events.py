"""events.jsonl: one line for each thing that happened in a run; what plots, pages and reports are made of."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from quire.errors import RunError
from quire.run.atomic import is_disk_full, named_disk_errors

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]

DURABLE = frozenset({"checkpoint", "saved", "done"})
"""Kinds that must be on the disk before the program goes on."""

OF_THE_RUN = frozenset({"start", "resume", "decided"})
"""Kinds that tell of the run as a whole and are never forgotten."""


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    `time` is in seconds since 1970.  `part` counts from 0.  `step` is the number of optimiser steps that the
    run had done: the event of the first step has `step=1`, and a checkpoint of step 120 holds the state after it.
    """

    time: float
    kind: str
    stage: str = ""
    part: int = 0
    step: int = 0
    values: Mapping[str, JSON] = field(default_factory=dict)


class EventLog:
    """Appends to events.jsonl.  For one process at a time: the one that holds the run's lock.

    `last` is the latest event that this process has appended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last: Event | None = None
        self._handle: int | None = None

    def append(
        self, kind: str, stage: str = "", part: int = 0, step: int = 0, values: Mapping[str, JSON] | None = None
    ) -> Event:
        """Write one line, wholly or not at all, and return it as read back.  May raise DiskFull."""
        event = Event(time.time(), kind, stage, part, step, {k: _finite(v) for k, v in (values or {}).items()})
        line = json.dumps(event.__dict__, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"
        with named_disk_errors(self.path):
            handle = self._open()
            before = os.fstat(handle).st_size
            try:
                written = os.write(handle, line)
                while written < len(line):
                    written += os.write(handle, line[written:])
            except OSError as error:
                if is_disk_full(error):
                    os.ftruncate(handle, before)
                raise
            if kind in DURABLE:
                os.fsync(handle)
        self.last = event
        return event

    def sync(self) -> None:
        """Bring every line to the disk: a checkpoint must not outlast the events of the steps that it holds."""
        if self._handle is not None:
            with named_disk_errors(self.path):
                os.fsync(self._handle)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> int:
        if self._handle is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            _cut_torn_line(self._handle)
        return self._handle


def read_events(path: Path) -> list[Event]:
    """What happened, as if it had happened without interruption; see `forget`.  A torn last line is left out."""
    return forget(read_all_events(path))


def read_all_events(path: Path) -> list[Event]:
    """Every event of the file in order, those of steps that were taken again too.  No file: no events."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    whole = data[: data.rfind(b"\n") + 1]
    return [_event(line, path, number) for number, line in enumerate(whole.splitlines(), start=1) if line.strip()]


def forget(events: Iterable[Event]) -> list[Event]:
    """Leave out what a `resume` event takes back.

    A run that resumes at a position (stage, part, step) goes on from a checkpoint taken there, so every earlier event
    of a later position will happen again and is forgotten.  Of the events at the very position, those after the
    checkpoint's own event will happen again too.  A resume at step 0 of a part that has no checkpoint there starts the
    part over: its events at step 0 are forgotten as well.  Stages count in the order in which they first appear.

    `validated` in the resume's values says whether the checkpoint was taken after the validation of its step, for
    where the checkpoint stands and its own event is missing.
    """
    kept: list[Event] = []
    stages: dict[str, int] = {}
    for event in events:
        stages.setdefault(event.stage, len(stages))
        if event.kind == "resume":
            kept = _before(kept, event, stages)
        kept.append(event)
    return kept


def _before(events: list[Event], resume: Event, stages: Mapping[str, int]) -> list[Event]:
    position = _position(resume, stages)
    started_over = resume.values.get("checkpoint", "") is None  # none was whole
    saved = [
        i
        for i, e in enumerate(events)
        if e.kind == "checkpoint" and _position(e, stages) == position and not started_over
    ]
    # A checkpoint may stand whose event a crash kept from being written.  What it has seen, it says itself.
    told = "validated" in resume.values
    seen = {"step", "validation"} if resume.values.get("validated") else {"step"}
    last_equal = saved[-1] if saved else (len(events) if resume.step > 0 and not told else -1)

    def stays(index: int, event: Event) -> bool:
        if event.kind in OF_THE_RUN or _position(event, stages) < position:
            return True
        return _position(event, stages) == position and (index <= last_equal or (told and event.kind in seen))

    return [event for index, event in enumerate(events) if stays(index, event)]


def _position(event: Event, stages: Mapping[str, int]) -> tuple[int, int, int]:
    return stages[event.stage], event.part, event.step


def _event(line: bytes, path: Path, number: int) -> Event:
    try:
        return Event(**json.loads(line))
    except (ValueError, TypeError):
        raise RunError(f"{path}, line {number} is not an event", "delete that line; the others are unharmed") from None


def _cut_torn_line(handle: int) -> None:
    """Drop the end of a line that a crash left without its line end, or the next event would be glued to it."""
    size = os.fstat(handle).st_size
    end = size
    while end > 0:
        start = max(0, end - 4096)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(handle, end)


def _finite(value: JSON) -> JSON:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value
