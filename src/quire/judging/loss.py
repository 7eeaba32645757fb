"""Did it learn?  How well base and voice predict text that neither was trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from quire.judging.resample import RESAMPLES, Array, Estimate, Resampled
from quire.judging.wording import change, count, number
from quire.model.scoring import BlockLoss
from quire.run.finding import Compared, Finding

QUESTION = "loss"
ENOUGH_UNITS = 8  # whole chapters or works are resampled from here on, blocks of some 500 tokens below

# The measures of a unit, in this order.
_BYTES, _TOKENS, _BASE, _VOICE = range(4)


def judge_loss(
    base: Sequence[BlockLoss], voice: Sequence[BlockLoss], units: Sequence[str], kind: str = "chapters"
) -> tuple[Finding, ...]:
    """Bits per byte, loss and perplexity of the voice, each beside the base's.

    `base` and `voice` are scores of the same texts by the same tokenizer; `units[i]` names the chapter or work (`kind`
    says which, in the plural) that text i belongs to.  Intervals come from a paired bootstrap over chapters or works
    where there are at least eight, over blocks otherwise.
    """
    names, measures, whole = _units(base, voice, units)
    kind = kind if whole else "blocks"
    resampled = Resampled(measures)
    where = f"held-out {kind}" if kind != "blocks" else "held-out text"
    verdict = _verdict(resampled, where)
    return (
        _finding("bits per byte", "bits per byte", resampled, _bits, verdict, kind, _table(names, measures)),
        _finding("loss", "nats per token", resampled, _nats, _plain("loss", "nats per token"), kind),
        _finding("perplexity", "", resampled, _perplexity, _plain("perplexity", ""), kind),
    )


def _units(
    base: Sequence[BlockLoss], voice: Sequence[BlockLoss], units: Sequence[str]
) -> tuple[list[str], Array, bool]:
    """Names and measures (n, 4) of what is resampled, and whether that is whole chapters or works."""
    assert [(b.text, b.tokens, b.bytes) for b in base] == [(v.text, v.tokens, v.bytes) for v in voice]
    assert base, "nothing was held out"
    blocks = np.array([(b.bytes, b.tokens, b.nats, v.nats) for b, v in zip(base, voice, strict=True)], dtype=np.float64)
    names = [units[block.text] for block in base]
    distinct = list(dict.fromkeys(names))
    if len(distinct) < ENOUGH_UNITS:
        return names, blocks, False
    merged = [blocks[[name == one for name in names]].sum(axis=0) for one in distinct]
    return distinct, np.array(merged), True


def _bits(column: int) -> Callable[[Array], Array]:
    return lambda sums: sums[..., column] / sums[..., _BYTES] / math.log(2)


def _nats(column: int) -> Callable[[Array], Array]:
    return lambda sums: sums[..., column] / sums[..., _TOKENS]


def _perplexity(column: int) -> Callable[[Array], Array]:
    return lambda sums: np.exp(sums[..., column] / sums[..., _TOKENS])


def _finding(
    name: str,
    unit: str,
    resampled: Resampled,
    measure: Callable[[int], Callable[[Array], Array]],
    verdict: Callable[[Estimate, Estimate], str],
    kind: str,
    table: list[dict[str, object]] | None = None,
) -> Finding:
    base, voice = resampled.estimate(measure(_BASE)), resampled.estimate(measure(_VOICE))
    difference = resampled.estimate(lambda sums: measure(_VOICE)(sums) - measure(_BASE)(sums))
    relative = resampled.estimate(lambda sums: measure(_VOICE)(sums) / measure(_BASE)(sums) - 1)
    details: dict[str, object] = {
        "difference": [difference.value, difference.low, difference.high],
        "relative_difference": [relative.value, relative.low, relative.high],
        "resampled": kind,
        "units": resampled.count,
        "resamples": RESAMPLES,
        "tokens": int(resampled.sums[_TOKENS]),
        "bytes": int(resampled.sums[_BYTES]),
    }
    if table is not None:
        details["by_unit"] = table
    return Finding(
        question=QUESTION,
        name=name,
        value=voice.value,
        unit=unit,
        low=voice.low,
        high=voice.high,
        compared_with=(Compared("base", base.value, base.low, base.high),),
        verdict=verdict(base, voice),
        details=details,
    )


def _verdict(resampled: Resampled, where: str) -> Callable[[Estimate, Estimate], str]:
    """What the difference in bits per byte means, in one sentence."""
    relative = resampled.estimate(lambda sums: sums[..., _VOICE] / sums[..., _BASE] - 1)

    def sentence(base: Estimate, voice: Estimate) -> str:
        digits = 2 if f"{base.value:.2f}" != f"{voice.value:.2f}" else 4
        numbers = (
            f"{number(voice.value, digits)} against {number(base.value, digits)} bits per byte ({change(relative)})"
        )
        if relative.low is None or relative.high is None:
            tokens = count(int(resampled.sums[_TOKENS]), "token")
            return f"Too little text was held out ({tokens}) to say more than: {numbers}, without an interval."
        if relative.high < 0:
            return f"The voice predicts the {where} better than the base: {numbers}."
        if relative.low > 0:
            return f"The voice predicts the {where} worse than the base: {numbers}. It has lost more than it learned."
        return f"It cannot be said that the voice predicts the {where} better than the base, or worse: {numbers}."

    return sentence


def _plain(name: str, unit: str) -> Callable[[Estimate, Estimate], str]:
    def sentence(base: Estimate, voice: Estimate) -> str:
        return f"The {name} is {number(voice.value)} against the base's {number(base.value)} {unit}".rstrip() + "."

    return sentence


def _table(names: Sequence[str], measures: Array) -> list[dict[str, object]]:
    """Bits per byte of each chapter or work (blocks of one are put together), in reading order."""
    sums: dict[str, Array] = {}
    for name, row in zip(names, measures, strict=True):
        sums[name] = sums.get(name, np.zeros(4)) + row
    bits = {name: (float(_bits(_BASE)(row)), float(_bits(_VOICE)(row))) for name, row in sums.items()}
    return [
        {"name": name, "bytes": int(sums[name][_BYTES]), "base": bits[name][0], "voice": bits[name][1]} for name in sums
    ]
