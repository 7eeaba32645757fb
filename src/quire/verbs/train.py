"""quire train: carry out a recipe; the same call again resumes."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from quire.books.book import Shelf
from quire.errors import Stopped
from quire.planner.bases import pick_for
from quire.planner.memory import disk_of
from quire.planner.schedule import BatchChoice
from quire.recipe.bases import advice_for
from quire.recipe.resolved import Decided, ResolvedRecipe
from quire.recipe.schema import Recipe
from quire.run.atomic import hash_file, remove_leftovers, require_space, write_text
from quire.run.events import Event, EventLog, read_events
from quire.run.folder import RunFolder
from quire.run.lock import hold
from quire.verbs.crash import crash_kept_in
from quire.verbs.material import Material, account, count_text, cut_shelf, gather, rows_of
from quire.verbs.quiet import hush, hush_bars
from quire.verbs.resume import earlier_start, go_on_with, same_base, same_device, same_sources
from quire.verbs.source import Source, load_source, name_of, run_path

if TYPE_CHECKING:
    from quire.training.session import Session

Listener = Callable[[Event], None]


def _nobody(_event: Event) -> None:
    """The listener of a run that nobody watches."""


@dataclass(frozen=True)
class Run:
    """A recipe that was carried out, and where.  `already_finished`: there was nothing left to do."""

    path: Path
    steps: int
    already_finished: bool = False

    @property
    def voice(self) -> Path:
        return RunFolder(self.path).voice


def train(
    source: Source,
    *,
    base: str | None = None,
    run: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
    max_time: float | None = None,
    download: bool = False,
    listener: Listener | None = None,
) -> Run:
    """Train a voice on `source` and return its run.

    `source` is a book file, a folder of books, `sample:NAME`, a recipe, a run to go on with, or works already read.
    `settings` are recipe keys (`{"train.epochs": 1}`); after `max_time` seconds training stops as if asked to;
    `listener` hears of every event.  Raises Stopped (the same call resumes) or another QuireError.
    """
    hush()
    from quire.training.session import Session
    from quire.training.watch import listening

    with listening(max_time) as wish:
        now = load_source(source, base, settings or {})
        folder = RunFolder.create(run_path(source, run, now.recipe))
        with hold(folder.lock), crash_kept_in(folder.crash_file), EventLog(folder.events_file) as log:
            remove_leftovers(folder.path)
            session = Session(folder, log, wish, listener or _nobody)
            earlier = earlier_start(folder)
            if earlier is not None:
                recipe = go_on_with(folder, earlier, now)
                finished = _finished(folder)
                if finished is not None:
                    same_sources(folder, earlier, _hashes_now(earlier))
                    return finished
                same_device(folder, earlier.decided)
                with session.telling_errors():
                    return _carry_out(session, _material(source, recipe), earlier.decided, earlier)
            folder.events_file.unlink(missing_ok=True)  # of a start that was refused or ended before its first step
            material = _material(source, now.recipe)
            # Torch is imported once the book has been read: a mistake in a name or a setting is told at once.
            from quire.model.machine import measure_machine
            from quire.verbs.decide import decide

            picked = pick_for(now.recipe, material.language, measure_machine(), download)
            recipe = _advised(source, base, settings or {}, picked.name)
            with session.telling_errors():
                return _carry_out(session, replace(material, recipe=recipe), decide(recipe, picked), None)


def _carry_out(session: Session, material: Material, decided: Decided, earlier: ResolvedRecipe | None) -> Run:
    """Prepare, train part after part, save the voice and prove that it is one."""
    from quire.tokens.tokenizer import load_tokenizer
    from quire.training.parts import train_parts
    from quire.training.state import TrainState
    from quire.verbs.decide import base_files, foresee, load_learner
    from quire.verbs.saving import save_and_check, write_samples
    from quire.writing.sampler import check_settings

    folder, recipe = session.folder, material.recipe
    check_settings(recipe.write)  # samples are written when a part has ended: too late to hear of a mistake
    hashes = material.hashes()
    if earlier is not None:
        same_sources(folder, earlier, hashes)
    files = base_files(recipe, decided, material, folder.path, resumes=earlier is not None)
    if earlier is None:
        decided = decided.model_copy(update={"base_revision": files.revision})
        _keep(folder, recipe, decided, hashes)
    else:
        same_base(files.revision, files.name, decided)
    if session.wish.reason is not None:
        raise Stopped(f"training stopped before a step was taken ({session.wish.reason})")
    hush_bars()
    tokenizer = load_tokenizer(files.path)
    parts = range(recipe.train.parts)
    rows = [rows_of(material, tokenizer, "train", part) for part in parts]
    validation = [rows_of(material, tokenizer, "validation", part) for part in parts]
    foreseen = foresee(recipe, decided, files, count_text(material, tokenizer, rows)) if earlier is None else None
    if foreseen is not None:
        decided = decided.model_copy(update={"checkpointing": foreseen.checkpointing})
    learner = load_learner(recipe, decided, files)
    require_space(folder.path, disk_of(learner.trainable, recipe.train.keep))
    if earlier is None:
        decided = decided.model_copy(update={"packs": learner.computation.packs})
        _keep(folder, recipe, decided, hashes)
        session.emit("start", TrainState(), {"name": recipe.name, "versions": dict(_versions())})
    choice = BatchChoice(decided.batch, decided.accumulate, decided.batch_reason)
    ledger = account(material, tokenizer, rows, choice)
    session.announce(decided, learner.facts(), {"words": ledger.words, "tokens": ledger.tokens})
    for warned in foreseen.warnings if foreseen is not None else ():
        session.emit("warning", TrainState(), {"text": warned.text, "remedy": warned.remedy})
    state = train_parts(
        session,
        learner,
        recipe,
        decided,
        earlier is not None,
        rows,
        validation,
        after_part=lambda state: write_samples(session, learner, recipe, material, state),
        save_part=lambda state, target: save_and_check(session, learner, recipe, material, rows, state, target),
    )
    save_and_check(session, learner, recipe, material, rows, state, folder.voice)
    session.emit("done", state, {"voice": folder.voice.name})
    return Run(folder.path, state.step)


def _advised(source: Source, base: str | None, settings: Mapping[str, object], picked: str) -> Recipe:
    """The recipe with what suits its base where nothing was said, and with a name."""
    plain = load_source(source, base, settings).recipe
    recipe = load_source(source, base, settings, advice_for(picked, plain.train.method.kind)).recipe
    return recipe if recipe.name else recipe.model_copy(update={"name": name_of(source, recipe)})


def _material(source: Source, recipe: Recipe) -> Material:
    return cut_shelf(recipe, source) if isinstance(source, Shelf) else gather(recipe)


def _keep(folder: RunFolder, recipe: Recipe, decided: Decided, hashes: Mapping[str, str]) -> None:
    resolved = ResolvedRecipe(recipe=recipe, decided=decided, versions=_versions(), sources=dict(hashes))
    write_text(folder.recipe_file, resolved.to_yaml())


def _versions() -> dict[str, str]:
    """Of what decides the numbers."""
    names = ("quire", "torch", "transformers", "peft", "accelerate", "tokenizers", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _finished(folder: RunFolder) -> Run | None:
    events = read_events(folder.events_file)
    done = [event for event in events if event.kind == "done"]
    return Run(folder.path, done[-1].step, already_finished=True) if done and folder.has_voice else None


def _hashes_now(earlier: ResolvedRecipe) -> dict[str, str]:
    """The sources' hashes as they are; a book that was moved away since does not matter to a finished run."""
    return {name: hash_file(Path(name)) if Path(name).is_file() else known for name, known in earlier.sources.items()}
