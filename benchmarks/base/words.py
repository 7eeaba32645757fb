"""How many of the words that a base writes are words: such as stand somewhere in the corpus.

A word is a run of letters with apostrophes and hyphens inside, in lower case and NFC.  It is known where it stands
anywhere in the corpus, held-out works included, for a prompt may bring a name that stands there alone.  Beside that:
the share that stands there twice or more; the share whose parts (`l’` and `homme` of `l’homme`) all stand there; the
share that stands in the training text.  The last is also given for what people wrote after the same beginnings.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.base.drawing import Drawn, drawn
from benchmarks.base.held_out import kept
from benchmarks.base.task import Task, tell
from benchmarks.base.texts import Texts
from quire.judging.resample import Resampled

WAYS = ("Quire's own", "temperature 0.8")
_WORD = re.compile(r"[^\W\d_]+(?:['’‐‑-][^\W\d_]+)*")
_PARTS = re.compile(r"['-]")
_SHOWN = 60  # unknown words that the results keep


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared."""
    text = unicodedata.normalize("NFC", text).lower()
    return [_plain(word) for word in _WORD.findall(text)]


def _plain(word: str) -> str:
    return word if word.isalpha() else word.replace("’", "'").replace("‐", "-").replace("‑", "-")


def words_after(prompt: str, text: str) -> list[str]:
    """The words that `text` adds to its prompt: one that goes on with the prompt's last word is one word with it, and
    the last, which the end of the writing may have cut, is left out."""
    whole = unicodedata.normalize("NFC", prompt + text)
    written = len(unicodedata.normalize("NFC", prompt))
    found = [match for match in _WORD.finditer(whole) if match.end() > written]
    if found and found[-1].end() == len(whole):
        found.pop()
    return [_plain(match[0].lower()) for match in found]


@dataclass(frozen=True)
class Vocabulary:
    """How often each word stands in the corpus, and in the training text alone."""

    every: Mapping[str, int]
    trained: Mapping[str, int]
    parts: frozenset[str]


def vocabulary_of(texts: Texts, tell: Callable[[str], None] = tell) -> Vocabulary:
    """All words of the works, conversations too: a million or so, of both languages."""
    every: Counter[str] = Counter()
    trained: Counter[str] = Counter()
    for number, work in enumerate(texts.works):
        counts = Counter(words_of(texts.text(work)))
        every.update(counts)
        if work.split == "train":
            trained.update(counts)
        if (number + 1) % 50 == 0:
            tell(f"  words of {number + 1} of {len(texts.works)} works: {len(every):,} different ones")
    return Vocabulary(every, trained, frozenset(part for word in every for part in _PARTS.split(word)))


MEASURES: Mapping[str, Callable[[Vocabulary, str], bool]] = {
    "known": lambda all_of, word: word in all_of.every,
    "twice": lambda all_of, word: all_of.every.get(word, 0) >= 2,
    "parts": lambda all_of, word: all(part in all_of.parts for part in _PARTS.split(word)),
    "trained": lambda all_of, word: word in all_of.trained,
}


def measure(task: Task) -> dict[str, Any]:
    """`rows`: for each way of drawing and language the shares, each with its interval by a bootstrap over texts."""
    texts = task.texts()
    written = drawn(task, WAYS)
    tell("counting the words of the corpus")
    vocabulary = vocabulary_of(texts)
    rows = []
    for one in written:
        for language in one.languages:
            rows.append({"way": one.way, "language": language, **shares(vocabulary, _written(one, language))})
            tell(f"  {one.way}, {language}: {rows[-1]['known'][0]:.2%} known, {rows[-1]['twice'][0]:.2%} twice")
    for language in written[0].languages:
        people = [words_of(human_beside(prompt.human, text)) for prompt, text in written[0].of(language)]
        rows.append({"way": "people", "language": language, **shares(vocabulary, people)})
    return {
        "of": texts.origin,
        "tokens": task.tokens,
        "different_words": len(vocabulary.every),
        "training_words": sum(vocabulary.trained.values()),
        "rows": rows,
    }


def human_beside(human: str, text: str) -> str:
    """As much of what a person wrote."""
    from quire.judging.continuations import first_words

    return first_words(human, len(text.split()))


def _written(one: Drawn, language: str) -> list[list[str]]:
    return [words_after(prompt.text, text) for prompt, text in one.of(language)]


def shares(vocabulary: Vocabulary, texts: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Each of MEASURES as value, low and high; how many texts and words; some words that are not known."""
    told: dict[str, Any] = {"texts": len(texts), "words": sum(map(len, texts))}
    for name, holds in MEASURES.items():
        # A text without a word says nothing, and texts drawn again and again must not all be such.
        counted = [(sum(holds(vocabulary, word) for word in words), len(words)) for words in texts if words]
        units = np.array(counted, dtype=np.float64).reshape(-1, 2)
        told[name] = kept(Resampled(units).estimate(_ratio)) if told["words"] else [None] * 3
    told["unknown"] = unknown(vocabulary, texts)[:_SHOWN]
    return told


def unknown(vocabulary: Vocabulary, texts: Iterable[Sequence[str]]) -> list[str]:
    """The words that stand nowhere in the corpus, in the order of the texts."""
    known = MEASURES["known"]
    return [word for words in texts for word in words if not known(vocabulary, word)]


def _ratio(sums: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return sums[..., 0] / sums[..., 1]
