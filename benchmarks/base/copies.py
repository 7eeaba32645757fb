"""Does a base recite?  The longest runs of words that what it writes shares with all that it has learned from.

A suffix automaton of 35 million words would need twenty gigabytes.  So the corpus is gone through once with the hashes
of all runs of four words of what was written; stretches of it in which every run of four is met are kept, each once,
and the exact search is made in those alone.  A run of four words or more is never missed: all of its own runs of four
are among the hashes.  People's own continuations of the same beginnings are measured beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.base.drawing import Drawn, drawn
from benchmarks.base.task import Task, tell
from benchmarks.base.texts import Texts
from benchmarks.base.words import human_beside
from quire.books.copies.numbers import Numbers, hashes_of_runs
from quire.books.copies.spans import normalise_words
from quire.judging.copying import TrainingText

GRAM = 4
"""Words.  Runs that are shorter count as one word less than this."""
LONG = 12
WAYS = ("temperature 0.8", "Quire's own", "greedy")
PEOPLE = "people"
_SHOWN = 5  # longest runs that the results quote
_NUMBERS = Numbers(1 << 20)


def measure(task: Task) -> dict[str, Any]:
    """`rows`: for each way of drawing and language, and for people, the longest run of any text, the median of the
    longest, the share of texts with a run of more than LONG words; `longest`: the longest runs, quoted."""
    texts = task.texts()
    written = drawn(task, WAYS)
    by_way = {one.way: _by_language(one) for one in written}
    people = {lang: [human_beside(p.human, text) for p, text in written[0].of(lang)] for lang in written[0].languages}
    every = [text for own in [*by_way.values(), people] for of in own.values() for text in of]
    tell(f"looking through the training text for the runs of {len(every)} texts")
    training = stretches_near(texts, every)
    rows = []
    for way, own in {**by_way, PEOPLE: people}.items():
        for language, of in own.items():
            rows.append({"way": way, "language": language, **counted(training, of)})
            shown = f"longest {rows[-1]['longest']}, median {rows[-1]['median']}"
            tell(f"  {way}, {language}: {shown}, over {LONG} words {rows[-1]['long_share']:.1%}")
    return {"of": texts.origin, "tokens": task.tokens, "long": LONG, "rows": rows}


def _by_language(one: Drawn) -> dict[str, list[str]]:
    return {language: [text for _, text in one.of(language)] for language in one.languages}


def counted(training: TrainingText, texts: Sequence[str]) -> dict[str, Any]:
    """What the texts of one writer share with the training text."""
    longest, quoted = [], []
    for text in texts:
        found = training.count([text])
        longest.append(max(found.longest, GRAM - 1))
        runs = sorted(found.runs, key=lambda run: -run.words)[:1]
        quoted += [{"words": run.words, "text": text[run.start : run.stop], "work": run.where} for run in runs]
    return {
        "texts": len(texts),
        "longest": max(longest, default=0),
        "median": statistics.median(longest) if longest else None,
        "long_share": sum(words > LONG for words in longest) / len(longest) if longest else 0.0,
        "longest_runs": sorted(quoted, key=lambda run: -int(str(run["words"])))[:_SHOWN],
    }


def stretches_near(texts: Texts, written: Sequence[str]) -> TrainingText:
    """What of the training text shares a run of GRAM words with what was written, searchable."""
    grams = [hashes_of(normalise_words(text)) for text in written]
    wanted = np.unique(np.concatenate([np.zeros(0, np.uint64), *grams]))
    stretches: dict[str, str] = {}
    works = [work for work in texts.works if work.split == "train"]
    for number, work in enumerate(works):
        for stretch in met(texts.text(work), wanted):
            stretches.setdefault(stretch, work.name)
        if (number + 1) % 50 == 0:
            tell(f"  {number + 1} of {len(works)} works, {len(stretches):,} stretches")
    return TrainingText([[(stretch, name)] for stretch, name in stretches.items()])


def hashes_of(words: Sequence[str]) -> NDArray[np.uint64]:
    """A hash of every run of GRAM words, by where it starts."""
    return hashes_of_runs(np.fromiter(map(_NUMBERS.__getitem__, words), np.uint32), GRAM)


def met(text: str, wanted: NDArray[np.uint64]) -> Iterator[str]:
    """The stretches of a text all of whose runs of GRAM words are `wanted` (sorted), as plain words."""
    words = normalise_words(text)
    hashes = hashes_of(words)
    if not len(wanted) or not len(hashes):
        return
    at = np.minimum(np.searchsorted(wanted, hashes), len(wanted) - 1)
    places = np.flatnonzero(wanted[at] == hashes)
    if not len(places):
        return
    for group in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
        yield " ".join(words[int(group[0]) : int(group[-1]) + GRAM])
