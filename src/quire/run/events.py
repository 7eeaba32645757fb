"""events.jsonl: one line for each thing that happened in a run; what plots, pages and reports are made of."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from quire.errors import RunError
from quire.run.atomic import named_disk_errors, sync_folder

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]

DURABLE = frozenset({"checkpoint", "saved", "stage_end", "done"})
"""Kinds that must be on the disk before the program goes on."""

OF_THE_RUN = frozenset({"start", "resume", "decided", "prepared", "recovered", "energy"})
"""Kinds that tell of the run as a whole and are never forgotten: data that was prepared stays prepared, a batch that
was halved for want of memory stays halved, and energy that was used is used, whatever steps are taken again."""

TAKES_BACK = frozenset({"resume", "rollback"})
"""Kinds that take earlier events back: training goes on from a checkpoint."""


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
            self._require_in_place(handle)
            before = os.fstat(handle).st_size
            try:
                written = os.write(handle, line)
                while written < len(line):
                    written += os.write(handle, line[written:])
            except OSError:
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
                self._require_in_place(self._handle)
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

    def _require_in_place(self, handle: int) -> None:
        """RunError where the run folder was moved or removed meanwhile: half of the run would be written elsewhere."""
        try:
            moved = not os.path.samestat(self.path.stat(), os.fstat(handle))
        except FileNotFoundError:
            moved = True
        if moved:
            raise RunError(
                f"{self.path.parent} was moved or removed while it was written to",
                "give the same command again, with --run and the folder where it is now",
                "resume",
            )

    def _open(self) -> int:
        if self._handle is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            sync_folder(self.path.parent)  # a line is not durable before the file's name is
            _cut_torn_end(self._handle)
        return self._handle


def read_events(path: Path) -> list[Event]:
    """What happened, as if it had happened without interruption; see `forget`.  A torn last line is left out."""
    return forget(read_all_events(path))


def read_all_events(path: Path) -> list[Event]:
    """Every event of the file in order, those of steps that were taken again too.  No file: no events.

    A line that is no event is left out: a power cut or a flipped bit must not cost a run that is otherwise whole.
    """
    return read_new_events(path, 0)[0]


def read_new_events(path: Path, offset: int) -> tuple[list[Event], int]:
    """The events that stand behind byte `offset`, and where the next ones will: for whoever follows a run."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    events = [event for line in whole.split(b"\n") if line and (event := _event(line)) is not None]
    return events, offset + len(whole)


def forget(events: Iterable[Event]) -> list[Event]:
    """Leave out what `resume` and `rollback` events take back.

    A run that resumes at a position (stage, part, step) goes on from a checkpoint taken there, so every earlier event
    of a later position will happen again and is forgotten.  Of the events at the very position, those after the
    checkpoint's own event will happen again too.  A resume at step 0 of a part that has no checkpoint there starts the
    part over: its events at step 0 are forgotten as well.  A `rollback` is the same within one process: what it takes
    back are events later than its own step.  One that takes older weights and goes on counting takes no event back.

    Stages follow one another as the run's latest `stages` (a value of `start` or `decided`) lists them, whichever was
    prepared or trained first; those that are not listed, in the order in which they first appear.

    `validated` in the values says whether the checkpoint was taken after the validation of its step, for where the
    checkpoint stands and its own event is missing.
    """
    heard = list(events)
    order = _order_of_stages(heard)
    kept: list[Event] = []
    for event in heard:
        if event.kind in TAKES_BACK:
            kept = _before(kept, event, order)
        kept.append(event)
    return kept


def _order_of_stages(events: Sequence[Event]) -> dict[str, int]:
    """The place of every stage that events name.  What happens outside of stages comes before them all."""
    listed: list[JSON] = []
    for event in events:
        told = event.values.get("stages")
        if event.kind in ("start", "decided") and isinstance(told, list):
            listed = told
    names = ["", *(name for name in listed if isinstance(name, str)), *(event.stage for event in events)]
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _before(events: list[Event], back: Event, order: Mapping[str, int]) -> list[Event]:
    position = _position(back, order)
    started_over = back.values.get("checkpoint", "") is None  # none was whole
    saved = [
        i
        for i, e in enumerate(events)
        if e.kind == "checkpoint" and _position(e, order) == position and not started_over
    ]
    # A checkpoint may stand whose event a crash kept from being written.  What it has seen, it says itself.
    told = "validated" in back.values
    seen = {"step", "skipped", "validation"} if back.values.get("validated") else {"step", "skipped"}
    last_equal = saved[-1] if saved else (len(events) if back.step > 0 and not told else -1)

    def stays(index: int, event: Event) -> bool:
        if event.kind in OF_THE_RUN or _position(event, order) < position:
            return True
        return _position(event, order) == position and (index <= last_equal or (told and event.kind in seen))

    return [event for index, event in enumerate(events) if stays(index, event)]


def _position(event: Event, order: Mapping[str, int]) -> tuple[int, int, int]:
    return order[event.stage], event.part, event.step


def _event(line: bytes) -> Event | None:
    """The event of a line; None where the line is damaged."""
    try:
        event = Event(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None
    texts, whole = (event.kind, event.stage), (event.part, event.step)
    sound = all(isinstance(text, str) for text in texts) and all(isinstance(number, int) for number in whole)
    return event if sound and isinstance(event.time, int | float) and isinstance(event.values, dict) else None


def _cut_torn_end(handle: int) -> None:
    """Drop what a crash or a power cut left at the end: half a line, to which the next event would be glued, or lines
    that are no events, such as the zeros of blocks that were never written."""
    size = end = os.fstat(handle).st_size
    while end > 0:
        start = _line_start(handle, end)
        line = os.pread(handle, end - start, start)
        if line.endswith(b"\n") and _event(line) is not None:
            break
        end = start
    if end < size:
        os.ftruncate(handle, end)


def _line_start(handle: int, end: int) -> int:
    """Where the line begins of which the last byte stands before `end`."""
    at = end - 1  # its own line end, if it has one, is not the one before it
    while at > 0:
        start = max(0, at - 4096)
        newline = os.pread(handle, at - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        at = start
    return 0


def _finite(value: JSON) -> JSON:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value
