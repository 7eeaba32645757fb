"""Changes to bytes: the same seed makes the same ones, and none grows without end."""

from __future__ import annotations

import random

from fuzz.mutate import LONGEST, mutate


def test_the_same_seed_makes_the_same_changes() -> None:
    first, second = (
        [mutate(random.Random(n), b"some words", [b"others"], [b"<p>"]) for n in range(50)] for _ in range(2)
    )
    assert first == second
    assert len(set(first)) > 40


def test_nothing_becomes_longer_than_the_longest() -> None:
    chance = random.Random(1)
    data = b"x" * LONGEST
    for _ in range(200):
        data = mutate(chance, data, [data], [b"word"])
        assert len(data) <= LONGEST


def test_nothing_is_something_to_begin_with() -> None:
    assert any(mutate(random.Random(n), b"", [b""], [b"word"]) for n in range(50))
