"""Does fine-tuning help?  `quire train` as a newcomer would give it, on novels by authors that the base never read.

What a book held out for testing is predicted by base and voice, as `quire judge` compares them: bits per byte, the
relative change, and its interval by a paired bootstrap over chapters.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import quire
from benchmarks.base.task import Task, tell
from benchmarks.base.texts import UNSEEN
from quire.run.events import read_events
from quire.run.folder import RunFolder

BOOKS = ("mary-shelley_frankenstein.epub", "FRA01302_Flaubert.txt")
NOVELLA = "sample:novella"
_JUDGED: Mapping[str, object] = {"judge.questions": ["loss"]}


def measure(task: Task, settings: Mapping[str, object] | None = None) -> dict[str, Any]:
    """`rows`: a book each.  `settings` are further keys of the recipe; without them all is the default."""
    found = [str(task.books / name) for name in BOOKS if task.books is not None and (task.books / name).is_file()]
    rows = []
    for book in [*found, NOVELLA]:
        tell(f"training on {Path(book).name}")
        rows.append(tuned(book, task.base, settings or {}))
        low, high = rows[-1]["change"][1:]
        shown = f", interval {low:+.2%} … {high:+.2%}" if low is not None else ""
        tell(f"  {rows[-1]['before']:.3f} → {rows[-1]['after']:.3f}: {rows[-1]['change'][0]:+.2%}{shown}")
    return {"settings": dict(settings or {}), "rows": rows}


def tuned(book: str, base: str, settings: Mapping[str, object]) -> dict[str, Any]:
    """Train on one book and judge."""
    with tempfile.TemporaryDirectory(prefix="quire-tuning-") as home:
        run = quire.train(book, base=base, run=Path(home) / "run", settings={**_JUDGED, **settings})
        bits = quire.judge(run).finding("bits per byte")
        steps = [event for event in read_events(RunFolder(run.path).events_file) if event.kind == "step"]
    title = UNSEEN.get(Path(book).name, "the novella that ships with Quire")
    return {
        "book": Path(book).name,
        "name": title,
        "steps": run.steps,
        "seconds_in_steps": round(sum(float(str(event.values["seconds"])) for event in steps), 1),
        "before": bits.compared_with[0].value,
        "after": bits.value,
        "change": bits.details["relative_difference"],
        "resampled": bits.details["resampled"],
        "units": bits.details["units"],
        "bytes": bits.details["bytes"],
    }
