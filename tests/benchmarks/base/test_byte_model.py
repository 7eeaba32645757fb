"""The byte model gives true probabilities, those that can be worked out by hand, and the same however it is sliced."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from benchmarks.base.byte_model import discounts, train

from benchmarks.base import byte_model

RIVER = (
    "The river was there before the village, and the village knew it. Nobody spoke of the river without looking at "
    "the door. La rivière était là, et personne n’en parlait ; la porte, elle, restait ouverte toute la nuit. "
) * 3 + "Then it was gone, quite gone, and they spoke of nothing else, being people of habit; zigzag, quiz, jump."
SOME = (b"", b"the ", b"riv", "là, ".encode(), b"qqqqq", b"\xff\xfe", b"of the river", b"zebra")


@pytest.mark.parametrize("order", [1, 2, 5, 7])
@pytest.mark.parametrize("context", SOME)
def test_all_bytes_together_are_certain(order: int, context: bytes) -> None:
    model = train([RIVER.encode(), b"another text"], order)
    run = (bytes(order) + context)[-order:]
    keys = np.array([int.from_bytes(run + bytes([byte])) for byte in range(256)], dtype=np.uint64)
    found = model.of_runs(keys)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert (found > 0).all()


def test_a_tiny_text_worked_out_by_hand() -> None:
    """`abab` with one byte of context: runs 0a, ab (twice), ba; before a stand 0 and b, before b stands a.

    No formula has an answer for so few counts, so half is taken off each.
    """
    model = train([b"abab"], 1)
    of_one = {"a": (2 - 0.5) / 3, "b": (1 - 0.5) / 3}
    rest = (0.5 + 0.5) / 3 / 256
    a, b, c = of_one["a"] + rest, of_one["b"] + rest, rest
    assert model.probabilities(b"ab").tolist() == pytest.approx([(1 - 0.5) / 1 + 0.5 * a, (2 - 0.5) / 2 + 0.25 * b])
    assert model.probabilities(b"b")[0] == pytest.approx(0.5 * b)  # never at a beginning
    assert model.probabilities(b"cb").tolist() == pytest.approx([0.5 * c, b])  # after c, nothing was ever seen
    assert model.bits(b"ab") == pytest.approx(-math.log2(0.5 + 0.5 * a) - math.log2(0.75 + 0.25 * b))


def test_discounts_are_those_of_chen_and_goodman() -> None:
    counts = np.repeat([1, 2, 3, 4, 9], [10, 5, 3, 2, 7])
    y = 10 / (10 + 2 * 5)
    assert discounts(counts) == pytest.approx((1 - 2 * y * 5 / 10, 2 - 3 * y * 3 / 5, 3 - 4 * y * 2 / 3))
    assert discounts(np.array([1, 1, 2])) == (0.5, 0.5, 0.5)


def plain(texts: list[bytes], order: int, data: bytes) -> list[float]:
    """The same by dictionaries, one byte after the other, as the paper writes it."""
    counts: list[Counter[bytes]] = [Counter() for _ in range(order + 2)]
    for text in texts:
        padded = bytes(order) + text
        counts[order + 1].update(padded[at - order : at + 1] for at in range(order, len(padded)))
    for length in range(order, 0, -1):
        counts[length] = Counter(run[1:] for run in counts[length + 1])
    taken = [(0.0, *discounts(np.array(list(level.values()) or [0]))) for level in counts]

    def chance(context: bytes, byte: bytes) -> float:
        length = len(context) + 1
        own = {run: n for run, n in counts[length].items() if run[:-1] == context}
        shorter = chance(context[1:], byte) if context else 1 / 256
        if not own:
            return shorter
        off = sum(taken[length][min(n, 3)] for n in own.values())
        n = own.get(context + byte, 0)
        return (n - taken[length][min(n, 3)] + off * shorter) / sum(own.values())

    padded = bytes(order) + data
    return [chance(padded[at - order : at], padded[at : at + 1]) for at in range(order, len(padded))]


@pytest.mark.parametrize("order", [1, 3, 5])
def test_it_is_what_dictionaries_give(order: int) -> None:
    texts, held = [RIVER.encode()[:900], b"a second, short text"], "the door là-bas, zut! nobody spoke".encode()
    assert train(texts, order).probabilities(held).tolist() == pytest.approx(plain(texts, order, held), rel=1e-12)


def test_slices_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [RIVER.encode(), b"short", RIVER[::-1].encode()]
    whole = train(texts)
    heard: list[int] = []
    monkeypatch.setattr(byte_model, "SLICE", 37)
    sliced = train(texts, told=heard.append)
    for ours, theirs in zip(whole.levels, sliced.levels, strict=True):
        assert (ours.keys == theirs.keys).all()
        assert (ours.kept == theirs.kept).all()
        assert (ours.back == theirs.back).all()
    assert heard == sorted(heard)
    assert heard[-1] <= sum(map(len, texts))
    held = RIVER[50:250].encode()
    assert sliced.bits(held) == pytest.approx(whole.bits(held))
    assert len(sliced.probabilities(held)) == len(held)


def test_what_was_read_is_told_better_than_what_was_not() -> None:
    model = train([RIVER.encode()])
    known, unknown = b"the village knew it. Nobody", b"xylophones buzz; ghouls wept"
    assert model.bits(known) / len(known) < 1 < 4 < model.bits(unknown) / len(unknown)
    assert model.order == 5
    assert model.probabilities(b"").tolist() == []
    assert model.bits(b"") == 0
