from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.recipe.schema import Chunk, TrainSettings
from quire.tokens.rows import IGNORED, Rows, join_rows, make_rows
from quire.tokens.stretches import Stretch

START = 999


def stretches(lengths: list[int]) -> list[Stretch]:
    """Stretches whose ids count up across all of them, so that an id names its place."""
    ends = np.cumsum(lengths)
    return [
        Stretch(np.arange(end - length, end, dtype=np.int32), book, ends_work=book % 2 == 0)
        for book, (length, end) in enumerate(zip(lengths, ends, strict=True))
    ]


def targets_of(rows: Rows) -> list[int]:
    return [int(t) for i in range(len(rows)) for t in rows.arrays(i).targets if t != IGNORED]


lengths = st.lists(st.integers(1, 60), min_size=1, max_size=12)
windows = st.integers(8, 32)
starts = st.sampled_from([None, START])


@given(lengths, windows, starts, st.booleans())
def test_without_overlap_every_token_is_a_target_exactly_once(
    lengths: list[int], window: int, start: int | None, pack: bool
) -> None:
    rows = make_rows(stretches(lengths), TrainSettings(window=window, pack=pack), start)
    first_tokens = set() if start is not None else {int(s.ids[0]) for s in rows.stretches}
    assert sorted(targets_of(rows)) == sorted(set(range(sum(lengths))) - first_tokens)


@given(lengths, windows, starts, st.data())
def test_overlap_as_context_still_trains_every_token_exactly_once(
    lengths: list[int], window: int, start: int | None, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, window - 1))
    rows = make_rows(stretches(lengths), TrainSettings(window=window, stride=stride, overlap="context"), start)
    first_tokens = set() if start is not None else {int(s.ids[0]) for s in rows.stretches}
    assert sorted(targets_of(rows)) == sorted(set(range(sum(lengths))) - first_tokens)


@given(lengths, windows, starts, st.data())
def test_the_count_adds_up_and_overlap_is_trained_more_than_once(
    lengths: list[int], window: int, start: int | None, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, window))
    rows = make_rows(stretches(lengths), TrainSettings(window=window, stride=stride), start)
    count = rows.count()
    assert count.text == sum(lengths) == count.trained + count.context
    assert count.targets == len(targets_of(rows)) >= count.trained == len(set(targets_of(rows)))


@given(lengths, windows, starts, st.data())
def test_each_target_follows_its_input_in_the_same_work_and_positions_restart(
    lengths: list[int], window: int, start: int | None, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, window))
    rows = make_rows(stretches(lengths), TrainSettings(window=window, stride=stride), start)
    first_of_work = {int(s.ids[0]) for s in rows.stretches}
    for index in range(len(rows)):
        row = rows.arrays(index)
        assert len(row.inputs) == len(row.targets) == len(row.positions) == sum(row.segments) <= window
        at = 0
        for length in row.segments:
            assert list(row.positions[at : at + length]) == list(range(length))
            for offset in range(length):
                before, target = int(row.inputs[at + offset]), int(row.targets[at + offset])
                if offset == 0 and start is not None:
                    assert before == START
                elif target != IGNORED:
                    assert before == target - 1
                    assert target not in first_of_work
            at += length


@given(lengths, windows)
def test_packed_rows_are_full_but_for_the_last(lengths: list[int], window: int) -> None:
    rows = make_rows(stretches(lengths), TrainSettings(window=window), START)
    sizes = [sum(s.length for s in row) for row in rows.rows]
    assert all(size == window for size in sizes[:-1])


def test_windows_with_a_stride_by_hand() -> None:
    """Ten tokens, window 8, stride 4: [0, 8) and [4, 10)."""
    rows = make_rows(stretches([10]), TrainSettings(window=8, stride=4, pack=False, overlap="context"), START)
    assert [(s.first, s.last, s.trained_from) for row in rows.rows for s in row] == [(0, 8, 0), (4, 10, 8)]


def test_the_end_of_a_work_is_the_last_target_of_its_last_row() -> None:
    works = [Stretch(np.array([5, 6, 7, 1], dtype=np.int32), 0, ends_work=True)]
    row = make_rows(works, TrainSettings(window=8), START).arrays(0)
    assert list(row.inputs) == [START, 5, 6, 7]
    assert list(row.targets) == [5, 6, 7, 1]


def test_chunks_are_not_joined_and_long_ones_are_cut_at_the_window() -> None:
    settings = TrainSettings(window=8, chunk=Chunk(sentences=2), pack=False)
    rows = make_rows(stretches([5, 11]), settings, START)
    assert [tuple(s.length for s in row) for row in rows.rows] == [(5,), (8,), (3,)]


@pytest.mark.parametrize("start", [None, START])
def test_a_single_token_without_anything_before_it_can_only_be_read(start: int | None) -> None:
    count = make_rows(stretches([1]), TrainSettings(window=8), start).count()
    assert (count.trained, count.context) == ((0, 1) if start is None else (1, 0))


