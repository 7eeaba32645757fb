from __future__ import annotations

import json
import math
import random

import pytest

from quire.judging.loss import judge_loss
from quire.model.scoring import BlockLoss
from quire.run.finding import Finding


def scores(ratio: float, chapters: int, blocks: int = 3, noise: float = 0.0, seed: int = 1) -> list[list[BlockLoss]]:
    """A base of about 1.6 bits per byte, and a voice whose loss is `ratio` times that."""
    rng = random.Random(seed)
    base, voice = [], []
    for text in range(chapters):
        for _ in range(blocks):
            nats = 2000 * 1.6 * math.log(2) * rng.uniform(0.8, 1.2)
            base.append(BlockLoss(text, 500, 2000, nats))
            voice.append(BlockLoss(text, 500, 2000, nats * ratio * (1 + rng.uniform(-noise, noise))))
    return [base, voice]


def judged(ratio: float, chapters: int = 10, **how: float) -> tuple[Finding, ...]:
    return judge_loss(*scores(ratio, chapters, **how), [f"Chapter {i + 1}" for i in range(chapters)])


def test_the_numbers_are_those_of_their_definitions() -> None:
    base = [BlockLoss(0, 100, 400, 250.0), BlockLoss(1, 300, 900, 800.0)]
    voice = [BlockLoss(0, 100, 400, 200.0), BlockLoss(1, 300, 900, 700.0)]
    bits, loss, perplexity = judge_loss(base, voice, ["one", "two"])
    assert bits.value == pytest.approx(900 / math.log(2) / 1300)
    assert bits.compared_with[0].value == pytest.approx(1050 / math.log(2) / 1300)
    assert loss.value == pytest.approx(900 / 400)
    assert perplexity.value == pytest.approx(math.exp(900 / 400))
    assert bits.details["difference"][0] == pytest.approx(bits.value - bits.compared_with[0].value)
    assert (bits.details["tokens"], bits.details["bytes"]) == (400, 1300)


def test_a_better_voice_is_called_better_with_its_interval() -> None:
    finding = judged(0.95, noise=0.01)[0]
    value, low, high = finding.details["relative_difference"]
    assert low < value < high < 0
    assert value == pytest.approx(-0.05, abs=0.005)
    assert finding.verdict.startswith("The voice predicts the held-out chapters better than the base: ")
    assert f"(−{abs(value) * 100:.1f} %, interval −{abs(low) * 100:.1f} … −{abs(high) * 100:.1f} %)." in finding.verdict


def test_a_worse_voice_is_called_worse() -> None:
    assert "worse than the base: " in judged(1.04, noise=0.01)[0].verdict


def test_where_the_interval_includes_zero_nothing_is_claimed() -> None:
    finding = judged(1.0, noise=0.05)[0]
    _, low, high = finding.details["relative_difference"]
    assert low < 0 < high
    assert finding.verdict.startswith("It cannot be said that the voice predicts the held-out chapters better")


def test_a_pair_that_differs_everywhere_by_the_same_share_has_a_narrow_interval() -> None:
    """Chapters differ by 20 %, but base and voice are resampled together, so that only their difference counts."""
    value, low, high = judged(0.97)[0].details["relative_difference"]
    assert low == pytest.approx(value) == pytest.approx(high) == pytest.approx(-0.03)


def test_eight_chapters_are_resampled_as_chapters_and_fewer_as_blocks() -> None:
    assert (judged(0.9, 8)[0].details["resampled"], judged(0.9, 8)[0].details["units"]) == ("chapters", 8)
    few = judged(0.9, 7)[0]
    assert (few.details["resampled"], few.details["units"]) == ("blocks", 21)
    assert "held-out text better" in few.verdict


def test_works_are_called_works() -> None:
    findings = judge_loss(*scores(0.9, 9), [f"Poem {i}" for i in range(9)], kind="works")
    assert "held-out works better" in findings[0].verdict


def test_a_chapter_in_two_texts_is_one_unit() -> None:
    base, voice = scores(0.9, 16)
    finding = judge_loss(base, voice, [f"Chapter {i // 2}" for i in range(16)])[0]
    assert finding.details["units"] == 8
    assert [row["name"] for row in finding.details["by_unit"]] == [f"Chapter {i}" for i in range(8)]
    assert sum(row["bytes"] for row in finding.details["by_unit"]) == finding.details["bytes"]


def test_one_block_gives_a_value_but_no_interval() -> None:
    finding = judge_loss(*scores(0.9, 1, blocks=1), ["One"])[0]
    assert finding.low is None
    assert finding.high is None
    assert finding.verdict.startswith("Too little text was held out (500 tokens)")


def test_tiny_differences_are_shown_with_enough_digits() -> None:
    finding = judged(0.9999)[0]
    voice, base = finding.value, finding.compared_with[0].value
    assert f"{voice:.4f} against {base:.4f}" in finding.verdict
    assert "(−0.010 %, interval " in finding.verdict


def test_findings_are_json() -> None:
    for finding in judged(0.9):
        assert Finding.from_json(json.loads(json.dumps(finding.to_json()))) == finding


def test_scores_of_different_texts_are_not_compared() -> None:
    base, voice = scores(0.9, 2)
    with pytest.raises(AssertionError):
        judge_loss(base, voice[:-1], ["one", "two"])
