from __future__ import annotations

import numpy as np
import pytest

from quire.judging.resample import Resampled


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    """For a mean of n values the standard error is sd / sqrt(n), and the 95 % interval 1.96 of it to each side."""
    values = np.random.default_rng(1).normal(10, 3, size=400)
    units = np.stack([values, np.ones(400)], axis=1)
    estimate = Resampled(units).estimate(lambda sums: sums[..., 0] / sums[..., 1])
    error = values.std(ddof=1) / 20
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error * 1.96)
    assert estimate.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error * 1.96)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(120):
        values = rng.normal(0, 1, size=30)
        estimate = Resampled(np.stack([values, np.ones(30)], axis=1)).estimate(lambda s: s[..., 0] / s[..., 1])
        held += estimate.low <= 0 <= estimate.high
    assert 0.87 <= held / 120 <= 0.99


def test_long_units_weigh_more() -> None:
    units = np.array([[10.0, 10.0], [0.0, 30.0]])
    assert Resampled(units).estimate(lambda sums: sums[..., 0] / sums[..., 1]).value == 0.25


def test_one_unit_has_no_interval() -> None:
    estimate = Resampled(np.array([[1.0, 2.0]])).estimate(lambda sums: sums[..., 0] / sums[..., 1])
    assert (estimate.value, estimate.low, estimate.high) == (0.5, None, None)


def test_the_same_units_give_the_same_interval() -> None:
    units = np.random.default_rng(3).random((12, 2)) + 1
    ratio = lambda sums: sums[..., 0] / sums[..., 1]  # noqa: E731
    assert Resampled(units).estimate(ratio) == Resampled(units).estimate(ratio)
