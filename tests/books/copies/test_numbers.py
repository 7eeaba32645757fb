from __future__ import annotations

import numpy as np

from quire.books.copies.numbers import Numbers, hashes_of_runs


def test_a_word_has_the_same_number_whenever_it_is_forgotten() -> None:
    numbers = Numbers(2)
    first = [numbers[word] for word in ("a", "rope", "bridge", "a")]
    assert first[0] == first[3] == Numbers(10)["a"]
    assert len(set(first)) == 3
    assert len(numbers) <= 2


def test_runs_have_the_same_hash_wherever_they_stand() -> None:
    """Prepared data is known by them: they must never change."""
    words = np.array([7, 1, 2, 3, 1, 2, 3, 2**32 - 1], dtype=np.uint32)
    hashes = hashes_of_runs(words, 3)
    assert len(hashes) == 6
    assert hashes[1] == hashes[4]
    assert len(set(hashes.tolist())) == 5
    assert hashes[1] == 6648818726030018964
    assert len(hashes_of_runs(words[:2], 3)) == 0
