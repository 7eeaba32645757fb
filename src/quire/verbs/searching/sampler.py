"""What to try next, when to give up, and which setting mattered: Optuna, shown the search's own journal anew each time.

Nothing of Optuna's is kept between two questions, and each answer has a random seed of its own, made of the search's
seed and the trial's number.  So a search that was interrupted asks for the same trials as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from quire.errors import QuireError
from quire.verbs.searching.journal import Trial
from quire.verbs.searching.space import Dimension

if TYPE_CHECKING:
    import optuna

Prune = Literal["median", "hyperband", "none"]

AT_RANDOM = 8  # trials that are drawn at random before the sampler (TPE, Bergstra et al. 2011) draws conclusions
FINISHED_FIRST = 4  # trials that must have finished before a median says anything
TENTHS_FIRST = 4  # a trial's first validations, by which none is given up: warm-up is still in them
ENOUGH_FOR_IMPORTANCE = 12
_END = 10  # tenths: what has been trained to its end has finished
_TOP = 1 / 3  # PED-ANOVA asks what the best third has in common; the paper's tenth would be one or two trials here
_RESAMPLES = 100
_REDRAWS = 50


@dataclass(frozen=True)
class Importance:
    """How much a key had to do with being among the best third: a share, and its 95 % interval over the trials."""

    key: str
    share: float
    low: float
    high: float


def require_optuna() -> None:
    """QuireError where Optuna is not installed."""
    try:
        import optuna
    except ImportError:
        raise QuireError(
            "quire search needs Optuna, which is not installed", "pip install 'quire[search]'", "search"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def suggest(space: Sequence[Dimension], trials: Sequence[Trial], seed: int) -> dict[str, Any] | None:
    """Values for the next trial after `trials`; None where everything that the space holds has been tried."""
    tried = {_spelled(trial.params) for trial in trials}
    for draw in range(_REDRAWS):
        study = _study(space, trials, _seed_of(seed, len(trials), draw))
        drawn = study.ask({dimension.key: _distribution(dimension) for dimension in space}).params
        params = {d.key: d.neat(_value(d, drawn[d.key])) for d in space}
        if _spelled(params) not in tried:
            return params
    return _first_untried(space, tried)


def _first_untried(space: Sequence[Dimension], tried: set[str]) -> dict[str, Any] | None:
    """For when the sampler keeps to what it knows: the first in order that was not tried, where all can be counted."""
    if not all(dimension.choices or dimension.whole for dimension in space):
        return None
    values = [d.choices or range(int(d.low), int(d.high) + 1) for d in space]
    every = (dict(zip((d.key for d in space), drawn, strict=True)) for drawn in product(*values))
    return next((params for params in every if _spelled(params) not in tried), None)


def hopeless(trials: Sequence[Trial], curve: Sequence[tuple[int, float]], prune: Prune) -> bool:
    """Whether a trial with such losses by tenths is not worth going on with, after what `trials` have shown.

    Their losses are told to the pruner in the order in which they came, for Hyperband notes down what it has seen.
    """
    if prune == "none" or not curve or curve[-1][0] >= _END:
        return False
    import optuna

    study = optuna.create_study(study_name="search", pruner=_pruner(prune))
    for trial in trials:
        again = study.ask()
        _report(again, trial.curve)
        states = {"finished": optuna.trial.TrialState.COMPLETE, "pruned": optuna.trial.TrialState.PRUNED}
        state = states.get(trial.state, optuna.trial.TrialState.FAIL)
        study.tell(again, trial.loss if trial.state == "finished" else None, state)
    return _report(study.ask(), curve)


def _report(trial: optuna.Trial, curve: Sequence[tuple[int, float]]) -> bool:
    """Tell a trial's losses one by one; whether it should be given up by the last."""
    given_up = False
    for tenth, loss in curve:
        trial.report(loss, tenth)
        given_up = trial.should_prune()
    return given_up


def importances(space: Sequence[Dimension], trials: Sequence[Trial], seed: int) -> list[Importance]:
    """By PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255), most important first; none where there are too few trials.

    A trial that was given up counts with its best loss.  Intervals come from drawing the trials with replacement.
    """
    told = [(trial, loss) for trial in trials if (loss := _loss_of(trial)) is not None and _inside(space, trial.params)]
    if len(told) < ENOUGH_FOR_IMPORTANCE or len(space) < 2:
        return []
    generator = np.random.default_rng(_seed_of(seed, len(told), 0))
    frozen = _frozen(space, told)
    whole = _importance(frozen)
    drawn = generator.integers(0, len(told), (_RESAMPLES, len(told)))
    draws = [_importance([frozen[index] for index in row]) for row in drawn]
    found = []
    for dimension in space:
        low, high = np.percentile([draw[dimension.key] for draw in draws], (2.5, 97.5))
        found.append(Importance(dimension.key, whole[dimension.key], float(low), float(high)))
    return sorted(found, key=lambda importance: -importance.share)


