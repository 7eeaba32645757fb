"""The course of a search: trial after trial, then the winner and the recipe as it is again by other seeds."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from quire import errors
from quire.errors import QuireError, RecipeError, RunError, Stopped
from quire.planner.bases import find_base
from quire.planner.shape import read_shape
from quire.recipe.fresh import FreshBase
from quire.recipe.load import read_recipe_file
from quire.recipe.resolved import ResolvedRecipe, changed_sources, load_resolved
from quire.run.atomic import write_text
from quire.run.events import JSON, Event, read_events
from quire.run.folder import RunFolder
from quire.verbs.searching.journal import Journal, Trial, write_journal
from quire.verbs.searching.outcome import Outcome, outcome_of
from quire.verbs.searching.results import RECIPE, settings_of
from quire.verbs.searching.sampler import Prune, hopeless, suggest
from quire.verbs.searching.shared import PREPARED, clear_shared, keep_stages, lay_out, tidy
from quire.verbs.searching.space import check_space, decisive, default_space, own_values, parse_space
from quire.verbs.searching.trainer import Ended, Trains, Wish

Listener = Callable[[Event], None]

# What a setting can do to a training.  Any other error would meet every trial.
_OF_A_TRIAL = ("GuardError", "OutOfMemory", "RecipeError", "BaseModelError")


class Course:
    """A search under way; `journal` is what its folder holds."""

    def __init__(
        self, folder: Path, journal: Journal, source: str, download: bool, trainer: Trains, wish: Wish, heard: Listener
    ) -> None:
        self.folder = folder
        self.journal = journal
        self._source = source
        self._download = download
        self._trainer = trainer
        self._wish = wish
        self._heard = heard
        self._resolved = load_resolved(folder / RECIPE) if (folder / RECIPE).is_file() else None

    @property
    def resolved(self) -> ResolvedRecipe:
        """The recipe as the first trial resolved it."""
        assert self._resolved is not None
        return self._resolved

    def all_trials(self) -> None:
        """Go on with the trial that was interrupted, then with new ones, up to as many as are wanted."""
        self._tidy()
        for trial in self.journal.trials:
            if trial.state == "running":
                self._carry_out(trial)
        if self.journal.space:
            self._tell_space()
        while len(self.journal.trials) < self.journal.wanted:
            number = len(self.journal.trials)
            params = suggest(self.journal.space, self.journal.trials, self.journal.asked.seed) if number else {}
            if params is None:
                self._tell("note", {"text": f"all that the space holds has been tried, in {number} trials"})
                return
            self._carry_out(Trial(number, params))

    def all_repeats(self) -> None:
        """The recipe as it is and the winner by other seeds, in turns, so that each interruption leaves pairs.

        One that failed in an earlier call is tried again: no trial was suggested by it.
        """
        winner = self.journal.best
        if winner is None or winner.number == 0:
            clear_shared(self.folder)
            return
        known = {(trial.number, trial.seed): trial for trial in self.journal.repeats}
        for turn in range(1, self.journal.repeats_wanted + 1):
            for trial in (self.journal.trials[0], winner):
                seed = self.journal.asked.seed + turn
                again = known.get((trial.number, seed), Trial(trial.number, trial.params, seed=seed))
                if again.state != "finished" and self.journal.trials[0].state == "finished":
                    self._carry_out(replace(again, state="running", reason=""))
        clear_shared(self.folder)

    def _carry_out(self, trial: Trial) -> None:
        """Train one trial, and write down how it ended.  Raises Stopped, or what would meet every trial."""
        if self._wish.reason is not None:
            raise Stopped(f"the search stopped before trial {trial.number} ({self._wish.reason})")
        self._keep(trial)
        self._tell("trial", self._about(trial))
        request = self._request(trial)
        over = {**request["settings"], **({"base": request["base"]} if request["base"] else {})}
        lay_out(self.folder, trial, self._resolved if trial.number else None, over, request["source"])
        ended = self._trainer.carry_out(request, lambda event: self._hear(trial, event), self._wish)
        if self._now(trial).state == "running":
            outcome = self._ended(trial, ended)
            if trial.number == 0 and trial.seed is None:
                keep_stages(self.folder, self.resolved, trial)
            self._keep(outcome)
        self._tidy()
        self._tell("trial_end", self._about(self._now(trial)))

    def _request(self, trial: Trial) -> dict[str, Any]:
        asked = self.journal.asked
        request: dict[str, Any] = {
            "source": self._source,
            "run": str(self.folder / trial.folder),
            "prepared": str(self.folder / PREPARED),
            "base": asked.base,
            "settings": dict(asked.settings),
            "download": self._download,
        }
        if trial.number == 0 and trial.seed is None:
            return request
        resolved = self.resolved
        own = isinstance(resolved.recipe.base, FreshBase) or resolved.recipe.earlier is not None
        return request | {
            "source": str(self.folder / RECIPE),
            "base": None if own else resolved.decided.base,
            "settings": settings_of(resolved, trial),
            "download": resolved.decided.download,
        }

    def _hear(self, trial: Trial, event: Event) -> bool:
        """Hand the event on; say whether the trial is to go on."""
        if event.kind == "decided":
            self._decided(trial)
        self._heard(event)
        if event.kind != "validation" or trial.number == 0 or trial.seed is not None:
            return True
        curve = self._outcome(trial).curve
        before = self.journal.trials[: trial.number]
        if not hopeless(before, curve, cast("Prune", self.journal.asked.prune)):
            return True
        given_up = replace(self._measured(trial), state="pruned", loss=None)
        self._keep(replace(given_up, reason=f"given up after {curve[-1][0]} tenths: others did better by then"))
        return False

    def _decided(self, trial: Trial) -> None:
        """The first trial says what all others vary; they must learn from the same text."""
        file = self.folder / trial.folder / RECIPE
        if trial.number == 0 and trial.seed is None:
            resolved = load_resolved(file)
            write_text(self.folder / RECIPE, resolved.to_yaml())
            self._resolved = resolved
            if not self.journal.space:
                self._set_space(resolved, trial)
            return
        changed = changed_sources(self.resolved.sources, read_recipe_file(file).data["quire"]["sources"])
        if changed:
            raise RunError(
                f"{changed[0]} changed since the search began, so that its trials could not be compared",
                "put the old text back, or search anew with --run NEW",
                "search",
            )

    def _set_space(self, resolved: ResolvedRecipe, trial: Trial) -> None:
        """The space that was given, or one around the recipe's own values; and what the recipe itself says in it."""
        recipe = resolved.recipe
        own = self.folder / trial.folder / "base"
        files = find_base(str(own) if own.is_dir() else resolved.decided.base, weights=False)
        layers: list[str] = []
        with suppress(QuireError):  # a family whose shape is not known: fewer choices then
            layers = [linear.name for linear in read_shape(files.path).linears]
        space = parse_space(self.journal.asked.space) or default_space(recipe, layers)
        if problems := check_space(space, recipe):
            raise RecipeError("; ".join(problems), "leave that key out of --space", "search")
        self.journal = replace(self.journal, space=space)
        self._keep(replace(trial, params=own_values(space, recipe)))
        self._tell_space()

    def _ended(self, trial: Trial, ended: Ended) -> Trial:
        if ended.how == "Stopped" or self._wish.reason is not None and ended.how != "done":
            why = self._wish.reason or "it was asked to"
            raise Stopped(f"the search stopped in trial {trial.number} ({why})")
        of_all = ended.fixable and ended.how not in _OF_A_TRIAL
        if of_all or (ended.fixable and trial.number == 0 and ended.how not in ("GuardError", "OutOfMemory")):
            known: type[QuireError] = vars(errors)[ended.how]
            raise known(ended.what, ended.then, ended.guide)
        if ended.how != "done":
            if not self.journal.space:
                raise _not_even_once(ended)
            return replace(self._measured(trial), state="failed", loss=None, reason=ended.what)
        measured = self._measured(trial)
        if measured.loss is None:
            return replace(measured, state="failed", reason="no held-out loss was measured")
        return replace(measured, state="finished")

    def _measured(self, trial: Trial) -> Trial:
        found = self._outcome(trial)
        return replace(
            self._now(trial),
            loss=found.loss,
            curve=found.curve,
            steps=found.steps,
            tokens=found.tokens,
            seconds=round(found.seconds, 3),
        )

    def _outcome(self, trial: Trial) -> Outcome:
        stage, path = decisive(self.resolved.recipe)
        stop = trial.params.get(f"{path}.early_stop", stage.early_stop)
        events = read_events(RunFolder(self.folder / trial.folder).events_file)
        return outcome_of(events, stage.model_copy(update={"early_stop": stop}))

    def _now(self, trial: Trial) -> Trial:
        known = self.journal.trials if trial.seed is None else self.journal.repeats
        return next(t for t in known if (t.number, t.seed) == (trial.number, trial.seed))

    def _keep(self, trial: Trial) -> None:
        self.journal = self.journal.with_trial(trial)
        write_journal(self.folder, self.journal)

    def _tidy(self) -> None:
        tidy(self.folder, (*self.journal.trials, *self.journal.repeats), self.journal.best)

    def _about(self, trial: Trial) -> dict[str, JSON]:
        best = self.journal.best
        return {
            "number": trial.number,
            "of": self.journal.wanted,
            "params": dict(trial.params),
            "seed": trial.seed,
            "state": trial.state,
            "loss": trial.loss,
            "reason": trial.reason,
            "steps": trial.steps,
            "best": best.number if best else None,
            "best_loss": best.loss if best else None,
        }

    def _tell_space(self) -> None:
        self._tell("space", {"lines": [str(d) for d in self.journal.space], "derived": not self.journal.asked.space})

    def _tell(self, kind: str, values: dict[str, JSON]) -> None:
        self._heard(Event(time.time(), kind, values=values))


def _not_even_once(ended: Ended) -> Exception:
    """The recipe as it is did not come as far as its first step: that is no finding, but an error."""
    what = f"the recipe as it is could not be trained: {ended.what}"
    return (
        RunError(what, "see what it needs with quire plan", "search") if ended.how == "killed" else RuntimeError(what)
    )
