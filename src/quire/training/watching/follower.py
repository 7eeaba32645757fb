"""The process of one tracker: it follows a run's events.jsonl and tells the tracker what it reads there.

    python -m quire.training.watching.follower NAME RUN

It ends when the other end of its standard input is closed and nothing is left to tell, and has then said nothing; or
with one line on its standard output that says why it gave up.  What the tracker's library prints goes to
RUN/track/NAME.log.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from quire.errors import printable
from quire.recipe.keys import flatten
from quire.recipe.resolved import load_resolved
from quire.run.events import JSON, Event, forget, read_new_events
from quire.run.folder import RunFolder
from quire.training.watching.tracked import OPEN, Tracked, prepare

PAUSE = 0.5  # seconds between two looks at the file
LONGEST_REASON = 200

OF_A_STEP = ("loss", "learning_rate", "grad_norm", "tokens_per_second", "tokens_total", "memory_bytes", "epoch")


def main() -> None:
    """Follow the run that the arguments name, to its end."""
    name, run = sys.argv[1], RunFolder(Path(sys.argv[2]))
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    home = track_folder(run) / name
    home.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(home.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    prepare(os.environ, home)
    if hasattr(os, "nice"):
        os.nice(10)  # training comes first
    over = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(over,), daemon=True).start()
    try:
        follow(name, run, home, over)
    except BaseException as error:
        print(reason_of(error), file=told, flush=True)
        raise


def track_folder(run: RunFolder) -> Path:
    """Where trackers keep a run's logs."""
    return run.path / "track"


def follow(name: str, run: RunFolder, home: Path, over: threading.Event) -> None:
    """Open the tracker, tell it what has happened so far, and then what happens."""
    raw, offset = read_new_events(run.events_file, 0)
    settings = settings_of(run)
    tracker = OPEN[name](home, run.name, key_of(raw, run.name))
    known = tracker.known if tracker.known >= 0 else told_before(raw)
    tracker.settings(settings)
    tell(tracker, forget(raw), known)
    while True:
        ends = over.wait(PAUSE)
        events, offset = read_new_events(run.events_file, offset)
        tell(tracker, events, known)
        if ends and not events:
            break
    tracker.finish()


def tell(tracker: Tracked, events: Iterable[Event], known: int) -> None:
    """What a tracker can show of these events; nothing of steps that it knows."""
    for event in events:
        if event.step <= known and known > 0:
            continue
        numbers = numbers_of(event)
        if numbers:
            tracker.log(numbers, event)
        text = text_of(event)
        if text:
            tracker.text(*text, event)


def numbers_of(event: Event) -> dict[str, float]:
    """The curves that an event adds a point to."""
    values = event.values
    match event.kind:
        case "step":
            return _numbers("train", {name: values.get(name) for name in OF_A_STEP})
        case "validation":
            watched = values.get("watched")
            others = _numbers("validation", watched) if isinstance(watched, dict) else {}
            return _numbers("validation", {"loss": values.get("loss")}) | others
        case "skipped":
            return _numbers("train", {"skipped_in_a_row": values.get("in_a_row")})
        case "energy":
            return _numbers("energy", {name: values.get(name) for name in values if name.endswith("_kilowatt_hours")})
    return {}


def text_of(event: Event) -> tuple[str, str] | None:
    """Under which name an event's text is kept, and the text."""
    values = {name: str(value) for name, value in event.values.items() if isinstance(value, str)}
    match event.kind:
        case "sample":
            return "samples", f"**{values.get('prompt', '')}**{values.get('text', '')}"
        case "warning":
            return "warnings", f"{values.get('text', '')}\n\ntry: {values.get('remedy', '')}"
        case "inherited":
            return "stages", f"{event.stage}: {values.get('from', values.get('method', ''))}"
    return None


def settings_of(run: RunFolder) -> dict[str, str | float]:
    """The recipe's settings by their keys; of files their names alone: where they lie is nobody's business."""
    flat = flatten(load_resolved(run.recipe_file).recipe)
    return {key: _plain(key, value) for key, value in flat.items() if value is not None}


def key_of(events: Iterable[Event], name: str) -> str:
    """What a run is called in a store where other runs may bear its name: the same however often it is resumed."""
    began = next((event.time for event in events if event.kind == "start"), 0.0)
    return f"{name}-{hashlib.sha256(f'{name} {began!r}'.encode()).hexdigest()[:8]}"


def told_before(events: Iterable[Event]) -> int:
    """The latest step that an earlier session had told when this one began."""
    latest = before = 0
    for event in events:
        if event.kind == "resume":
            before = latest
        latest = max(latest, event.step)
    return before


def reason_of(error: BaseException) -> str:
    """An exception in one short line."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    reason = printable(f"{type(error).__name__}: {lines[0] if lines else 'without a word'}")
    return reason if len(reason) <= LONGEST_REASON else reason[:LONGEST_REASON] + "…"


def _wait_for_the_end(over: threading.Event) -> None:
    """The parent holds the other end, and lets go of it however it ends."""
    while os.read(0, 4096):
        pass
    over.set()


def _numbers(group: str, values: Mapping[str, JSON]) -> dict[str, float]:
    numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
    return {f"{group}/{name.replace(' ', '-')}": float(value) for name, value in numbers.items()}


def _plain(key: str, value: object) -> str | float:
    if key.endswith(".path") or key in ("base", "from"):
        return Path(str(value)).name if os.sep in str(value) and Path(str(value)).is_absolute() else str(value)
    return value if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    main()
