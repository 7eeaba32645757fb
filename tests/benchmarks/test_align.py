"""The alignment that the reading bench rests on."""

from __future__ import annotations

from benchmarks.align import align
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.lists(st.sampled_from("abcd"), max_size=14)


def longest(a: list[str], b: list[str]) -> int:
    """By the table that every textbook has."""
    rows = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, left in enumerate(a):
        for j, right in enumerate(b):
            rows[i + 1][j + 1] = rows[i][j] + 1 if left == right else max(rows[i][j + 1], rows[i + 1][j])
    return rows[-1][-1]


@given(WORDS, WORDS)
def test_short_sequences_get_their_longest_common_subsequence(a: list[str], b: list[str]) -> None:
    pairs = align(a, b)
    assert len(pairs) == longest(a, b)
    assert all(a[i] == b[j] for i, j in pairs)
    assert all(i < k and j < m for (i, j), (k, m) in zip(pairs, pairs[1:], strict=False))


def test_a_long_text_with_a_page_put_in_keeps_every_word() -> None:
    a = [f"w{(n * n) % 4999}" for n in range(20_000)]
    b = [*a[:7_000], *(f"x{n}" for n in range(400)), *a[7_000:]]
    assert len(align(a, b)) == len(a)


def test_what_has_moved_counts_once() -> None:
    a = [f"w{n}" for n in range(300)]
    b = a[200:] + a[:200]
    assert len(align(a, b)) == 200
