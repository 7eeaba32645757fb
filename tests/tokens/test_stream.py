from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.tokens.rows import WEIGHT_STEPS, in_steps, rows_per_epoch
from quire.tokens.stream import Position, Stream, order_of


@given(st.integers(1, 50), st.integers(0, 9), st.integers(0, 3))
def test_every_epoch_gives_every_row_once(rows: int, seed: int, part: int) -> None:
    stream = Stream(rows, seed, part)
    for _ in range(3):
        assert sorted(stream.take(rows)) == list(range(rows))


@given(st.integers(1, 50), st.integers(0, 120), st.integers(1, 120))
def test_seeking_goes_on_as_if_never_interrupted(rows: int, before: int, after: int) -> None:
    whole = Stream(rows, 7, 0)
    given_out = list(whole.take(before))
    assert len(given_out) == before
    later = Stream(rows, 7, 0)
    later.seek(Position(before))
    assert list(later.take(after)) == list(whole.take(after))
    assert later.position == whole.position == Position(before + after)


def test_epochs_seeds_and_parts_are_shuffled_differently() -> None:
    orders = [tuple(Stream(40, seed, part).take(40)) for seed in (1, 2) for part in (0, 1)]
    two_epochs = Stream(40, 1, 0)
    assert tuple(two_epochs.take(40)) == orders[0]
    orders.append(tuple(two_epochs.take(40)))
    assert len(set(orders)) == 5


def test_the_epoch_is_that_of_the_next_row() -> None:
    stream = Stream(3, 7, 0)
    assert stream.epoch == 0
    stream.take(3)
    assert stream.epoch == 1


weights = st.lists(st.one_of(st.floats(0.01, 4), st.sampled_from([1.0, 0.5, 2.0, 0.1])), min_size=1, max_size=40)


@given(weights, st.integers(0, 9), st.integers(0, 3))
def test_an_epoch_gives_each_row_as_often_as_its_weight_says(given_weights: list[float], seed: int, part: int) -> None:
    by_weight = np.array(given_weights)
    length = rows_per_epoch(len(by_weight), by_weight)
    assert length == max(1, math.floor(by_weight.sum() + 0.5)) or abs(by_weight.sum() % 1 - 0.5) < 1e-5
    stream = Stream(len(by_weight), seed, part, by_weight)
    for _ in range(3):
        times = np.bincount(stream.take(length), minlength=len(by_weight))
        whole = in_steps(by_weight) / WEIGHT_STEPS
        assert (times >= np.floor(whole)).all()
        assert (times <= np.ceil(whole)).all()
    assert stream.epoch == 3


@given(weights, st.integers(0, 200), st.integers(1, 100))
def test_seeking_with_weights_goes_on_as_if_never_interrupted(
    given_weights: list[float], before: int, after: int
) -> None:
    by_weight = np.array(given_weights)
    whole = Stream(len(by_weight), 7, 0, by_weight)
    whole.take(before)
    later = Stream(len(by_weight), 7, 0, by_weight)
    later.seek(Position(before))
    assert list(later.take(after)) == list(whole.take(after))


def test_a_row_of_weight_one_quarter_comes_in_one_epoch_of_four() -> None:
    by_weight = np.array([0.25] * 40 + [1.5] * 20)
    times = np.zeros((2000, 60))
    for epoch in range(2000):
        times[epoch] = np.bincount(order_of(60, (7, 0), epoch, by_weight), minlength=60)
    assert times.sum(1).tolist() == [40] * 2000
    # Five standard errors of a share of a quarter, and of a half, in 2,000 draws.
    assert np.abs(times.mean(0) - by_weight).max() < 5 * 0.5 / 2000**0.5
    assert len({tuple(row) for row in times.tolist()}) > 1900, "epochs differ"


def test_weights_of_one_are_as_good_as_none() -> None:
    assert sorted(Stream(30, 7, 0, np.ones(30)).take(30)) == list(range(30))


@pytest.mark.parametrize("weighted", [False, True])
def test_a_million_rows_are_sought_in_far_less_than_five_seconds(weighted: bool) -> None:
    rows = 1_000_000
    by_weight = np.where(np.arange(rows) % 3 == 0, 0.7, 1.2) if weighted else None
    stream = Stream(rows, 7, 0, by_weight)
    began = time.perf_counter()
    stream.seek(Position(990_000))
    assert len(stream.take(8)) == 8
    assert time.perf_counter() - began < 2.5  # measured: 0.05 to 0.2 s