def masked_stretches(seed: int = 3) -> list[Stretch]:
    """Works of which most tokens are read and not learned, one of them wholly."""
    numbers = np.random.default_rng(seed)
    plain = stretches([40, 25, 60, 12])
    masks = [numbers.random(len(s.ids)) < 0.4 for s in plain]
    masks[1][:] = False
    return [Stretch(s.ids, s.book, s.ends_work, mask) for s, mask in zip(plain, masks, strict=True)]


@given(windows, starts, st.data())
def test_what_may_not_be_learned_is_context_wherever_it_stands(
    window: int, start: int | None, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, window))
    works = masked_stretches()
    rows = make_rows(works, TrainSettings(window=window, stride=stride), start)
    allowed = {int(i) for s in works if s.learned is not None for i in s.ids[s.learned]}
    allowed -= set() if start is not None else {int(s.ids[0]) for s in works}
    assert set(targets_of(rows)) == allowed
    count = rows.count()
    assert (count.text, count.trained) == (sum(len(s.ids) for s in works), len(allowed))
    assert count.context == count.text - count.trained
    assert count.targets == len(targets_of(rows)) == int(rows.targets().sum())
    assert (rows.targets() > 0).all(), "a row that teaches nothing is none"
    assert [rows.targets_in(i) for i in range(len(rows))] == rows.targets().tolist()


def test_targets_can_be_masked_afterwards_but_the_ends_of_works_stay() -> None:
    rows = make_rows(stretches([40, 25, 60]), TrainSettings(window=16), START)

    def every_fourth_goes(ids: np.ndarray, begins: np.ndarray) -> np.ndarray:
        assert begins.tolist() == [0, 40, 65]
        return ids % 4 != 0

    masked = rows.masked(every_fourth_goes)
    assert set(targets_of(masked)) == {i for i in range(125) if i % 4} | {39, 124}
    assert masked.ends_not_learned().tolist() == []
    assert masked.count().context == 125 - len(set(targets_of(masked)))
    assert rows.count().context == 0, "the rows themselves are as they were"


@given(lengths, windows, starts, st.data())
def test_some_rows_alone_are_those_rows(
    lengths: list[int], window: int, start: int | None, data: st.DataObject
) -> None:
    rows = join_rows([make_rows(stretches(lengths), TrainSettings(window=window), start)] * 2, [1.0, 2.0])
    first = data.draw(st.integers(0, len(rows)))
    last = data.draw(st.integers(first, len(rows)))
    some = rows.between(first, last)
    assert len(some) == last - first
    for index in range(first, last):
        assert some.arrays(index - first).targets.tolist() == rows.arrays(index).targets.tolist()
        assert some.arrays(index - first).inputs.tolist() == rows.arrays(index).inputs.tolist()
    if rows.weights is not None and last > first:
        assert some.weights is not None
        assert some.weights.tolist() == rows.weights[first:last].tolist()


def test_joined_rows_keep_their_order_and_weights_of_one_are_none() -> None:
    one, two = (make_rows(stretches(sizes), TrainSettings(window=8), START) for sizes in ([20], [9, 9]))
    joined = join_rows([one, two], [1.0, 1.0])
    assert joined.weights is None
    assert joined.per_epoch == len(joined) == len(one) + len(two)
    assert targets_of(joined) == targets_of(one) + targets_of(two)
    assert joined.count(range(len(one))).trained == 20
    assert [int(mask.sum()) for mask in joined.learned()] == [20, 9, 9]
    heavy = join_rows([one, two], [0.5, 3.0])
    assert heavy.per_epoch == 11, "1.5 + 9, a half rounded up"
    assert heavy.tokens_per_epoch() == (10 + 54, 10 + 54)
    assert (one.targets() == 0).sum() == 0


@given(st.lists(st.integers(2, 60), min_size=1, max_size=8), windows, starts, st.booleans(), st.data())
def test_rows_that_are_spread_over_all_count_what_they_see(
    lengths: list[int], window: int, start: int | None, stride: bool, data: st.DataObject
) -> None:
    settings = TrainSettings(window=window, stride=window // 2 if stride else None)
    rows = make_rows(stretches(lengths), settings, start)
    several = join_rows([rows, rows], [1.0, 1.0])
    count = data.draw(st.integers(1, max(1, len(several))))
    if not len(several):
        return
    some = several.spread(count)
    picked = [i * len(several) // count for i in range(count)]
    expected = [several.arrays(i).targets.tolist() for i in picked]
    assert [some.arrays(i).targets.tolist() for i in range(count)] == expected
    assert some.ends_not_learned().tolist() == []
    alone = [several.between(i, i + 1) for i in picked]
    seen = {
        (i >= len(rows), int(t)) for i, row in zip(picked, alone, strict=True) for s in row.stretches for t in s.ids
    }
    assert some.count().text == len(seen)
    assert some.count().targets == sum(row.count().targets for row in alone)
