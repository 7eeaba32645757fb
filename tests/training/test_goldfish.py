from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from quire.training.goldfish import CONTEXT, kept

WHOLE = np.array([0])


def text(length: int, seed: int = 0, vocabulary: int = 32000) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(0, vocabulary, length).astype(np.int32)


def by_definition(ids: list[int], k: int) -> list[bool]:
    """The same rule in plain whole numbers, token by token."""
    word, stays = 2**64 - 1, []
    for at in range(len(ids)):
        if at < CONTEXT:
            stays.append(True)
            continue
        value = 0
        for token in ids[at - CONTEXT : at]:
            value = (value * 0x9E3779B97F4A7C15 + token + 1) & word
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & word
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & word
        value ^= value >> 31
        stays.append(value % k != 0)
    return stays


@pytest.mark.parametrize("k", [2, 3, 4, 50])
def test_one_target_in_k_is_left_out_by_the_hash_of_the_13_before(k: int) -> None:
    ids = text(40_000)
    stays = kept(ids, WHOLE, k)
    assert stays[:500].tolist() == by_definition(ids[:500].tolist(), k)
    share = 1 - stays.mean()
    assert abs(share - 1 / k) < 4 * np.sqrt((1 - 1 / k) / k / len(ids)), "as often as chance, within four deviations"


def test_common_and_small_ids_are_spread_as_well() -> None:
    """Texts of few different tokens, as bytes are, still lose one in k and not in a pattern."""
    ids = text(60_000, vocabulary=3)
    dropped = np.flatnonzero(~kept(ids, WHOLE, 4))
    assert 0.24 < len(dropped) / len(ids) < 0.26
    gaps = np.bincount(np.diff(dropped))
    assert 0.23 < gaps[1] / len(dropped) < 0.27, "neighbours fall together as chance has it: one in four"


def test_a_copied_passage_lacks_the_same_tokens_wherever_it_stands() -> None:
    passage = text(300, seed=1)
    ids = np.concatenate([text(77, seed=2), passage, text(31, seed=3), passage]).astype(np.int32)
    stays = kept(ids, WHOLE, 4)
    first, second = stays[77 : 77 + 300], stays[77 + 300 + 31 :]
    assert np.array_equal(first[CONTEXT:], second[CONTEXT:])
    assert not first[CONTEXT:].all()


def test_a_text_is_marked_by_itself_and_its_beginning_stays() -> None:
    pieces = [text(length, seed=length) for length in (5, 100, 13, 14, 250)]
    ids = np.concatenate(pieces)
    starts = np.cumsum([0, *(len(piece) for piece in pieces[:-1])])
    together = kept(ids, starts, 2)
    alone = np.concatenate([kept(piece, WHOLE, 2) for piece in pieces])
    assert np.array_equal(together, alone)
    for start, piece in zip(starts, pieces, strict=True):
        assert together[start : start + min(CONTEXT, len(piece))].all()


def test_nothing_before_is_nothing_left_out() -> None:
    assert kept(text(0), np.array([], dtype=np.int64), 2).tolist() == []
    assert kept(text(13), WHOLE, 2).all()


def test_the_rule_is_the_same_in_every_process() -> None:
    """Python's own hash is salted anew each time: a resumed run would leave out other tokens."""
    script = "import numpy as np; from quire.training.goldfish import kept\n"
    script += "print(np.flatnonzero(~kept(np.arange(60, dtype=np.int32), np.array([0]), 3)).tolist())"
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": salt},
        ).stdout
        for salt in ("1", "2")
    }
    expected = [at for at, stays in enumerate(by_definition(list(range(60)), 3)) if not stays]
    assert said == {f"{expected}\n"}
