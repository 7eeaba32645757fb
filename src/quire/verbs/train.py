"""quire train: carry out a recipe; the same call again resumes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from quire.books.book import Shelf
from quire.errors import Stopped
from quire.planner.bases import BasePick, pick_for
from quire.recipe.advice import advice_on
from quire.recipe.resolved import Decided, ResolvedRecipe, load_resolved, versions_here
from quire.recipe.schema import Recipe
from quire.run.atomic import hash_file, named_disk_errors, remove_leftovers, write_text
from quire.run.events import JSON, Event, EventLog, read_events
from quire.run.folder import RunFolder
from quire.run.lock import hold
from quire.run.manifest import spoiled
from quire.verbs.comparing.line import keep_result
from quire.verbs.crash import crash_kept_in
from quire.verbs.processes.company import Call, company, heard
from quire.verbs.quiet import hush, hush_bars
from quire.verbs.source import Source, load_source, name_of, run_path
from quire.verbs.stages.passed_on import base_of_voice, method_of_earlier
from quire.verbs.stages.resume import (
    earlier_start,
    go_on_with,
    lost_kernels,
    other_versions,
    same_device,
    same_sources,
)
from quire.verbs.texts.material import Material
from quire.verbs.texts.opening import Texts, open_texts

if TYPE_CHECKING:
    from quire.training.session import Session
    from quire.training.together.ranks import Ranks
    from quire.training.watch import StopWish

Listener = Callable[[Event], None]
_BEGIN, _GO_ON = "begin", "go on"  # what the first of several processes tells the others


def _nobody(_event: Event) -> None:
    """The listener of a run that nobody watches."""


def _silent(_text: str) -> None:
    """Of several processes the first alone says how far the reading is."""


@dataclass(frozen=True)
class Run:
    """A recipe that was carried out, and where.  `already_finished`: there was nothing left to do; `left`: the stages
    that are still to be trained, where only some were asked for."""

    path: Path
    steps: int
    already_finished: bool = False
    left: tuple[str, ...] = ()

    @property
    def voice(self) -> Path:
        return RunFolder(self.path).voice


def train(
    source: Source,
    *,
    base: str | None = None,
    run: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
    stage: str | None = None,
    prepare_only: bool = False,
    prepared: Path | None = None,
    max_time: float | None = None,
    download: bool = False,
    listener: Listener | None = None,
) -> Run:
    """Train a voice on `source` and return its run.

    `source` is a book file, a folder of books, `sample:NAME`, a recipe, a run to go on with, or works already read.
    `settings` are recipe keys (`{"train.epochs": 1}`); of a recipe with stages `stage` trains one alone; `prepare_only`
    makes the data ready and trains nothing; `prepared` is the folder where that lies, by default the run's own; after
    `max_time` seconds training stops as if asked to; `listener` hears of every event.  Raises Stopped (the same call
    resumes) or another QuireError.
    """
    hush()
    from quire.training.watch import listening
    from quire.training.watching.trackers import require_trackers

    with listening(max_time) as wish, company() as ranks:
        call = Call(ranks)
        given = _Given(source, base, settings or {}, stage, prepare_only, download, call, prepared)
        now = load_source(source, base, settings or {})
        require_trackers(now.recipe.track)
        if ranks is not None and not ranks.first:
            return _follow(given, ranks, run_path(source, run, now.recipe), wish)
        folder = RunFolder.create(run_path(source, run, now.recipe))
        with (
            hold(folder.lock),
            crash_kept_in(folder.crash_file),
            named_disk_errors(folder.path),
            EventLog(folder.events_file) as log,
        ):
            remove_leftovers(folder.path)
            earlier = earlier_start(folder)
            if earlier is None:
                folder.events_file.unlink(missing_ok=True)  # of a start that was refused or ended before its first step
                return _start(given, now.recipe, folder, log, wish, listener or _nobody)
            recipe = go_on_with(folder, earlier, now)
            done = _resume(given, recipe, earlier, folder, log, wish, listener or _nobody)
            call.close(folder)
            return done


@dataclass(frozen=True)
class _Given:
    """What a call of `train` asks for."""

    source: Source
    base: str | None
    settings: Mapping[str, object]
    stage: str | None
    prepare_only: bool
    download: bool
    call: Call
    prepared: Path | None

    def home(self, folder: RunFolder) -> Path:
        """Where prepared data lies."""
        return self.prepared or folder.path / "prepared"

    def tell(self, listener: Listener) -> Callable[[str], None]:
        """Let whoever listens hear how far the reading is; it is no part of the run's story."""
        return lambda text: listener(Event(time.time(), "preparing", values={"text": text}))

    @property
    def ranks(self) -> Ranks:
        from quire.training.together.ranks import ALONE

        return self.call.ranks or ALONE


