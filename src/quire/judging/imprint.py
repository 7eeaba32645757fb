"""How deep did the book go?  Where the voice ended on the line between style and memorisation.

What a voice gains on pages that it was trained on is part style, which helps as much on pages of the same book that it
never saw, and part memory, which does not.  The share that does not carry over is its place on the line: 0 is style
alone, 1 is learning by heart.  Both gains are against the base on the same pages, so that easy pages count for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.judging.resample import Array, Resampled
from quire.judging.wording import count, number, percent
from quire.model.scoring import BlockLoss
from quire.run.finding import Compared, Finding

QUESTION = "imprint"
LITTLE = 0.01  # a gain smaller than this on its own pages is hardly an imprint, whatever it is made of
MOSTLY_STYLE, MOSTLY_MEMORY = 0.3, 0.7
_BASE, _VOICE = range(2)


@dataclass(frozen=True)
class Pages:
    """Scores of the same texts by base and voice."""

    base: Sequence[BlockLoss]
    voice: Sequence[BlockLoss]


def judge_imprint(seen: Pages, unseen: Pages) -> tuple[Finding, ...]:
    """The share of the voice's gain on trained pages that is memory, with the interval of a bootstrap over pages."""
    trained, held_out = _resampled(seen), _resampled(unseen)
    gain, carried = trained.estimate(_gain), held_out.estimate(_gain)
    value = low = high = None
    if gain.value > 0 and trained.count > 1 and held_out.count > 1:
        value = _share(gain.value, carried.value)
        # The second draws in reverse: the two sets of pages have nothing to do with each other.
        drawn = [
            _share(own, other) for own, other in zip(_gain(trained.draws), _gain(held_out.draws)[::-1], strict=True)
        ]
        low, high = (float(bound) for bound in np.percentile(drawn, (2.5, 97.5)))
    tokens = sum(block.tokens for block in (*seen.voice, *unseen.voice))
    finding = Finding(
        question=QUESTION,
        name="memory share",
        value=value,
        unit="share of what was gained",
        low=low,
        high=high,
        compared_with=(Compared("gain on trained pages", gain.value, gain.low, gain.high),)
        + (Compared("gain on unseen pages", carried.value, carried.low, carried.high),),
        verdict=_verdict(gain.value, carried.value, value),
        details={"pages": [trained.count, held_out.count], "tokens": tokens},
    )
    return (finding,)


def _resampled(pages: Pages) -> Resampled:
    assert [(b.text, b.tokens) for b in pages.base] == [(v.text, v.tokens) for v in pages.voice]
    texts = sorted({block.text for block in pages.base})
    sums = {text: [0.0, 0.0] for text in texts}
    for column, blocks in enumerate((pages.base, pages.voice)):
        for block in blocks:
            sums[block.text][column] += block.nats
    return Resampled(np.array([sums[text] for text in texts], dtype=np.float64).reshape(-1, 2))


def _gain(sums: Array) -> Array:
    """By how much the voice's loss is below the base's, as a share of the base's."""
    return 1 - sums[..., _VOICE] / sums[..., _BASE]


def _share(gain: float, carried: float) -> float:
    return float(np.clip(1 - carried / gain, 0.0, 1.0)) if gain > 0 else 0.0


def _verdict(gain: float, carried: float, share: float | None) -> str:
    own = f"it predicts pages that it was trained on {percent(gain)} better than the base"
    if share is None or gain < LITTLE:
        return f"The book left hardly any imprint: {own}."
    kept = f"and pages of the same book that it never saw {percent(carried, sign=carried < 0)} better"
    what = (
        "style rather than memory"
        if share < MOSTLY_STYLE
        else "memory rather than style"
        if share > MOSTLY_MEMORY
        else "part style, part memory"
    )
    return f"What it learned is {what}: {own}, {kept}, so that {percent(share, 0)} of the gain is memory."


def place_words(finding: Finding) -> str:
    """The place on the line in a few words, for tables and cards."""
    if finding.value is None:
        return "no imprint"
    pages = count(sum(finding.details["pages"]), "page")
    return f"{number(finding.value)} between style (0) and memorisation (1), by {pages}"
