"""What a stage starts from, what it takes over of it, and what it does otherwise than the stage before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from quire.model.adapters import is_adapter
from quire.planner.bases import BaseFiles
from quire.recipe.keys import flatten
from quire.recipe.method import Method
from quire.recipe.schema import Recipe, Stage
from quire.run.events import JSON
from quire.run.folder import RunFolder
from quire.training.learner import Start
from quire.training.standing import voice_of

_SHOWN = 3  # texts of a stage


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
        told["overrides"] = dict(_overrides(recipe, number))
    return told


def _overrides(recipe: Recipe, number: int) -> dict[str, str]:
    """What stage `number` says otherwise than the one before it, by key; texts and another method are named in short.

    A stage that inherits overrides nothing of the method.
    """
    old, new = recipe.curriculum[number - 1], recipe.curriculum[number]
    before, method = recipe.method_of(number - 1) or old.method, new.method
    found, told_apart = {}, ["name"]
    if [item.name for item in old.shelf] != [item.name for item in new.shelf]:
        found["shelf"] = f"{_texts(old)} → {_texts(new)}"
        told_apart.append("shelf")
    if method.inherit or method.kind != before.kind:
        found |= {} if method.inherit else {"method": f"{_in_short(before)} → {_in_short(method)}"}
        told_apart.append("method")
    was, now = flatten(old.model_copy(update={"method": before})), flatten(new)
    keys = [key for key in now if key.split(".")[0] not in told_apart and now[key] != was.get(key)]
    return found | {key: f"{_plain(was.get(key))} → {_plain(now[key])}" for key in keys}


def _texts(stage: Stage) -> str:
    """The sources of a stage by their last names, the first of them where there are many."""
    names = [Path(item.name).name if item.path is not None else item.name for item in stage.shelf]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _in_short(method: Method) -> str:
    return f"{method.kind} of rank {method.adapter.rank}" if method.adapter is not None else method.kind


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
