"""Does it copy?  Runs of words that stand in the voice's texts exactly as in the text it was trained on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.books.copies.spans import SpanIndex, normalise_words, word_places
from quire.judging.resample import Estimate, Resampled
from quire.judging.wording import count, percent
from quire.run.finding import Compared, Finding

QUESTION = "copying"
SHORTEST = 5  # words; shorter runs are idiom (the share of words in runs of five is known as BMC@5)
LONG = 20  # words; nobody writes more than so many of another's by chance
ENOUGH_WORDS = 200  # below, a voice has hardly had the occasion to recite
BASE, HUMAN = "base", "held-out text"
_QUOTED = 14  # words of a run that a verdict quotes


@dataclass(frozen=True)
class Copied:
    """A copied run: in which text, its characters `start` … `stop`, how many words, and where the original stands."""

    text: int
    start: int
    stop: int
    words: int
    where: str


@dataclass(frozen=True)
class Counted:
    """What one writer's texts share with the training text: (copied, all) words of each text, and the runs."""

    words: tuple[tuple[int, int], ...]
    runs: tuple[Copied, ...]
    longest: int

    @property
    def total(self) -> int:
        return sum(words for _, words in self.words)

    @property
    def long_runs(self) -> int:
        """Runs of more than LONG words; of several that overlap, one counts."""
        number, text, reached = 0, -1, 0
        for run in sorted(self.runs, key=lambda run: (run.text, run.start)):
            if run.words > LONG and (run.text != text or run.start >= reached):
                number, text, reached = number + 1, run.text, run.stop
        return number

    @property
    def share(self) -> Estimate | None:
        """Share of words in runs of at least SHORTEST, with the interval over texts; None without words.

        No interval where nothing was copied: drawing nothings again and again says nothing of what the next text holds.
        """
        if self.total == 0:
            return None
        if not any(copied for copied, _ in self.words):
            return Estimate(0.0, None, None)
        return Resampled(np.array(self.words, dtype=np.float64)).estimate(lambda sums: sums[..., 0] / sums[..., 1])


class TrainingText:
    """The text that was trained on, searchable for runs of words."""

    def __init__(self, stretches: Sequence[Sequence[tuple[str, str]]]) -> None:
        """`stretches` are unbroken runs of (text, name of its place).  No run of words goes over a stretch's end."""
        works: list[list[str]] = []
        self._places: list[tuple[int, str]] = []  # the number of a place's first word, and the place's name
        at = 0
        for stretch in stretches:
            work: list[str] = []
            for text, place in stretch:
                self._places.append((at + len(work), place))
                work += normalise_words(text)
            works.append(work)
            at += len(work) + 1  # the index counts what parts two works as a word
        self._index = SpanIndex(works)

    def count(self, texts: Sequence[str]) -> Counted:
        """What `texts` share with the training text."""
        counts, runs, longest = [], [], 0
        for number, text in enumerate(texts):
            placed = word_places(text)
            words = [word for word, _, _ in placed]
            covered: set[int] = set()
            for span in self._index.matches(words, SHORTEST):
                last = span.start + span.length - 1
                covered.update(range(span.start, last + 1))
                runs.append(
                    Copied(number, placed[span.start][1], placed[last][2], span.length, self._place(span.source))
                )
            longest = max(longest, self._index.longest_match(words)[1])
            counts.append((len(covered), len(words)))
        return Counted(tuple(counts), tuple(runs), longest)

    def _place(self, word: int) -> str:
        return self._places[bisect_right(self._places, word, key=lambda place: place[0]) - 1][1]


def judge_copying(
    training: TrainingText, voice: Sequence[str], base: Sequence[str], human: Sequence[str]
) -> tuple[Finding, ...]:
    """Longest copied run, share of copied words, and number of long runs.

    `base` are the base's texts for the same prompts.  `human` is text by the same author that was held out, of the
    voice's length: authors repeat themselves, and only what goes beyond that is the model's copying.
    """
    own = training.count(voice)
    others = [(BASE, training.count(base))]
    others += [(HUMAN, training.count(human))] if any(text.strip() for text in human) else []
    runs = sorted(own.runs, key=lambda run: (-run.words, run.text, run.start))
    spans = [
        {"sample": run.text, "start": run.start, "stop": run.stop, "words": run.words, "where": run.where}
        for run in runs
    ]
    quote = voice[runs[0].text][runs[0].start : runs[0].stop] if runs else ""
    words = {"voice": own.total, **{name: counted.total for name, counted in others}}
    return (
        Finding(
            QUESTION,
            "longest copied run",
            float(own.longest),
            "words",
            compared_with=tuple(Compared(name, float(counted.longest)) for name, counted in others),
            verdict=_verdict(own, dict(others), quote),
            details={"spans": spans, "words": words, "shortest": SHORTEST},
        ),
        _share(own, others),
        Finding(
            QUESTION,
            f"copied runs of more than {LONG} words",
            float(own.long_runs),
            "runs",
            compared_with=tuple(Compared(name, float(counted.long_runs)) for name, counted in others),
            verdict=f"{count(own.long_runs, 'run').capitalize()} of more than {LONG} words stand in the training text.",
        ),
    )


def _share(own: Counted, others: Sequence[tuple[str, Counted]]) -> Finding:
    share = own.share
    name = f"words in copied runs of {SHORTEST} or more"
    if share is None:
        return Finding(QUESTION, name, None, "share", verdict="The voice wrote nothing that could have been copied.")
    compared = [(other, counted.share) for other, counted in others]
    return Finding(
        QUESTION,
        name,
        share.value,
        "share",
        share.low,
        share.high,
        tuple(Compared(other, each.value, each.low, each.high) for other, each in compared if each is not None),
        f"{percent(share.value)} of the voice’s words stand in runs of at least {SHORTEST} words of the training text.",
    )


def _verdict(own: Counted, others: dict[str, Counted], quote: str) -> str:
    """What the counts mean.  The author's own held-out text is the measure where there is any."""
    written = count(own.total, "word")
    if own.total == 0:
        return "The voice wrote nothing, so nothing can be said about copying."
    quoted = f" (“{shortened(quote)}”)" if quote else ""
    beside = "it is " + " and ".join(_beside(name, counted) for name, counted in others.items())
    found = f"the longest run of words copied from the training text has {count(own.longest, 'word')}{quoted}; {beside}"
    human = others.get(HUMAN)
    if own.long_runs > 0 and (human is None or own.long_runs > human.long_runs):
        runs = count(own.long_runs, "run")
        return f"It recites: in {written}, {runs} of more than {LONG} words stand in the training text, and {found}."
    if human is not None and own.longest > max(2 * human.longest, LONG // 2):
        return f"It may recite: in {written}, {found}."
    if own.total < ENOUGH_WORDS:
        return f"Only {written} were written, too few to rule out reciting: {found}."
    return f"No sign of reciting: in {written}, {found}."


def _beside(name: str, counted: Counted) -> str:
    whose = f"{count(counted.total, 'word')} of held-out text" if name == HUMAN else "the base’s texts"
    return f"{counted.longest} in {whose}"


def shortened(text: str) -> str:
    """The words of a run on one line; of a long one the first and the last."""
    words = text.split()
    if len(words) <= _QUOTED:
        return " ".join(words)
    return " ".join(words[: _QUOTED // 2]) + " … " + " ".join(words[-_QUOTED // 2 :])
