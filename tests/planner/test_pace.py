from __future__ import annotations

from dataclasses import replace

import pytest

from quire.planner.facts import TextFacts
from quire.planner.pace import Pace, pace_of, seconds_of
from quire.recipe.schema import TrainSettings

PACE = Pace(batch=2.0, tokens=512, row=0.5, step=0.1, token=0.01, save=0.3, load=1.0, threads=2, took=3.0)
TEXT = TextFacts(3_000, 5_120, 1_024, 0, rows_per_epoch=(10,), tokens_per_epoch=(5_120,))


def settings(**train: object) -> TrainSettings:
    return TrainSettings.model_validate({"window": 512, "epochs": 1, "effective_batch": 2, **train})


def test_a_pace_survives_the_way_from_one_process_to_another() -> None:
    assert pace_of(PACE.to_json()) == PACE
    assert PACE.tokens_per_second == 256


def test_the_time_of_a_stage_is_the_sum_of_what_is_done_in_it() -> None:
    """By hand: 10 rows of 512 tokens at 2 s each, and 5 steps; three validations of 2 rows; as many checkpoints."""
    times = seconds_of(settings(evaluate_every=3), TEXT, (5,), (10,), PACE, written=100)
    assert times.steps == pytest.approx(10 * 2.0 + 5 * 0.1)
    assert times.validation == pytest.approx(3 * 2 * 0.5)
    assert times.saving == pytest.approx(3 * 0.3)
    assert times.samples == pytest.approx(100 * 0.01)
    assert times.loading == pytest.approx(1.0 + 3 * 1.0)  # once to learn, thrice to prove the voice
    assert times.total == pytest.approx(20.5 + 3 + 0.9 + 1 + 4)


def test_tokens_that_are_only_read_cost_as_much_as_those_that_are_learned() -> None:
    learned = replace(TEXT, tokens_per_epoch=(512,), read_per_epoch=(5_120,))
    assert seconds_of(settings(), learned, (5,), (10,), PACE) == seconds_of(settings(), TEXT, (5,), (10,), PACE)
    short = replace(TEXT, tokens_per_epoch=(2_560,))
    assert seconds_of(settings(), short, (5,), (10,), PACE).steps == pytest.approx(10 + 0.5)


def test_a_large_held_out_text_is_not_validated_whole() -> None:
    large = replace(TEXT, tokens_validation=10**9)
    times = seconds_of(settings(evaluate_every=5), large, (5,), (10,), PACE)
    assert times.validation == pytest.approx(2 * 64 * 0.5)  # before the first step and after the last


def test_parts_pay_for_their_own_samples_voices_and_validations() -> None:
    halves = replace(TEXT, rows_per_epoch=(5, 5), tokens_per_epoch=(2_560, 2_560))
    one = seconds_of(settings(evaluate_every=5), TEXT, (4,), (10,), PACE)
    two = seconds_of(settings(evaluate_every=5, parts=2), halves, (2, 2), (5, 5), PACE)
    assert two.steps == pytest.approx(one.steps)
    assert two.samples == 2 * one.samples
    assert two.saving == 2 * one.saving
    assert two.validation == pytest.approx(one.validation)  # each half of the held-out text once
    assert two.loading == pytest.approx(1 + 3 * 3)


def test_checkpoints_between_validations_are_counted_once() -> None:
    def saved(**train: object) -> float:
        return seconds_of(settings(**train), TEXT, (12,), (24,), PACE).saving / PACE.save

    assert saved(evaluate_every=6) == pytest.approx(3)  # 0, 6, 12
    assert saved(evaluate_every=6, save_every=4) == pytest.approx(3 + 3 - 1)  # 0, 4, 6, 8, 12
    assert saved(evaluate_every=6, save_every=6) == pytest.approx(3)