def _frozen(space: Sequence[Dimension], told: Sequence[tuple[Trial, float]]) -> list[optuna.trial.FrozenTrial]:
    import optuna

    distributions = {dimension.key: _distribution(dimension) for dimension in space}
    return [
        optuna.trial.create_trial(params=_labels(space, trial.params), distributions=distributions, value=loss)
        for trial, loss in told
    ]


def _importance(trials: Sequence[optuna.trial.FrozenTrial]) -> dict[str, float]:
    import optuna

    study = optuna.create_study(study_name="importance")
    study.add_trials(trials)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=_TOP)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _study(space: Sequence[Dimension], trials: Sequence[Trial], seed: int) -> optuna.Study:
    """A study in memory that has seen `trials`, each under its own number."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=AT_RANDOM,
            multivariate=True,
            constant_liar=False,
            seed=seed,
        )
    study = optuna.create_study(study_name="search", sampler=sampler)
    distributions = {dimension.key: _distribution(dimension) for dimension in space}
    for trial in trials:
        study.add_trial(_seen(space, distributions, trial))
    return study


def _pruner(prune: Prune) -> optuna.pruners.BasePruner:
    import optuna

    if prune == "median":
        return optuna.pruners.MedianPruner(FINISHED_FIRST, TENTHS_FIRST, n_min_trials=FINISHED_FIRST)
    return optuna.pruners.HyperbandPruner(min_resource=TENTHS_FIRST, max_resource=_END, reduction_factor=3)


def _seen(
    space: Sequence[Dimension], distributions: Mapping[str, optuna.distributions.BaseDistribution], trial: Trial
) -> optuna.trial.FrozenTrial:
    """A trial as Optuna is shown it.

    A failed one is shown as given up before its first validation, which to TPE is the worst there is: it then keeps
    away from there.  The recipe's own values may lie outside a space given by hand; that trial only keeps its number.
    """
    import optuna

    if not _inside(space, trial.params):
        return optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL)
    finished = trial.state == "finished"
    state = optuna.trial.TrialState.COMPLETE if finished else optuna.trial.TrialState.PRUNED
    return optuna.trial.create_trial(
        state=state,
        value=trial.loss if finished else None,
        params=_labels(space, trial.params),
        distributions=dict(distributions),
        intermediate_values=dict(trial.curve) if trial.state != "failed" else {},
    )


def _distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    import optuna

    if dimension.choices:  # lists are no choices to Optuna, so that all go by their JSON
        return optuna.distributions.CategoricalDistribution([json.dumps(choice) for choice in dimension.choices])
    if dimension.whole:
        return optuna.distributions.IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return optuna.distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _labels(space: Sequence[Dimension], params: Mapping[str, Any]) -> dict[str, Any]:
    return {d.key: _label(d, params[d.key]) for d in space}


def _label(dimension: Dimension, value: Any) -> Any:
    """A value in Optuna's words: 16.0 is the choice 16."""
    if not dimension.choices:
        return value
    return json.dumps(dimension.choices[dimension.choices.index(value)])


def _value(dimension: Dimension, label: Any) -> Any:
    return json.loads(label) if dimension.choices else label


def _inside(space: Sequence[Dimension], params: Mapping[str, Any]) -> bool:
    return all(dimension.key in params and dimension.holds(params[dimension.key]) for dimension in space)


def _loss_of(trial: Trial) -> float | None:
    if trial.state == "finished":
        return trial.loss
    return min((loss for _, loss in trial.curve), default=None) if trial.state == "pruned" else None


def _spelled(params: Mapping[str, Any]) -> str:
    numbers = {key: float(v) if isinstance(v, int) and not isinstance(v, bool) else v for key, v in params.items()}
    return json.dumps(numbers, sort_keys=True)


def _seed_of(seed: int, number: int, draw: int) -> int:
    digest = hashlib.sha256(f"{seed}/{number}/{draw}".encode()).digest()
    return int.from_bytes(digest[:4], "little")
