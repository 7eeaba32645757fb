"""Runs for trackers to follow, without a training: a folder, a recipe, and events as they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from quire.planner.cautions import Warned
from quire.recipe.load import load_recipe
from quire.recipe.resolved import Decided, ResolvedRecipe
from quire.run.events import JSON, EventLog
from quire.run.folder import RunFolder
from quire.training.watching.trackers import tracking

START = ("start", 0, {"name": "tale", "stages": ["train"]})
RESUME = ("resume", 4, {"checkpoint": "0000004", "validated": True})


def new_run(path: Path) -> RunFolder:
    folder = RunFolder.create(path)
    recipe = load_recipe({"shelf": [{"path": "/home/somebody/secret-novel.txt"}]}).recipe
    folder.recipe_file.write_text(ResolvedRecipe(recipe=recipe, decided=Decided(base="embedded")).to_yaml())
    return folder


def events_of(first: tuple[str, int, dict[str, JSON]], steps: range) -> Iterator[tuple[str, int, dict[str, JSON]]]:
    """A session: its first event, steps, a validation, a checkpoint, a sample and a warning."""
    yield first
    for step in steps:
        yield "step", step, {"loss": 4 - step / 10, "learning_rate": 1e-3, "grad_norm": 0.5, "tokens_per_second": 99.0}
    last = steps[-1]
    yield "validation", last, {"loss": 3.5, "best_loss": 3.5, "best_step": last, "watched": {"first book": 3.1}}
    yield "sample", last, {"prompt": "The door", "text": f" opened <b>, after {last}."}
    yield "warning", last, {"text": "the loss leapt", "remedy": "--set train.learning_rate=1e-4", "guide": "loss-leaps"}
    yield "checkpoint", last, {"path": f"{last:07d}"}


def two_sessions(folder: RunFolder, *names: str) -> list[Warned]:
    """Steps 1 to 8, killed, resumed at step 4 and trained to step 12, with these trackers; what was told of them."""
    told: list[Warned] = []
    for first, steps in ((START, range(1, 9)), (RESUME, range(5, 13))):
        with EventLog(folder.events_file) as log, tracking(names, folder, told.append) as listen:
            for kind, step, values in events_of(first, steps):
                listen(log.append(kind, "train", 0, step, values))
                if kind == "step" and step == 4:
                    listen(log.append("checkpoint", "train", 0, step, {"path": "0000004"}))
    return told