def _start(given: _Given, recipe: Recipe, folder: RunFolder, log: EventLog, wish: StopWish, listener: Listener) -> Run:
    """The first start: what the recipe leaves open is decided, and kept."""
    from quire.verbs.stages.curriculum import require_known, require_turn

    if given.stage is not None:
        require_known(recipe.curriculum, given.stage)
    if given.stage is not None and not given.prepare_only:
        require_turn(folder, recipe.curriculum, given.stage)
    texts = open_texts(recipe, given.home(folder), _shelf(given.source), given.tell(listener))
    book = texts.library.material(len(recipe.curriculum) - 1)
    # Torch is imported once the book has been read: a mistake in a name or a setting is told at once.
    from quire.verbs.stages.decide import decide
    from quire.verbs.stages.saving import fixed_prompts

    picked = _pick(recipe, book, given.download)
    recipe = _advised(given, picked)
    decided = decide(recipe, picked, method_of_earlier(recipe)).model_copy(
        update={"prompts": tuple(fixed_prompts(recipe, book))}
    )
    session = _session(folder, log, wish, listener, recipe, given.ranks)
    with session.telling_errors():
        texts = replace(texts, library=texts.library.for_recipe(recipe))
        return _carry_out(session, given, recipe, decided, texts, None)


def _resume(
    given: _Given,
    recipe: Recipe,
    earlier: ResolvedRecipe,
    folder: RunFolder,
    log: EventLog,
    wish: StopWish,
    listener: Listener,
) -> Run:
    """A later start: nothing is decided again, and what the run learns from must be what it was."""
    finished = _finished(folder)
    if finished is not None:
        same_sources(folder, earlier, _hashes_now(earlier))
        return finished
    from quire.verbs.stages.curriculum import require_known, require_turn

    if given.stage is not None:
        require_known(recipe.curriculum, given.stage)
    if given.stage is not None and not given.prepare_only and not require_turn(folder, recipe.curriculum, given.stage):
        return _stand(folder, recipe, already_finished=True)
    same_device(folder, earlier.decided)
    session = _session(folder, log, wish, listener, recipe, given.ranks)
    with session.telling_errors():
        texts = open_texts(recipe, given.home(folder), _shelf(given.source), given.tell(listener))
        return _carry_out(session, given, recipe, earlier.decided, texts, earlier)


def _follow(given: _Given, ranks: Ranks, path: Path, wish: StopWish) -> Run:
    """What every process but the first does: wait until that has decided everything, then do its share."""
    message = heard(ranks, path)
    folder = RunFolder.open(path)
    resolved = load_resolved(folder.recipe_file)
    if not message:
        return _finished(folder) or _stand(folder, resolved.recipe, already_finished=True)
    session = _session(folder, EventLog(folder.events_file), wish, _nobody, resolved.recipe, ranks)
    with session.telling_errors():
        texts = open_texts(resolved.recipe, given.home(folder), _shelf(given.source), _silent)
        earlier = resolved if message == _GO_ON else None
        return _carry_out(session, given, resolved.recipe, resolved.decided, texts, earlier)


def _carry_out(
    session: Session,
    given: _Given,
    recipe: Recipe,
    decided: Decided,
    texts: Texts,
    earlier: ResolvedRecipe | None,
) -> Run:
    """Prepare the data, train stage after stage, save the voice and prove that it is one."""
    from quire.tokens.tokenizer import load_tokenizer
    from quire.training.standing import Standing, standing_of_all
    from quire.training.state import TrainState
    from quire.training.watch import reason_of
    from quire.training.watching.energy import metering, telling
    from quire.training.watching.trackers import tracking
    from quire.verbs.stages.curriculum import Undertaking, carry_out
    from quire.verbs.stages.earlier import earlier_start_of
    from quire.verbs.stages.groundwork import foresee_all, hold_to_sources, prepare_all, resolve, settle_base
    from quire.writing.sampler import check_settings

    folder, stages, ranks = session.folder, recipe.curriculum, session.ranks
    check_settings(recipe.write)  # samples are written when a part has ended: too late to hear of a mistake
    if earlier is None and ranks.first:
        _keep(folder, ResolvedRecipe(recipe=recipe, decided=decided, versions=versions_here(), sources={}))
    if earlier is not None and ranks.first and recipe != earlier.recipe:  # the others read it there
        _keep(folder, earlier.model_copy(update={"recipe": recipe}))
    given.call.make(folder, _GO_ON if earlier is not None else _BEGIN)
    files, decided = settle_base(recipe, decided, texts.library, folder.path, earlier, ranks)
    if (reason := reason_of(int(ranks.most(session.wish.code)[0]))) is not None:
        raise Stopped(f"training stopped before a step was taken ({reason})")
    hush_bars()
    if earlier is None:
        names: list[JSON] = [stage.name for stage in stages]
        session.emit("start", TrainState(), {"name": recipe.name, "versions": dict(versions_here()), "stages": names})
    at = standing_of_all(folder, stages, ranks) if earlier is not None else Standing(TrainState(), None, 0, ())
    wanted = _wanted(given, [stage.name for stage in stages], at.done)
    if earlier is not None:
        hold_to_sources(session, recipe, wanted, earlier, texts.library)
    data = prepare_all(session, recipe, decided, wanted, load_tokenizer(files.path), given.home(folder), texts.library)
    resolved = resolve(recipe, decided, data, earlier)

    def keep(decided: Decided, alone: bool = False) -> None:
        if ranks.first or alone:
            _keep(folder, resolved.model_copy(update={"decided": decided}))

    keep(resolved.decided)
    if given.prepare_only:
        return _stand(folder, recipe)
    inherits = method_of_earlier(recipe)
    # A stage that is gone on with in its midst keeps what was decided when it began.
    begins = {number: part for number, part in data.items() if number > at.done or at.checkpoint is None}
    foreseen = foresee_all(recipe, inherits, decided, files, begins, folder.path, ranks.count) if ranks.first else {}
    before = earlier_start_of(recipe.earlier, files) if recipe.earlier is not None else None
    with tracking(recipe.track if ranks.first else (), folder, session.warn) as track, metering(ranks.place) as meter:
        heard = replace(session, listener=_both(session.listener, track))
        used = telling(meter, lambda energy: heard.emit_here("energy", energy))
        followed = replace(heard, listener=_both(heard.listener, used))
        work = Undertaking(
            followed, recipe, resolved.decided, files, before, inherits, data, foreseen, texts.unwatched, keep
        )
        beware = [*other_versions(earlier, versions_here()), *lost_kernels(earlier)] if earlier is not None else []
        state = carry_out(work, resumes=earlier is not None, only=given.stage, beware=beware)
    if ranks.first and folder.has_voice:
        keep_result(folder)
    return Run(folder.path, state.step, left=_stand(folder, recipe).left)


