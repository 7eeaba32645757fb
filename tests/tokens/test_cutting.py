"""The arrays of `cut_rows` against plain loops that follow the words of the documentation."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quire.recipe.schema import TrainSettings
from quire.tokens.cutting import cut_rows
from quire.tokens.stretches import Stretch
from quire.tokens.tables import Piece, stretch_table

lengths = st.lists(st.integers(1, 70), min_size=0, max_size=14)
windows = st.integers(8, 32)
starts = st.sampled_from([None, 999])

Cut = tuple[int, int, int, int]


def cut(sizes: list[int], settings: TrainSettings, start: int | None) -> list[list[Cut]]:
    table = stretch_table([Stretch(np.zeros(size, dtype=np.int32), 0, False) for size in sizes])
    piece: Piece = cut_rows(table, settings, start)
    rows = [piece.rows.of_row(i).tolist() for i in range(len(piece.rows))]
    assert piece.rows.targets.tolist() == [sum(last - learned for _, _, last, learned in row) for row in rows]
    return [[tuple(segment) for segment in row] for row in rows]  # type: ignore[misc]


def filled(sizes: list[int], window: int, first: int) -> list[list[Cut]]:
    """Token after token into the row that is open."""
    rows: list[list[Cut]] = [[]]
    room = window
    for number, size in enumerate(sizes):
        for at in range(first, size):
            if room == 0:
                rows.append([])
                room = window
            row = rows[-1]
            if row and row[-1][0] == number and row[-1][2] == at:
                row[-1] = (number, row[-1][1], at + 1, row[-1][3])
            else:
                row.append((number, at, at + 1, at))
            room -= 1
    return [row for row in rows if row]


def windowed(sizes: list[int], window: int, stride: int, first: int, context: bool) -> list[Cut]:
    """Window after window, until the end of the stretch is learned."""
    found: list[Cut] = []
    for number, size in enumerate(sizes):
        at, learned_to = first, first
        while learned_to < size:
            last = min(at + window, size)
            found.append((number, at, last, learned_to if context else at))
            learned_to = last
            at += stride
    return found


def packed(segments: list[Cut], window: int) -> list[list[Cut]]:
    """Longest first, each into the fullest row that has room for it."""
    rows: list[list[Cut]] = []
    left: list[int] = []
    latest: list[int] = []
    for turn, segment in enumerate(sorted(segments, key=lambda s: -(s[2] - s[1]))):
        length = segment[2] - segment[1]
        fitting = [i for i in range(len(rows)) if left[i] >= length]
        if fitting:
            # Of rows that are equally full, the one that was last put into.
            best = min(fitting, key=lambda i: (left[i], -latest[i]))
        else:
            rows.append([])
            left.append(window)
            latest.append(turn)
            best = len(rows) - 1
        rows[best].append(segment)
        left[best] -= length
        latest[best] = turn
    return rows


@given(lengths, windows, starts)
def test_rows_are_filled_to_the_brim(sizes: list[int], window: int, start: int | None) -> None:
    assert cut(sizes, TrainSettings(window=window), start) == filled(sizes, window, 0 if start else 1)


@given(lengths, windows, starts, st.booleans(), st.data())
def test_windows_lie_a_stride_apart(
    sizes: list[int], window: int, start: int | None, context: bool, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, window - 1))
    settings = TrainSettings(window=window, stride=stride, pack=False, overlap="context" if context else "train")
    expected = windowed(sizes, window, stride, 0 if start else 1, context)
    assert cut(sizes, settings, start) == [[segment] for segment in expected]


@given(lengths, windows, st.data())
def test_windows_with_a_stride_are_packed_longest_first(sizes: list[int], window: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, window - 1))
    rows = cut(sizes, TrainSettings(window=window, stride=stride), 999)
    assert rows == packed(windowed(sizes, window, stride, 0, False), window)


def test_a_conversation_stays_in_one_segment_beside_others() -> None:
    """Two of them fit into one row of 16; the plain text around them is cut as ever; one that is too long is too."""

    def talk(size: int) -> Stretch:
        mask = np.ones(size, dtype=bool)
        return Stretch(np.zeros(size, dtype=np.int32), 0, True, mask, repeats=2, words=(3, 1))

    plain = [Stretch(np.zeros(size, dtype=np.int32), 0, False) for size in (20, 3)]
    table = stretch_table([plain[0], talk(6), plain[1], talk(10), talk(20)])
    assert table.own_tokens == 20 + 3 + 4 + 8 + 18
    assert table.stretch(1).words == (3, 1)
    assert table.stretch(0).words is None
    for stride in (None, 8):
        piece = cut_rows(table, TrainSettings(window=16, stride=stride), 999)
        rows = [piece.rows.of_row(i).tolist() for i in range(len(piece.rows))]
        assert rows[-1] == [[3, 0, 10, 0], [1, 0, 6, 0]]
        assert {segment[0] for row in rows[:-1] for segment in row} == {0, 2, 4}
