"""What trials have in common is made once: prepared data, and the stages before the first one that a trial varies.

A stage starts from what the one before left on the disk, by the recipe's seed alone.  So a trial that varies the last
stage is laid out as a run whose earlier stages have ended, and trains what is left.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quire.recipe.load import load_recipe
from quire.recipe.resolved import ResolvedRecipe
from quire.run.atomic import link_tree, make_folder, write_text
from quire.run.events import Event, read_events
from quire.run.folder import RunFolder
from quire.verbs.searching.journal import Trial

SHARED, PREPARED = "shared", "prepared"
# These were settled for the stage as it is: where a trial says otherwise, they must be settled anew.
_SETTLED = ("batch", "accumulate", "effective_batch", "precision", "checkpointing", "window")
_LARGE = ("checkpoints", "stages", "bases", "voice", "base")


def keep_stages(folder: Path, resolved: ResolvedRecipe, first: Trial) -> None:
    """Keep what the first trial's stages have left, all but the last's, for the trials to come."""
    run = RunFolder(folder / first.folder)
    for number, stage in enumerate(resolved.recipe.curriculum[:-1]):
        voice = run.stage(number, stage.name) / "voice"
        target = _kept(folder).stage(number, stage.name) / "voice"
        if voice.is_dir() and not target.is_dir():
            make_folder(target.parent)
            link_tree(voice, target)


def lay_out(folder: Path, trial: Trial, resolved: ResolvedRecipe | None, settings: Mapping[str, Any], path: str) -> int:
    """Make a trial's folder, where it is not there, with all that can be taken over; return how many stages that is.

    `settings` are what it sets over the search's recipe, kept at `path`.
    """
    run = RunFolder.create(folder / trial.folder)
    if resolved is None or run.events_file.exists() or trial.seed is not None:
        return 0
    count = _reusable(folder, resolved, trial)
    if count == 0:
        return 0
    stages = resolved.recipe.curriculum[:count]
    for number, stage in enumerate(stages):
        target = run.stage(number, stage.name) / "voice"
        make_folder(target.parent)
        link_tree(_kept(folder).stage(number, stage.name) / "voice", target)
    recipe = load_recipe(Path(path), dict(settings)).recipe
    write_text(run.recipe_file, resolved.model_copy(update={"recipe": recipe}).to_yaml())
    names = [stage.name for stage in stages]
    before = read_events(RunFolder(folder / Trial(0, {}).folder).events_file)
    write_text(run.events_file, _lines([event for event in before if event.stage in names]))
    return count


def tidy(folder: Path, trials: Sequence[Trial], best: Trial | None) -> None:
    """Give back the disk that ended trials took, but for the best one's voice."""
    for trial in trials:
        if trial.state == "running":
            continue
        for name in _LARGE if trial is not best else ():
            _remove(folder / trial.folder / name)


def clear_shared(folder: Path) -> None:
    """When no trial is to come, nothing is shared any more."""
    for name in (SHARED, PREPARED):
        _remove(folder / name)


def _reusable(folder: Path, resolved: ResolvedRecipe, trial: Trial) -> int:
    """How many stages of the first trial can stand for this one's."""
    stages = resolved.recipe.stages
    names = [stage.name for stage in stages]
    touched = [key.split(".") for key in trial.params]
    if len(stages) < 2 or any(key[0] != "stages" or key[2] in _SETTLED for key in touched):
        return 0
    count = min((names.index(key[1]) for key in touched), default=len(names) - 1)
    kept = [(_kept(folder).stage(number, name) / "voice").is_dir() for number, name in enumerate(names[:count])]
    return kept.index(False) if False in kept else count


def _kept(folder: Path) -> RunFolder:
    return RunFolder(folder / SHARED)


def _lines(events: Sequence[Event]) -> str:
    return "".join(
        json.dumps({**event.__dict__, "values": dict(event.values)}, ensure_ascii=False) + "\n" for event in events
    )


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
