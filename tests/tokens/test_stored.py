from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quire.errors import RunError
from quire.recipe.schema import TrainSettings
from quire.tokens.rows import Rows, join_rows, make_rows
from quire.tokens.stored import load_rows, pieces_of, save_piece, save_rows, write_array
from quire.tokens.stretches import Stretch


def some_rows(seed: int = 0, masked: bool = False, start: int | None = None) -> Rows:
    numbers = np.random.default_rng(seed)
    stretches = [
        Stretch(numbers.integers(1, 99, size, dtype=np.int32), book, book % 2 == 0, numbers.random(size) < 0.6)
        for book, size in enumerate(numbers.integers(20, 90, 7).tolist())
    ]
    if not masked:
        stretches = [replace(stretch, learned=None) for stretch in stretches]
    else:
        stretches[1] = replace(stretches[1], repeats=2, words=(5, 6))
    return make_rows(stretches, TrainSettings(window=32, stride=16), start)


def assert_same(one: Rows, other: Rows) -> None:
    assert len(one) == len(other)
    assert one.start == other.start
    for index in range(len(one)):
        a, b = one.arrays(index), other.arrays(index)
        assert a.segments == b.segments
        for name in ("inputs", "positions", "targets"):
            assert getattr(a, name).tolist() == getattr(b, name).tolist()
    assert one.count() == other.count()
    assert one.targets().tolist() == other.targets().tolist()
    for name in ("book", "ends_work", "repeats", "words"):
        assert [getattr(s, name) for s in one.stretches] == [getattr(s, name) for s in other.stretches]
    assert one.ends_not_learned().tolist() == other.ends_not_learned().tolist()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("start", [None, 7])
def test_what_is_loaded_is_what_was_saved(masked: bool, start: int | None, tmp_path: Path) -> None:
    rows = some_rows(masked=masked, start=start)
    save_rows(rows, tmp_path / "rows")
    assert_same(load_rows(tmp_path / "rows"), rows)


def test_several_sources_and_their_weights_are_kept(tmp_path: Path) -> None:
    rows = join_rows([some_rows(1), some_rows(2)], [1.0, 2.5])
    save_rows(rows, tmp_path)
    loaded = load_rows(tmp_path)
    assert_same(loaded, rows)
    assert loaded.weights is not None
    assert rows.weights is not None
    assert loaded.weights.tolist() == rows.weights.tolist()
    assert loaded.per_epoch == rows.per_epoch == round(len(some_rows(1)) + 2.5 * len(some_rows(2)))


def test_no_rows_are_rows_too(tmp_path: Path) -> None:
    save_rows(make_rows([], TrainSettings(window=8), None), tmp_path)
    assert len(load_rows(tmp_path)) == 0


def test_nothing_is_unpickled_and_foreign_arrays_are_refused(tmp_path: Path) -> None:
    save_rows(some_rows(), tmp_path)
    piece = tmp_path / "piece-00000"
    with (piece / "ids.npy").open("wb") as file:
        np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(RunError, match="does not hold the rows"):
        load_rows(tmp_path)
    write_array(piece / "ids.npy", np.zeros(4, np.int32))
    with pytest.raises(RunError, match="do not fit together"):
        load_rows(tmp_path)
    write_array(piece / "ids.npy", np.zeros(4, np.float64))
    with pytest.raises(RunError, match="holds float64"):
        load_rows(tmp_path)
    (piece / "ids.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(RunError):
        load_rows(tmp_path)
    with pytest.raises(RunError):
        load_rows(tmp_path / "nowhere")


def test_pieces_of_several_folders_are_read_in_order(tmp_path: Path) -> None:
    one, two = some_rows(1), some_rows(2)
    for name, rows in (("a", one), ("b", two)):
        save_piece(rows.pieces[0], tmp_path / name)
    pieces = pieces_of([tmp_path / "b", tmp_path / "a"])
    assert [len(piece.rows) for piece in pieces] == [len(two), len(one)]
    (tmp_path / "a" / "bounds.npy").unlink()
    with pytest.raises(RunError, match=r"bounds\.npy"):
        pieces_of([tmp_path / "a"])


def test_many_rows_are_there_at_once_and_stay_on_the_disk(tmp_path: Path) -> None:
    """100,000 rows of 512 tokens, 200 MB: a tenth of a large stage.  What is loaded is mapped, not read."""
    stretches = [Stretch(np.zeros(512 * 20, dtype=np.int32), book, True) for book in range(5000)]
    save_rows(make_rows(stretches, TrainSettings(window=512), 1), tmp_path)
    began = time.perf_counter()
    rows = load_rows(tmp_path)
    assert len(rows) == 100_000
    assert rows.arrays(99_999).segments == (512,)
    assert time.perf_counter() - began < 0.5
    assert isinstance(rows.pieces[0].text.ids, np.memmap)
    assert isinstance(rows.pieces[0].rows.segments, np.memmap)
