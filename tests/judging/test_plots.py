"""That pictures are drawn, hold what they should, and are the same for the same numbers."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from quire.judging.plots import Dot, Line, Share, curves_plot, history_plot, importance_plot

DOTS = [
    Dot(0, 4.1, "finished"),
    Dot(1, 4.4, "pruned"),
    Dot(2, 3.9, "finished"),
    Dot(3, None, "failed"),
    Dot(4, 3.95, "finished"),
    Dot(5, 60.0, "pruned"),
]


def size_of(png: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_both_kinds_are_written_where_the_name_says_none(tmp_path: Path) -> None:
    files = history_plot(DOTS, tmp_path / "history")
    assert [file.name for file in files] == ["history.png", "history.svg"]
    width, height = size_of(files[0].read_bytes())
    assert 800 < width < 1600
    assert 400 < height < 1000


def test_the_same_numbers_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        importance_plot([Share("rate", 0.8, 0.6, 0.9), Share("rank", 0.2, 0.1, 0.4)], tmp_path / name)
    for kind in ("png", "svg"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


@pytest.mark.parametrize("dots", [[], [Dot(0, None, "failed")], [Dot(0, 3.0, "finished")]])
def test_a_search_that_has_hardly_begun_can_be_drawn(dots: list[Dot], tmp_path: Path) -> None:
    assert history_plot(dots, tmp_path / "history")[0].is_file()


def test_a_picture_of_many_runs_is_as_large_as_one_of_two(tmp_path: Path) -> None:
    lines = [Line(f"run {n}", ((0.0, 5.0), (1e6, 3.0 + n / 50))) for n in range(40)]
    (few,) = curves_plot(lines[:2], "loss", tmp_path / "few.png")
    (many,) = curves_plot(lines, "loss", tmp_path / "many.png")
    assert size_of(few.read_bytes()) == size_of(many.read_bytes())
