"""`judge`: what a voice learned and what it copied, on text that neither it nor its base was trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from quire.errors import RunError
from quire.recipe.resolved import ResolvedRecipe, changed_sources
from quire.run.events import Event
from quire.run.folder import RunFolder
from quire.verbs.quiet import hush, hush_bars
from quire.verbs.texts.material import Material
from quire.verbs.texts.opening import open_texts
from quire.verbs.texts.prepare import PREPARED
from quire.verbs.voices import open_run

if TYPE_CHECKING:
    from quire.judging.report import Report
    from quire.verbs.train import Run

Listener = Callable[[Event], None]
_SECTIONS = ("judge", "write")


def judge(
    run: str | Path | Run, *, settings: Mapping[str, object] | None = None, listener: Listener | None = None
) -> Report:
    """Judge a run's voice against its base and write the report into the run's folder.

    `settings` are keys of `judge` and `write`.  `listener` hears of progress: events of the kind `judging` with the
    values doing, done and total.  The sources are read again, and must be what they were.  Raises QuireError.
    """
    hush()
    opened = open_run(run, settings or {}, _SECTIONS)
    if opened.found.run is None or opened.resolved is None:
        raise RunError(
            f"{opened.found.name} is a voice without its run, so what was held out from it is not known",
            "name the run folder that it came from",
        )
    folder, resolved = opened.found.run, opened.resolved
    # A curriculum is judged by the text of its last stage: what came before prepared the base for it.
    last = len(opened.recipe.curriculum) - 1
    recipe = opened.recipe.as_plain(last)
    # Cut together with what the other stages read: that decides what was held out.
    library = open_texts(opened.recipe, folder.path / PREPARED, None, _nobody).library
    material = replace(library.material(last), recipe=recipe)
    _same_sources(folder, resolved, material)
    hush_bars()
    from quire.verbs.trial import hold_trial, set_task

    task = set_task(recipe, last, material, listener)
    return hold_trial(opened, folder, resolved, material, task)


def _same_sources(folder: RunFolder, resolved: ResolvedRecipe, material: Material) -> None:
    hashes = material.hashes()
    # What other stages have read is of no matter here, nor are the weights that the run went on from.
    known = {name: value for name, value in resolved.sources.items() if name in hashes or _is_text(name, resolved)}
    changed = changed_sources(known, hashes)
    if changed:
        raise RunError(
            f"{changed[0]} is not what {folder.path} was trained on, so what was held out cannot be told",
            "put the file back as it was, or train again with --run NEW",
            "resume",
        )


def _is_text(name: str, resolved: ResolvedRecipe) -> bool:
    """Whether a source can only be what the run's one stage has read."""
    weights = resolved.recipe.earlier is not None and name.endswith(".safetensors")
    return not resolved.recipe.stages and not weights


def _nobody(_text: str) -> None:
    """Hears nothing."""
