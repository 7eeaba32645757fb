from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.recipe.schema import TrainSettings
from quire.tokens.cutting import cut_rows
from quire.tokens.stretches import Stretch
from quire.tokens.tables import (
    Piece,
    RowsOfPieces,
    Segment,
    Stretches,
    count_targets,
    kept_rows,
    stretch_table,
    table_of_rows,
    targets_among,
    without_idle_rows,
)


def counted(sizes: list[int]) -> list[Stretch]:
    """Ids count up over all, so that an id names its place."""
    ends = np.cumsum(sizes)
    return [
        Stretch(np.arange(end - size, end, dtype=np.int32), book, True)
        for book, (size, end) in enumerate(zip(sizes, ends, strict=True))
    ]


def test_a_table_gives_back_the_stretches_it_was_made_of() -> None:
    mask = np.array([True, False, True])
    given_ = [
        Stretch(np.array([4, 5], dtype=np.int32), 3, False),
        Stretch(np.array([6, 7, 8], np.int32), 4, True, mask),
    ]
    view = Stretches([stretch_table(given_), stretch_table(given_[:1])])
    assert len(view) == 3
    assert [(s.ids.tolist(), s.book, s.ends_work) for s in view] == [
        ([4, 5], 3, False),
        ([6, 7, 8], 4, True),
        ([4, 5], 3, False),
    ]
    assert view[1].learned is not None
    assert view[1].learned.tolist() == [True, False, True]
    assert view[-1].learned is None
    assert [s.book for s in view[1:]] == [4, 3]
    with pytest.raises(IndexError):
        view[3]


def test_rows_of_several_pieces_name_stretches_by_their_number_among_all() -> None:
    text = stretch_table(counted([9, 5]))
    rows = table_of_rows(text, [(Segment(0, 0, 8, 0),), (Segment(0, 8, 9, 8), Segment(1, 0, 5, 2))])
    assert rows.targets.tolist() == [8, 4]
    view = RowsOfPieces([rows, rows], [text, text])
    assert view[3] == (Segment(2, 8, 9, 8), Segment(3, 0, 5, 2))
    assert view[:1] == ((Segment(0, 0, 8, 0),),)


def test_what_is_not_learned_is_no_target() -> None:
    mask = np.array([False, True, True, False, True])
    text = stretch_table([Stretch(np.arange(5, dtype=np.int32), 0, True, mask)])
    rows = table_of_rows(text, [(Segment(0, 0, 4, 0),), (Segment(0, 3, 4, 3),), (Segment(0, 2, 5, 4),)])
    assert rows.targets.tolist() == [2, 0, 1]
    assert targets_among(text, rows.segments[:1]).tolist() == [False, True, True, False, False]
    left = without_idle_rows(Piece(text, rows)).rows
    assert left.targets.tolist() == [2, 1]
    assert [left.of_row(i).tolist() for i in range(2)] == [[[0, 0, 4, 0]], [[0, 2, 5, 4]]]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=10), st.integers(8, 24), st.sampled_from([None, 1]), st.data())
def test_some_rows_alone_hold_the_same_tokens_and_no_others(
    sizes: list[int], window: int, start: int | None, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, window))
    context = 1 if start is None else 0
    piece = cut_rows(stretch_table(counted(sizes)), TrainSettings(window=window, stride=stride), start)
    first = data.draw(st.integers(0, len(piece.rows)))
    last = data.draw(st.integers(first, len(piece.rows)))
    kept = kept_rows(piece, first, last, context)

    def seen(of: Piece, row: int) -> list[tuple[list[int], list[int]]]:
        found = []
        for stretch, begin, end, learned in of.rows.of_row(row).tolist():
            ids = of.text.stretch(stretch).ids
            found.append((ids[begin - context : end].tolist(), ids[learned:end].tolist()))
        return found

    assert [seen(kept, i) for i in range(last - first)] == [seen(piece, i) for i in range(first, last)]
    tokens = {token for i in range(last - first) for ids, _ in seen(kept, i) for token in ids}
    assert sorted(kept.text.ids.tolist()) == sorted(tokens)
    work_ends = {int(s.ids[-1]) for s in counted(sizes)}
    stretches = [kept.text.stretch(i) for i in range(len(kept.text))]
    assert {int(s.ids[-1]) for s in stretches if s.ends_work} == tokens & work_ends
    assert all(np.diff(s.ids).tolist() == [1] * (len(s.ids) - 1) for s in stretches)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(8, 24), st.data())
def test_targets_are_counted_as_the_mask_shows_them(sizes: list[int], window: int, data: st.DataObject) -> None:
    plain = counted(sizes)
    if data.draw(st.booleans()):
        numbers = np.random.default_rng(len(sizes))
        plain = [Stretch(s.ids, s.book, s.ends_work, numbers.random(len(s.ids)) < 0.5) for s in plain]
    settings = TrainSettings(window=window, stride=data.draw(st.integers(1, window)))
    piece = cut_rows(stretch_table(plain), settings, data.draw(st.sampled_from([None, 1])))
    for segments in (piece.rows.segments, piece.rows.segments[::3], piece.rows.segments[:0]):
        assert count_targets(piece.text, segments) == int(targets_among(piece.text, segments).sum())
