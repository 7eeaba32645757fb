"""Whether there is enough text for what is wanted of it, by what others have found; and how much a writer has there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from quire.planner.facts import TextFacts

Grade = Literal["little", "some", "good", "plenty"]

# Words: below the first a voice repeats phrases, below the second it has a manner and not the range of a novel.
LITTLE_WORDS, SHORT_WORDS = 5_000, 30_000
# Models of one author each told their author's text apart in 95 % and more of all cases from so many tokens on
# (arXiv 2510.21958; all of them told it with 643,000).
TOLD_APART, TOLD_ALWAYS = 51_000, 643_000
# Conversations of one character, as those who make such voices find it.
FEW, NOTICEABLE, STRONG, MOST = 100, 500, 2_000, 10_000

PAGE_WORDS = 300  # of a printed page


@dataclass(frozen=True)
class Enough:
    """A grade, and in a sentence what it means and whose measure that is."""

    grade: Grade
    text: str


def enough(text: TextFacts) -> Enough:
    """How far the training text of a stage will go."""
    return _conversations(text.conversations) if text.conversations else _prose(text)


def pages(words: int) -> str:
    """`about 49 pages`: words as a writer counts them."""
    count = round(words / PAGE_WORDS)
    return f"about {count:,} printed pages" if count > 1 else "about one printed page"


def _prose(text: TextFacts) -> Enough:
    tokens = text.tokens_train
    if text.words < LITTLE_WORDS:
        return Enough("little", "very little: the voice will repeat phrases of the book")
    if text.words < SHORT_WORDS:
        return Enough("some", f"enough for a manner; an author is told apart from {TOLD_APART:,} tokens on")
    if tokens < TOLD_APART:
        return Enough("some", f"nearly enough: an author is told apart from about {TOLD_APART:,} tokens on")
    if tokens < TOLD_ALWAYS:
        return Enough("good", f"yes: an author is told apart 95 times in 100 from about {TOLD_APART:,} tokens on")
    return Enough("plenty", f"plenty: with {TOLD_ALWAYS:,} tokens an author was told apart every time")


def _conversations(count: int) -> Enough:
    if count < FEW:
        return Enough("little", f"{count:,} conversations are too few; {FEW} to {NOTICEABLE} are the least")
    if count < NOTICEABLE:
        return Enough(
            "some", f"{count:,} conversations are the least that shows; from {NOTICEABLE} on it is noticeable"
        )
    if count < STRONG:
        return Enough("good", f"{count:,} conversations give a noticeable character; {STRONG:,} and more a strong one")
    if count <= MOST:
        return Enough("plenty", f"{count:,} conversations give a strong character")
    return Enough("plenty", f"{count:,} conversations: beyond {MOST:,} more of them add little")
