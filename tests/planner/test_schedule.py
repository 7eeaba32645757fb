from __future__ import annotations

import math

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.planner.schedule import (
    BatchChoice,
    choose_batch,
    learning_rate_at,
    part_steps,
    rows_of_step,
    steps_in,
)
from quire.recipe.schema import TrainSettings

unhurried = hypothesis.settings(deadline=None)


def settings(**values: object) -> TrainSettings:
    return TrainSettings.model_validate(values)


@pytest.mark.parametrize(
    ("rows", "batch", "accumulate", "epochs", "expected"),
    [
        (80, 1, 8, 3, 30),
        (81, 1, 8, 3, 31),  # 243 rows: 30 full steps and one of three rows
        (1, 1, 8, 3, 1),
        (100, 4, 2, 0.5, 7),
        (10, 1, 8, 0.01, 1),
    ],
)
def test_steps_follow_from_epochs(rows: int, batch: int, accumulate: int, epochs: float, expected: int) -> None:
    assert steps_in(rows, batch, accumulate, epochs) == expected


def test_steps_win_over_samples_and_samples_over_epochs() -> None:
    assert steps_in(80, 1, 8, 3, steps=7, samples=1000) == 7
    assert steps_in(80, 1, 8, 3, samples=1000) == 125


@unhurried
@given(
    rows=st.integers(1, 500),
    batch=st.integers(1, 8),
    accumulate=st.integers(1, 8),
    epochs=st.floats(0.1, 5),
)
def test_rows_of_all_steps_are_the_rows_of_all_epochs(rows: int, batch: int, accumulate: int, epochs: float) -> None:
    train = settings(epochs=epochs)
    choice = BatchChoice(batch, accumulate, "")
    taken = [rows_of_step(step, rows, train, choice) for step in range(part_steps(rows, train, choice))]
    assert sum(taken) == max(1, round(epochs * rows))
    assert all(count == batch * accumulate for count in taken[:-1])
    assert taken[-1] > 0


def test_given_steps_are_all_full() -> None:
    train = settings(steps=5)
    assert [rows_of_step(step, 3, train, BatchChoice(2, 2, "")) for step in range(5)] == [4] * 5


@pytest.mark.parametrize(
    ("values", "batch", "accumulate"),
    [
        ({"window": 1024}, 1, 8),
        ({"window": 512}, 1, 8),
        ({"window": 256}, 2, 4),
        ({"window": 384}, 1, 8),
        ({"window": 256, "effective_batch": 32}, 2, 16),
        ({"window": 128, "effective_batch": 6}, 3, 2),
        ({"window": 64, "effective_batch": 4}, 4, 1),
        ({"batch": 2}, 2, 4),
        ({"batch": 16}, 16, 1),
        ({"batch": 3}, 3, 3),
        ({"batch": 5}, 5, 2),
        ({"accumulate": 4}, 2, 4),
        ({"accumulate": 3}, 3, 3),
        ({"accumulate": 20}, 1, 20),
        ({"batch": 1, "accumulate": 5}, 1, 5),
    ],
)
def test_batch_keeps_the_effective_batch(values: dict[str, object], batch: int, accumulate: int) -> None:
    choice = choose_batch(settings(**values))
    assert (choice.batch, choice.accumulate) == (batch, accumulate)
    assert choice.reason


def test_reason_says_when_the_effective_batch_cannot_be_had() -> None:
    assert choose_batch(settings(batch=2)).reason == "batch 2 as the recipe says; 8 rows make a step"
    assert choose_batch(settings(batch=3)).reason.endswith(
        "9 rows make a step, as near to the 8 of effective_batch as can be"
    )
    assert "16 rows" in choose_batch(settings(batch=16)).reason


def test_learning_rate_rises_peaks_and_falls() -> None:
    linear = settings(learning_rate=1.0, schedule="linear", warmup=2)
    assert [learning_rate_at(step, 6, linear) for step in range(6)] == pytest.approx([1 / 3, 2 / 3, 1, 0.75, 0.5, 0.25])
    cosine = settings(learning_rate=1.0, schedule="cosine", warmup=0)
    assert [learning_rate_at(step, 4, cosine) for step in range(4)] == pytest.approx(
        [1, (2 + math.sqrt(2)) / 4, 0.5, (2 - math.sqrt(2)) / 4]
    )
    constant = settings(learning_rate=1.0, schedule="constant", warmup="50%")
    assert [learning_rate_at(step, 4, constant) for step in range(4)] == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_warm_up_longer_than_the_part_is_fitted_to_it() -> None:
    train = settings(learning_rate=1.0, schedule="linear", warmup=100)
    rates = [learning_rate_at(step, 9, train) for step in range(9)]
    assert rates == pytest.approx([n / 10 for n in range(1, 10)])


@unhurried
@given(
    total=st.integers(1, 300),
    warmup=st.integers(0, 400),
    schedule=st.sampled_from(["linear", "cosine", "constant"]),
)
def test_no_step_is_wasted_and_none_exceeds_the_peak(total: int, warmup: int, schedule: str) -> None:
    train = settings(learning_rate=5e-5, schedule=schedule, warmup=warmup)
    rates = [learning_rate_at(step, total, train) for step in range(total)]
    assert all(0 < rate <= 5e-5 for rate in rates)
    peak = min(warmup, total - 1)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize(("total", "warmup"), [(50, 0), (50, 7), (200, 100)])
def test_the_fall_is_that_of_transformers(schedule: str, total: int, warmup: int) -> None:
    import torch
    from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

    make = {"linear": get_linear_schedule_with_warmup, "cosine": get_cosine_schedule_with_warmup}[schedule]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-4)
    theirs = make(optimizer, num_warmup_steps=warmup, num_training_steps=total)
    ours = settings(learning_rate=2e-4, schedule=schedule, warmup=warmup)
    for step in range(total):
        if step >= warmup:
            assert learning_rate_at(step, total, ours) == pytest.approx(theirs.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        theirs.step()
