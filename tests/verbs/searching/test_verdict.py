"""Intervals against hand arithmetic and the usual tables of Student's t."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.verbs.searching.journal import Journal, Trial
from quire.verbs.searching.verdict import Pairs, pairs_of, verdict_of
from trials import asked


def journal(original: float | None, winner: float, again: dict[int, tuple[float, float]]) -> Journal:
    first = Trial(0, {}, "finished", original) if original is not None else Trial(0, {}, "failed", reason="diverged")
    made = Journal(asked(), trials=(first, Trial(1, {}, "finished", winner)))
    for seed, (before, after) in again.items():
        made = made.with_trial(Trial(0, {}, "finished", before, seed=seed))
        made = made.with_trial(Trial(1, {}, "finished", after, seed=seed))
    return made


def test_the_interval_is_that_of_students_t() -> None:
    """Gains 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, so 0.2 ± 4.303 · 0.1 / √3 = 0.2 ± 0.24843."""
    pairs = Pairs((8, 9, 10), (3.1, 3.2, 3.3), (3.0, 3.0, 3.0))
    assert pairs.gain == pytest.approx(0.2)
    assert pairs.interval == pytest.approx((-0.04843, 0.44843), abs=1e-5)
    assert pairs.beats is False


def test_two_seeds_and_many_have_an_interval_and_one_has_none() -> None:
    """Gains 0.1, 0.2: 0.15 ± 12.706 · 0.0707107 / √2 = 0.15 ± 0.6353."""
    assert Pairs((8, 9), (1.1, 1.2), (1.0, 1.0)).interval == pytest.approx((-0.4853, 0.7853), abs=1e-4)
    assert Pairs((8,), (1.1,), (1.0,)).interval is None
    assert Pairs((8,), (1.1,), (1.0,)).beats is None
    many = Pairs(tuple(range(40)), (1.0,) * 20 + (1.2,) * 20, (1.0,) * 40)
    assert many.interval is not None


def test_a_clear_gain_is_called_one() -> None:
    told = verdict_of(journal(3.0, 2.5, {8: (3.10, 2.60), 9: (3.00, 2.52), 10: (3.05, 2.54)}))
    assert "better beyond the noise" in told
    assert "+0.4967" in told


def test_a_gain_within_the_spread_is_not_claimed() -> None:
    told = verdict_of(journal(3.0, 2.9, {8: (3.1, 3.0), 9: (3.0, 3.05), 10: (3.05, 2.9)}))
    assert "within the noise, so no gain has been shown" in told
    assert "better beyond" not in told


def test_a_winner_that_was_only_lucky_is_told() -> None:
    told = verdict_of(journal(3.0, 2.9, {8: (3.0, 3.2), 9: (3.0, 3.21), 10: (3.0, 3.19)}))
    assert "only lucky" in told


@pytest.mark.parametrize(("again", "words"), [({}, "may be luck"), ({8: (3.0, 2.0)}, "one says nothing about chance")])
def test_without_enough_repeats_nothing_is_claimed(again: dict[int, tuple[float, float]], words: str) -> None:
    assert words in verdict_of(journal(3.0, 2.5, again))


def test_repeats_that_failed_are_told() -> None:
    made = journal(3.0, 2.5, {8: (3.1, 2.6)}).with_trial(Trial(1, {}, "failed", reason="it diverged", seed=9))
    assert "Of the repeats 1 failed (it diverged)." in verdict_of(made)


def test_where_nothing_beat_the_recipe_or_it_failed_it_says_so() -> None:
    assert "Nothing that was tried did better" in verdict_of(journal(2.0, 2.5, {}))
    assert "the recipe as it is failed: diverged" in verdict_of(journal(None, 2.5, {}))
    nothing = replace(journal(2.0, 2.5, {}), trials=(Trial(0, {}, "failed", reason="diverged"),))
    assert "No trial has finished" in verdict_of(nothing)


def test_only_seeds_by_which_both_have_finished_count() -> None:
    made = journal(3.0, 2.5, {8: (3.1, 2.6)}).with_trial(Trial(0, {}, "finished", 3.0, seed=9))
    made = made.with_trial(Trial(1, {}, "failed", seed=9))
    assert pairs_of(made, made.trials[1]).seeds == (8,)
