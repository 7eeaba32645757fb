"""Bits per byte of a base on works that it has never read, beside the base's first version on the same text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.base.task import Task, first_version, tell
from benchmarks.base.texts import Sample, samples
from quire.judging.resample import Estimate, Resampled

if TYPE_CHECKING:
    from quire.model.base import Base

WINDOW = 1024


def measure(task: Task) -> dict[str, Any]:
    """`rows`, one for each work, and `languages`, one for each language of the held-out works and of the unseen books.

    `new` is the base, `first` the first version; intervals come from a paired bootstrap over works.
    """
    texts = task.texts()
    of = list(samples(texts, task.books, task.bytes))
    tell(f"{len(of)} works, {sum(one.size for one in of) / 1e6:.1f} MB, held out of {texts.origin}")
    nats = {"new": bits_of(task.load(), of, "new")}
    if task.first:
        with first_version(task.first) as base:
            nats["first"] = bits_of(base, of, "first")
    rows = [row_of(one, {name: bits[number] for name, bits in nats.items()}) for number, one in enumerate(of)]
    return {
        "of": texts.origin,
        "window": WINDOW,
        "most_bytes": task.bytes,
        "first_version": task.first,
        "rows": rows,
        "languages": summed(rows, list(nats)),
    }


def bits_of(base: Base, of: Sequence[Sample], who: str) -> list[float]:
    """The bits that a base needs for each text; every token is predicted from half a window of text or more."""
    from quire.model.scoring import score_blocks
    from quire.writing.reader import positions_of

    window = min(WINDOW, positions_of(base.model))
    found = []
    for one in of:
        blocks = score_blocks(base.model, base.tokenizer, [one.text], window)
        assert sum(block.bytes for block in blocks) == one.size
        found.append(math.fsum(block.nats for block in blocks) / math.log(2))
        tell(f"  {who:6}{one.language}  {found[-1] / one.size:.3f} bits per byte  {one.name}")
    return found


def row_of(one: Sample, bits: dict[str, float]) -> dict[str, Any]:
    """One text as the results keep it; `bits` by whoever needs them for all of it."""
    per_byte = {name: round(value / one.size, 4) for name, value in bits.items()}
    return {
        "id": one.id,
        "name": one.name,
        "language": one.language,
        "unseen": one.unseen,
        "bytes": one.size,
        **per_byte,
    }


def summed(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """All bits over all bytes of each language, apart for held-out works and unseen books; the interval of each, and
    that of the relative change from the last of `names` to the first, where there are two works or more."""
    found = []
    for unseen, language in sorted({(row["unseen"], row["language"]) for row in rows}):
        own = [row for row in rows if (row["unseen"], row["language"]) == (unseen, language)]
        units = np.array([[row["bytes"], *(row[name] * row["bytes"] for name in names)] for row in own])
        resampled = Resampled(units)
        told: dict[str, Any] = {"language": language, "unseen": unseen, "works": len(own)}
        told["bytes"] = sum(row["bytes"] for row in own)
        for column, name in enumerate(names, start=1):
            estimate = resampled.estimate(lambda sums, c=column: sums[..., c] / sums[..., 0])  # type: ignore[misc]
            told[name] = kept(estimate)
        if len(names) > 1:
            last = len(names)
            told["change"] = kept(resampled.estimate(lambda sums, c=last: sums[..., 1] / sums[..., c] - 1))  # type: ignore[misc]
        found.append(told)
    return found


def kept(estimate: Estimate) -> list[float | None]:
    """Value, low and high of the 95 % interval, as results keep them."""
    return [None if one is None else round(one, 5) for one in (estimate.value, estimate.low, estimate.high)]
