from __future__ import annotations

import numpy as np
import pytest

from quire.judging.imprint import Pages, judge_imprint, place_words
from quire.model.scoring import BlockLoss
from quire.run.finding import Finding


def pages(base: float, voice: float, count: int = 12, noise: float = 0.0) -> Pages:
    """Pages of 100 tokens: nats a token of base and voice."""
    spread = 1 + noise * np.random.default_rng(3).standard_normal(count)
    return Pages(
        [BlockLoss(n, 100, 400, 100 * base * s) for n, s in enumerate(spread)],
        [BlockLoss(n, 100, 400, 100 * voice * s) for n, s in enumerate(spread)],
    )


def found(seen: Pages, unseen: Pages) -> Finding:
    (finding,) = judge_imprint(seen, unseen)
    return finding


@pytest.mark.parametrize(
    ("seen", "unseen", "share", "words"),
    [
        (2.0, 2.0, 0.0, "style rather than memory"),  # 50 % better on both
        (2.0, 3.0, 0.5, "part style, part memory"),  # 50 % against 25 %
        (1.0, 3.8, 1 - 0.05 / 0.75, "memory rather than style"),
        (2.0, 5.0, 1.0, "memory rather than style"),  # worse than the base where it never was
        (2.0, 1.0, 0.0, "style rather than memory"),  # better still on unseen pages: no more than all of it
    ],
)
def test_the_share_that_does_not_carry_over_is_memory(seen: float, unseen: float, share: float, words: str) -> None:
    finding = found(pages(4.0, seen), pages(4.0, unseen))
    assert finding.value == pytest.approx(share)
    assert words in finding.verdict
    assert finding.low is not None
    assert finding.high is not None
    assert finding.low <= finding.value <= finding.high


def test_easy_pages_count_for_nothing() -> None:
    """The base is much better on one of the two sets already; what counts is what the voice adds."""
    assert found(pages(4.0, 2.0), pages(1.0, 0.75)).value == pytest.approx(0.5)


@pytest.mark.parametrize("voice", [4.0, 3.98, 4.5])
def test_a_voice_that_gained_nothing_has_no_imprint(voice: float) -> None:
    finding = found(pages(4.0, voice), pages(4.0, 4.0))
    assert "hardly any imprint" in finding.verdict
    assert finding.value is None or voice < 4.0


def test_more_pages_make_the_interval_narrower_and_one_page_has_none() -> None:
    few, many = (found(pages(4.0, 2.0, n, 0.3), pages(4.0, 3.0, n, 0.4)) for n in (4, 60))
    assert few.value is not None
    bounds = [bound for one in (many, few) for bound in (one.low, one.high) if bound is not None]
    assert bounds[1] - bounds[0] <= bounds[3] - bounds[2]
    assert found(pages(4.0, 2.0, 1), pages(4.0, 3.0, 1)).value is None
    assert place_words(many).endswith("by 120 pages")
    assert place_words(found(pages(4.0, 2.0, 1), pages(4.0, 3.0))) == "no imprint"
