"""quire search: which settings make the held-out loss lowest, and whether that is more than luck."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from quire.errors import QuireError, RecipeError, RunError, Stopped
from quire.recipe.load import dump_recipe, load_recipe
from quire.recipe.schema import Recipe
from quire.recipe.yaml_text import dump_yaml
from quire.run.atomic import remove_leftovers, write_text
from quire.run.events import Event
from quire.run.folder import RUNS, folder_name
from quire.run.lock import hold
from quire.training.watch import listening
from quire.verbs.searching.course import Course
from quire.verbs.searching.journal import Asked, Journal, is_search, read_journal
from quire.verbs.searching.results import WINNER, write_results
from quire.verbs.searching.sampler import Prune, require_optuna
from quire.verbs.searching.space import Dimension, check_space, parse_space
from quire.verbs.searching.trainer import LOG, Trainer, may_fork
from quire.verbs.source import load_source, name_of

Listener = Callable[[Event], None]
TRIALS, REPEATS = 20, 3
_SOURCE = "source.yaml"


def _nobody(_event: Event) -> None:
    """The listener of a search that nobody watches."""


@dataclass(frozen=True)
class Search:
    """A search that has come to its end, and where it lies."""

    path: Path
    journal: Journal

    @property
    def winner(self) -> Path | None:
        """The recipe that did best; None where no trial has finished."""
        return self.path / WINNER if self.journal.best is not None else None

    @property
    def voice(self) -> Path | None:
        """The run of the best trial, with its voice; None where no trial has finished."""
        best = self.journal.best
        return self.path / best.folder if best is not None else None

    @property
    def verdict(self) -> str:
        """Whether the winner beats the recipe as it is, as honestly as can be said."""
        return str(self.journal.outcome["verdict"])


def search(
    source: str | Path | Recipe,
    *,
    trials: int | None = None,
    repeats: int | None = None,
    space: Sequence[str] = (),
    prune: Prune | None = None,
    max_time: float | None = None,
    base: str | None = None,
    run: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
    download: bool = False,
    listener: Listener | None = None,
) -> Search:
    """Train `source` with different settings, one after the other, and find those of the lowest held-out loss.

    The first trial is the recipe as it is.  `space` says what to vary (`train.learning_rate=1e-5..1e-3/log`,
    `train.method.lora.rank=8|16`, or a YAML file of such pairs); without it a space around the recipe's own values.
    `prune` (median when not given) says how hopeless trials are found.  Winner and recipe are trained again by
    `repeats` other seeds, which tells a gain from luck.  Without `trials` and `repeats` they are 20 and 3, or of a
    search that is gone on with what it was last asked for.  The same call goes on with a search that was interrupted,
    or makes it longer.  Raises Stopped (the same call resumes) or another QuireError.
    """
    require_optuna()
    if (trials is not None and trials < 1) or (repeats is not None and repeats < 0):
        raise RecipeError("a search needs at least one trial, and repeats cannot be negative", "try --trials 20")
    if prune is not None and prune not in get_args(Prune):
        raise RecipeError(f"--prune {prune} is not known", f"choose among {', '.join(get_args(Prune))}", "search")
    known = _known_folder(source)
    if known is not None and run is None:
        earlier = read_journal(known)
        assert earlier is not None
        source, run = _source_of(known, earlier.asked), known
        base, settings = base or earlier.asked.base, settings or earlier.asked.settings
        space, prune = space or earlier.asked.space, prune or earlier.asked.prune  # type: ignore[assignment]
    with listening(max_time) as wish:
        recipe = load_source(source, base, settings or {}).recipe
        _check(parse_space(space), recipe)
        folder = (
            Path(run) if run is not None else RUNS / f"{folder_name(recipe.name or name_of(source, recipe))}-search"
        )
        _make(folder)
        with hold(folder / "lock"), Trainer(folder, may_fork()) as trainer:
            remove_leftovers(folder)
            asked = Asked(
                source=str(source) if not isinstance(source, Recipe) else "",
                recipe=hashlib.sha256(dump_recipe(recipe).encode("utf-8")).hexdigest(),
                base=base,
                settings=dict(settings or {}),
                space=list(space),
                prune=prune or "median",
                seed=recipe.seed,
            )
            journal = _go_on(folder, asked)
            journal = replace(
                journal,
                wanted=journal.wanted if trials is None else trials,
                repeats_wanted=journal.repeats_wanted if repeats is None else repeats,
                outcome={**journal.outcome, "complete": False},
            )
            course = Course(
                folder, journal, _kept(folder, source, recipe), download, trainer, wish, listener or _nobody
            )
            return _carry_out(course)


def _carry_out(course: Course) -> Search:
    """Trial after trial, then the repeats; what is known is written whenever this ends."""
    try:
        course.all_trials()
        course.all_repeats()
    except Stopped:
        if course.journal.space:
            with suppress(QuireError):
                write_results(course.folder, course.journal, complete=False)
        raise
    return Search(course.folder, write_results(course.folder, course.journal))


def _check(space: Sequence[Dimension], recipe: Recipe) -> None:
    """Every edge of the space is tried on the recipe before anything is trained; all problems are told together."""
    problems = check_space(space, recipe)
    for dimension in space if not problems else ():
        for value in dimension.edges:
            try:
                load_recipe(recipe.model_dump(mode="json", by_alias=True, exclude_unset=True), {dimension.key: value})
            except RecipeError as error:
                problems.append(error.what)
    if problems:
        raise RecipeError(
            "; ".join(dict.fromkeys(problems)), "quire search --help shows how a space is written", "search"
        )


def _go_on(folder: Path, asked: Asked) -> Journal:
    """The search that lies in `folder`, or a new one.  RunError where it was asked for something else.

    One whose first trial has not come as far as to know its space has found nothing: all may be asked anew of it, for
    it may have failed by the very mistake that has been put right since.
    """
    earlier = read_journal(folder)
    if earlier is None:
        return Journal(asked, TRIALS, REPEATS)
    if not earlier.space:
        return Journal(asked, earlier.wanted, earlier.repeats_wanted)
    named = {"space": "--space", "prune": "--prune", "seed": "the seed", "recipe": "the recipe or its settings"}
    changed = [name for key, name in named.items() if vars(earlier.asked)[key] != vars(asked)[key]]
    if changed:
        raise RunError(
            f"{folder} was begun with another {', '.join(changed)}",
            "go on with the search's own, or begin another with --run NEW",
            "search",
        )
    return earlier


def _known_folder(source: object) -> Path | None:
    """The folder of a search that is named in place of a recipe."""
    if not isinstance(source, str | Path):
        return None
    return next((path for path in (Path(source), RUNS / source) if is_search(path)), None)


def _make(folder: Path) -> None:
    if is_search(folder):
        return
    ours = ("lock", LOG, _SOURCE)
    if folder.exists() and (
        not folder.is_dir() or any(p.name not in ours and p.name[0] != "." for p in folder.iterdir())
    ):
        raise RunError(f"{folder} is there already, and is no search", "name a new folder with --run DIR", "search")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"cannot make {folder}: {error.strerror or error}", "name another folder with --run DIR"
        ) from None


def _kept(folder: Path, source: str | Path | Recipe, recipe: Recipe) -> str:
    """The source as another process finds it; `recipe` is what it says, with paths that hold everywhere."""
    if not isinstance(source, Recipe):
        return str(source)
    write_text(folder / _SOURCE, dump_yaml(recipe.model_dump(mode="json", by_alias=True, exclude_unset=True)))
    return str(folder / _SOURCE)


def _source_of(folder: Path, asked: Asked) -> str:
    return asked.source or str(folder / _SOURCE)
