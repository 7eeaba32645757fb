from __future__ import annotations

import math
import random

import pytest

from quire.verbs.searching import sampler
from quire.verbs.searching.journal import State, Trial
from quire.verbs.searching.sampler import ENOUGH_FOR_IMPORTANCE, hopeless, importances, suggest
from quire.verbs.searching.space import parse_space

SPACE = parse_space(["rate=1e-5..1e-1/log", "rank=8|16|32", "epochs=1..6", "targets=all-linear|[q, v]"])


def some(count: int, state: State = "finished") -> list[Trial]:
    """Trials whose loss depends on the rate alone."""
    drawn = random.Random(3)
    trials = []
    for number in range(count):
        rate = 10 ** drawn.uniform(-5, -1)
        params = {
            "rate": rate,
            "rank": drawn.choice([8, 16, 32]),
            "epochs": drawn.randint(1, 6),
            "targets": drawn.choice(["all-linear", ["q", "v"]]),
        }
        trials.append(Trial(number, params, state, (math.log10(rate) + 2) ** 2))
    return trials


def test_what_is_suggested_lies_in_the_space_and_is_neat() -> None:
    for count in (1, 12):
        params = suggest(SPACE, some(count), 7)
        assert params is not None
        assert all(dimension.holds(params[dimension.key]) for dimension in SPACE)
        assert params["rate"] == float(f"{params['rate']:.3g}")


def test_a_suggestion_depends_on_the_seed_and_on_what_was_seen_and_on_nothing_else() -> None:
    trials = some(12)
    assert suggest(SPACE, trials, 7) == suggest(SPACE, trials, 7)
    assert suggest(SPACE, trials, 7) != suggest(SPACE, trials, 8)
    assert suggest(SPACE, trials, 7) != suggest(SPACE, trials[:11], 7)


def test_after_enough_trials_suggestions_keep_to_where_the_losses_are_low() -> None:
    rates = [params["rate"] for seed in range(10) if (params := suggest(SPACE, some(40), seed))]
    near = [rate for rate in rates if 1e-3 < rate < 1e-1]
    assert len(near) >= 8, "a quarter of the range would have half of them by chance"


def test_failed_trials_and_those_outside_the_space_are_no_obstacle() -> None:
    trials = [Trial(0, {"rate": 5.0, "rank": 7}, "finished", 1.0), *[Trial(n, {}, "failed") for n in range(1, 3)]]
    assert suggest(SPACE, trials, 7) is not None


def test_where_everything_was_tried_there_is_nothing_to_suggest() -> None:
    space = parse_space(["rank=8|16"])
    assert suggest(space, [Trial(0, {"rank": 8.0}, "finished", 1.0)], 7) == {"rank": 16}
    tried = [Trial(n, {"rank": rank}, "finished", 1.0) for n, rank in enumerate((8, 16))]
    assert suggest(space, tried, 7) is None


CURVES = [
    Trial(n, {}, "finished", 1.0 + n / 10, tuple((t, 4 - t * (0.3 - n / 100)) for t in range(11))) for n in range(5)
]


def test_the_median_gives_up_what_is_worse_than_most_by_then() -> None:
    worst = [(tenth, 3.9) for tenth in range(11)]
    best = [(tenth, 4 - tenth * 0.35) for tenth in range(11)]
    assert hopeless(CURVES, worst[:5], "median")
    assert not hopeless(CURVES, best[:5], "median")
    assert not hopeless(CURVES, worst[:3], "median"), "warm-up is still in the first ones"
    assert not hopeless(CURVES[:3], worst[:5], "median"), "three trials make no median"
    assert not hopeless(CURVES, worst, "median"), "what has been trained to its end has finished"


def test_none_gives_up_nothing() -> None:
    assert not hopeless(CURVES, [(5, 99.0)], "none")


def test_what_the_loss_depends_on_matters_most() -> None:
    found = importances(SPACE, some(60), 7)
    assert found[0].key == "rate"
    assert found[0].share > 0.6
    assert sum(importance.share for importance in found) == pytest.approx(1)
    assert all(0 <= i.low <= i.high <= 1 for i in found)


def test_importances_are_the_same_whenever_they_are_asked_for() -> None:
    trials = some(ENOUGH_FOR_IMPORTANCE)
    assert importances(SPACE, trials, 7) == importances(SPACE, trials, 7)


def test_too_few_trials_say_nothing_about_what_mattered() -> None:
    assert importances(SPACE, some(ENOUGH_FOR_IMPORTANCE - 1), 7) == []
    assert importances(SPACE, some(20, "failed"), 7) == []
    assert importances(SPACE[:1], some(20), 7) == []


def test_what_the_sampler_does_not_come_upon_is_tried_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "_REDRAWS", 0)
    space = parse_space(["rank=8|16", "epochs=1..2"])
    trials: list[Trial] = []
    while (params := suggest(space, trials, 7)) is not None:
        trials.append(Trial(len(trials), params, "finished", 1.0))
    assert sorted((t.params["rank"], t.params["epochs"]) for t in trials) == [(8, 1), (8, 2), (16, 1), (16, 2)]
    assert suggest(parse_space(["rate=1e-5..1e-1/log"]), [], 7) is None