def _wanted(given: _Given, names: Sequence[str], done: int) -> list[int]:
    """The stages whose data this start needs.  One that is asked for by name may stand on one that was damaged since,
    which is made again before it."""
    if given.stage is None:
        return list(range(done, len(names)))
    last = names.index(given.stage)
    return [n for n in (last,) if n >= done] if given.prepare_only else list(range(done, last + 1))


def _both(one: Listener, other: Listener) -> Listener:
    def listen(event: Event) -> None:
        one(event)
        other(event)

    return listen


def _session(
    folder: RunFolder, log: EventLog, wish: StopWish, listener: Listener, recipe: Recipe, ranks: Ranks
) -> Session:
    from quire.training.session import Session
    from quire.training.watching.alarms import Alarms

    inherits = method_of_earlier(recipe)
    stages = [recipe.carried_out(number, inherits) for number in range(len(recipe.curriculum))]
    return Session(folder, log, wish, listener, tuple(stage.name for stage in stages), Alarms(stages), ranks)


def _keep(folder: RunFolder, resolved: ResolvedRecipe) -> None:
    write_text(folder.recipe_file, resolved.to_yaml())


def _advised(given: _Given, picked: BasePick) -> Recipe:
    """The recipe with what suits its base where nothing was said, and with a name."""
    plain = load_source(given.source, given.base, given.settings)
    earlier = method_of_earlier(plain.recipe)
    advice = advice_on(plain, picked.name, earlier) | picked.advice([stage.name for stage in plain.recipe.stages])
    recipe = load_source(given.source, given.base, given.settings, advice).recipe
    return recipe if recipe.name else recipe.model_copy(update={"name": name_of(given.source, recipe)})


def _pick(recipe: Recipe, book: Material, download: bool) -> BasePick:
    """The base: of an earlier voice its own, otherwise by the recipe, the book's language and this machine."""
    if recipe.earlier is not None:
        return BasePick(base_of_voice(recipe.earlier), f"the base of {recipe.earlier}", True)
    from quire.model.machine import measure_machine

    return pick_for(recipe, book.language, measure_machine(), download)


def _shelf(source: Source) -> Shelf | None:
    return source if isinstance(source, Shelf) else None


def _stand(folder: RunFolder, recipe: Recipe, already_finished: bool = False) -> Run:
    """How far the run is, where it did not come to its end."""
    from quire.training.standing import ended

    ends = ended(folder, recipe.curriculum)
    left = [] if folder.has_voice else [stage.name for stage in recipe.curriculum[len(ends) :]]
    return Run(folder.path, ends[-1].step if ends else 0, already_finished, tuple(left))


def _finished(folder: RunFolder) -> Run | None:
    events = read_events(folder.events_file)
    done = [event for event in events if event.kind == "done"]
    if not done or not folder.has_voice or spoiled(folder.voice):
        return None
    return Run(folder.path, done[-1].step, already_finished=True)


def _hashes_now(earlier: ResolvedRecipe) -> dict[str, str]:
    """The sources' hashes as they are; a book that was moved away since does not matter to a finished run."""
    return {name: hash_file(Path(name)) if Path(name).is_file() else known for name, known in earlier.sources.items()}
