from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quire.tokens.stream import Position, Stream


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
