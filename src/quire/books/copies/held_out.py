"""Which passages of a text stand in another one, word for word or nearly so: what no stage may be trained on.

An index of all runs of six words, as 64-bit hashes in one sorted array: 8 bytes a word of what is held out, whatever
the size of what is looked through.  A single run proves nothing; many of them close together are a copy, also where an
edition spells every tenth word otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quire.books.book import SAID, Book
from quire.books.copies.numbers import SHORTEST, Numbers, hashes_of_runs
from quire.books.copies.spans import normalise_words

GRAM = 6
_GAP = 20
_DENSE = 0.35
# A whole paragraph or line that stands there is a copy, however short, if it says something.
_LEAST_WHOLE = 10
_WHOLE = 0.95

Words = NDArray[np.uint32]

_NUMBERS = Numbers(1 << 17)


def word_numbers(text: str) -> Words:
    """The words of a text as numbers, case and punctuation left out."""
    return np.fromiter(map(_NUMBERS.__getitem__, normalise_words(text)), np.uint32)


@dataclass(frozen=True, slots=True)
class Run:
    """Words `start` … `stop` (exclusive) of a text stand in the index; `equal` of them for sure."""

    start: int
    stop: int
    equal: int


class RunIndex:
    """All runs of six words of some texts; no run goes from one text into the next."""

    def __init__(self, texts: Iterable[str]) -> None:
        found = [hashes_of_runs(word_numbers(text), GRAM) for text in texts]
        self._hashes = np.unique(np.concatenate([np.zeros(0, np.uint64), *found]))
        # Most words of a corpus are in no such run: a look into a small table says so at once.
        self._shift = np.uint64(64 - max(12, min(30, 4 + len(self._hashes).bit_length())))
        self._perhaps = np.zeros(1 << (64 - int(self._shift)), dtype=bool)
        self._perhaps[self._hashes >> self._shift] = True

    def __len__(self) -> int:
        return len(self._hashes)

    @property
    def digest(self) -> bytes:
        """What tells this index from another."""
        return self._hashes.tobytes()

    def find(self, words: Words) -> list[Run]:
        """The parts of a text that stand in the index."""
        covered = self.covered(words)
        places = np.flatnonzero(covered)
        if not len(places):
            return []
        breaks = np.flatnonzero(np.diff(places) > _GAP) + 1
        runs = []
        for group in np.split(places, breaks):
            start, stop, equal = int(group[0]), int(group[-1]) + 1, len(group)
            whole = len(words) >= _LEAST_WHOLE and equal >= _WHOLE * len(words)
            if whole or (equal >= SHORTEST and equal >= _DENSE * (stop - start)):
                runs.append(Run(start, stop, equal))
        return runs

    def covered(self, words: Words) -> NDArray[np.bool_]:
        """Of every word, whether a run of six that it belongs to stands in the index."""
        covered = np.zeros(len(words), dtype=bool)
        if not len(self._hashes):
            return covered
        hashes = hashes_of_runs(words, GRAM)
        likely = np.flatnonzero(self._perhaps[hashes >> self._shift])
        at = np.searchsorted(self._hashes, hashes[likely])
        found = likely[self._hashes[np.minimum(at, len(self._hashes) - 1)] == hashes[likely]]
        for offset in range(GRAM):
            covered[found + offset] = True
        return covered


def texts_of(book: Book) -> list[str]:
    """The paragraphs, stanzas and speeches of a work, of a conversation the answers: headings come again in every book,
    personas and questions in every conversation."""
    blocks = (block for chapter in book.chapters for block in chapter.blocks)
    if book.kind in SAID:
        return [block.text for block in blocks if block.speaker == "character"]
    return [block.text for block in blocks if block.kind not in ("heading", "break")]


def found_in(index: RunIndex, pieces: Sequence[str]) -> list[bool]:
    """Of each piece of an unbroken text, whether it is, or has a part of, what stands in the index.

    What goes over the edge of a piece is found as well, in both.
    """
    numbers = [word_numbers(piece) for piece in pieces]
    words = np.concatenate([np.zeros(0, np.uint32), *numbers])
    bounds = np.cumsum([0, *map(len, numbers)])
    hit = [bool(_is_whole(index, piece)) for piece in numbers]
    for run in index.find(words):
        first = int(np.searchsorted(bounds, run.start, side="right")) - 1
        last = int(np.searchsorted(bounds, run.stop, side="left"))
        for piece in range(first, last):
            common = min(run.stop, int(bounds[piece + 1])) - max(run.start, int(bounds[piece]))
            # A run that only leans over an edge by less than itself is no part of what lies there.
            hit[piece] = hit[piece] or common >= min(GRAM, len(numbers[piece]))
    return hit


def _is_whole(index: RunIndex, words: Words) -> bool:
    return len(words) >= _LEAST_WHOLE and int(index.covered(words).sum()) >= _WHOLE * len(words)
