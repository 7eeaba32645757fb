"""The operations of a step, counted by hand."""

from __future__ import annotations

import pytest

from quire.verbs.benching.roofline import best_seconds, work_of
from quire.verbs.benching.shapes import SHAPES


def test_operations_of_135m_in_a_window_of_1024() -> None:
    """A layer: q and o 576 × 576, k and v 576 × 192, three of 576 × 1536: 3,538,944; thirty of them 106,168,320.  Four
    operations for each and each of 1,024 tokens.  The head: 49,152 × 576 likewise.  Attention: six products over
    1,024 · 1,025 / 2 = 524,800 pairs, two operations for each of 576 numbers of all heads, in thirty layers."""
    work = work_of(SHAPES["135M"].base, 1024)
    assert work.layers == 434_865_438_720
    assert work.head == 115_964_116_992
    assert work.attention == 108_822_528_000
    assert work.total == 659_652_083_712


def test_operations_of_1b_in_a_window_of_512() -> None:
    """A layer has 44,040,192 numbers in its matrices, keys and values 256 wide; twenty-two of them 968,884,224."""
    work = work_of(SHAPES["1B"].base, 512)
    assert work.layers == 4 * 968_884_224 * 512
    assert work.head == 4 * 65_536_000 * 512
    assert work.attention == 12 * 2048 * 22 * (512 * 513 // 2)


def test_all_at_one_rate() -> None:
    """659.652 G operations at 400 G a second are 1.649 s: 621 tokens a second."""
    seconds = best_seconds(work_of(SHAPES["135M"].base, 1024), {"bf16": 400e9}, "bf16", "bf16")
    assert 1024 / seconds == pytest.approx(620.9, abs=0.1)


def test_what_is_not_in_8_bits_counts_at_the_rate_of_16() -> None:
    """434.865 / 800 + 224.787 / 400 = 0.5436 + 0.5620 s: 926 tokens a second."""
    rates = {"bf16": 400e9, "int8": 800e9}
    seconds = best_seconds(work_of(SHAPES["135M"].base, 1024), rates, "int8", "bf16")
    assert seconds == pytest.approx(0.543582 + 0.561967, abs=1e-5)
