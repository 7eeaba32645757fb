"""What a stage starts from, what it takes over of it, and what it does otherwise than the stage before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from quire.model.adapters import is_adapter
from quire.planner.bases import BaseFiles
from quire.recipe.keys import flatten
from quire.recipe.schema import Recipe, Stage
from quire.run.events import JSON
from quire.run.folder import RunFolder
from quire.training.learner import Start
from quire.training.standing import voice_of


def start_of(folder: RunFolder, stages: Sequence[Stage], number: int, files: BaseFiles, earlier: Start | None) -> Start:
    """What stage `number` starts from: always what lies on the disk, so that a stage's edge is exact by itself."""
    if number == 0:
        return earlier or Start(files)
    return start_from(voice_of(folder, number - 1, stages[number - 1]), files)


def start_from(voice: Path, files: BaseFiles) -> Start:
    """A voice as something to go on from; `files` are those of the base it was trained on, where it brings none."""
    if not is_adapter(voice):
        return Start(BaseFiles(str(voice), voice, "", "run"))
    own = voice / "base"
    return Start(BaseFiles(str(own), own, "", "run") if own.is_dir() else files, voice)


def inherited(recipe: Recipe, number: int, start: Start) -> dict[str, JSON]:
    """What a stage takes over, and what it does otherwise than the stage before."""
    stages = recipe.curriculum
    stage = stages[number]
    told: dict[str, JSON] = {"stages": len(stages), "number": number + 1, "method": stage.method.kind}
    if number == 0 and recipe.earlier is None:
        return told
    told["from"] = f"{stages[number - 1].name if number else recipe.earlier}: {_what_becomes(start, stage)}"
    if number > 0:
        old, new = flatten(stages[number - 1]), flatten(stage)
        keys = [key for key in new if key.split(".")[0] not in ("name", "shelf", "method") and new[key] != old.get(key)]
        told["overrides"] = {key: f"{_plain(old.get(key))} → {_plain(new[key])}" for key in keys}
    return told


def _what_becomes(start: Start, stage: Stage) -> str:
    """Of what was learned before."""
    if start.adapter is None:
        return "its weights go on learning" if stage.method.adapter is None else "its weights, under a new adapter"
    if stage.method.inherit:
        return "its adapter goes on learning"
    if stage.method.full:
        return "its adapter, melted into the base, of which all weights learn"
    kept = "melted into the base" if stage.onto == "merge" else "kept, frozen"
    return f"its adapter, {kept}, under a new one"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else "–" if value is None else json.dumps(value)
