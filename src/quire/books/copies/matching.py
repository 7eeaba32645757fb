"""Runs of words that stand twice on a shelf, word for word or nearly so.

Seed and extend, as Altschul et al. (1990) search sequences: every run of five words is hashed; where two runs agree
with a second pair near the same distance, the two passages are compared from there in both directions, word by word,
with words changed, left out or put in allowed.  The work grows with the text alone: a large shelf is sampled by hash
(Broder 1997), so that the table of runs stays within a bound.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from quire.books.book import SAID, Shelf
from quire.books.copies.numbers import SHORTEST, Numbers, hashes_of_runs
from quire.books.copies.spans import normalise_words

REFRAIN = 60
"""A stanza up to so many words that comes again in its own poem is a refrain."""
_SHINGLE = 5
_MOST_SHINGLES = 4_000_000
# A run of five words that stands in so many places is a phrase.  Blocks that do are found whole.
_MOST_PLACES = 32
_REACH = 5
_SLACK = 12
_GAP = 40
# Two runs of which so much agrees are one text twice.
ALIKE = 0.5

Words = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Match:
    """Two runs of words that agree: `pieces` are (start in the first, start in the second, length), in words."""

    pieces: tuple[tuple[int, int, int], ...]

    @property
    def first(self) -> tuple[int, int]:
        return self.pieces[0][0], self.pieces[-1][0] + self.pieces[-1][2]

    @property
    def second(self) -> tuple[int, int]:
        return self.pieces[0][1], self.pieces[-1][1] + self.pieces[-1][2]

    @property
    def equal(self) -> int:
        return sum(length for _, _, length in self.pieces)

    @property
    def similarity(self) -> float:
        (a, b), (c, d) = self.first, self.second
        return 2 * self.equal / (b - a + d - c)


@dataclass
class Stream:
    """All words of a shelf in reading order as numbers, and where each block, chapter and book of it begins."""

    words: array[int] = field(default_factory=lambda: array("I"))
    blocks: list[tuple[int, int, int]] = field(default_factory=list)
    block_starts: array[int] = field(default_factory=lambda: array("Q"))
    book_starts: list[int] = field(default_factory=list)

    def block_at(self, word: int) -> int:
        return bisect_right(self.block_starts, word) - 1

    def book_bounds(self, word: int) -> tuple[int, int]:
        at = bisect_right(self.book_starts, word) - 1
        after = self.book_starts[at + 1] if at + 1 < len(self.book_starts) else len(self.words)
        return self.book_starts[at], after

    def block_end(self, block: int) -> int:
        return self.block_starts[block + 1] if block + 1 < len(self.blocks) else len(self.words)


def read_words(shelf: Shelf) -> Stream:
    """The words of all paragraphs, stanzas and speeches; headings come again in every book and are left out.

    So do the persona and the questions of conversations: there the answers alone, which are what is learned, are looked
    at.
    """
    stream = Stream()
    numbers = Numbers(1 << 20)
    for book_number, book in enumerate(shelf.books):
        stream.book_starts.append(len(stream.words))
        for chapter_number, chapter in enumerate(book.chapters):
            for index, block in enumerate(chapter.blocks):
                if block.kind in ("heading", "break") or (book.kind in SAID and block.speaker != "character"):
                    continue
                stream.blocks.append((book_number, chapter_number, index))
                stream.block_starts.append(len(stream.words))
                stream.words.extend(map(numbers.__getitem__, normalise_words(block.text)))
    return stream


def find_matches(shelf: Shelf, stream: Stream) -> list[Match]:
    """All pairs of runs of at least `SHORTEST` words that agree; of a text that stands often, each with an earlier."""
    matches: list[Match] = []
    seen: dict[int, list[Match]] = {}
    for p, q in _seeds(stream):
        if any(m.first[0] <= p < m.first[1] and m.second[0] <= q < m.second[1] for m in seen.get(q >> 6, ())):
            continue
        match = _extend(stream, p, q)
        (a, b), (c, d) = match.first, match.second
        if min(b - a, d - c) < SHORTEST or match.similarity < ALIKE or _is_refrain(shelf, stream, match):
            continue
        if any(_covers(other, c, d) for other in seen.get((c + d) >> 7, ())):
            continue
        matches.append(match)
        for cell in range(c >> 6, (d >> 6) + 1):
            seen.setdefault(cell, []).append(match)
    return _joined(stream, matches)


def _joined(stream: Stream, matches: list[Match]) -> list[Match]:
    """Matches that follow one another in both works, with no more than a sentence or two between them, as one."""
    joined: list[Match] = []
    for match in sorted(matches, key=lambda m: (m.first[0] - m.second[0] >> 9, m.second)):
        last = joined[-1] if joined else match
        gaps = match.first[0] - last.first[1], match.second[0] - last.second[1]
        if match is not last and all(0 <= gap <= _GAP for gap in gaps) and abs(gaps[0] - gaps[1]) <= _GAP // 2:
            whole = Match(last.pieces + match.pieces)
            works = stream.book_bounds(whole.first[0]), stream.book_bounds(whole.second[0])
            inside = all(span[1] <= work[1] for span, work in zip((whole.first, whole.second), works, strict=True))
            if inside and whole.similarity >= ALIKE:
                joined[-1] = whole
                continue
        joined.append(match)
    return sorted(joined, key=lambda m: (m.second, m.first))


def _covers(match: Match, start: int, stop: int) -> bool:
    """Whether a run is, nearly all of it, the second run of a match that is known."""
    common = min(stop, match.second[1]) - max(start, match.second[0])
    return common >= 0.9 * (stop - start)


def _is_refrain(shelf: Shelf, stream: Stream, match: Match) -> bool:
    first, second = (stream.blocks[stream.block_at(at)] for at in (match.first[0], match.second[0]))
    if first[:2] != second[:2] or match.second[1] - match.second[0] > REFRAIN:
        return False
    return shelf.books[first[0]].chapters[first[1]].blocks[first[2]].kind == "verse"


def _seeds(stream: Stream) -> Iterator[tuple[int, int]]:
    """Pairs of places from which to compare, by the place of the second."""
    first, second = _pairs(*_shingles(stream))
    apart = second - first >= SHORTEST
    first, second = _strong(first[apart], second[apart])
    whole = np.array(_same_blocks(stream), dtype=np.int64).reshape(-1, 2)
    first, second = np.concatenate((first, whole[:, 0])), np.concatenate((second, whole[:, 1]))
    order = np.lexsort((first, second))
    yield from zip(first[order].tolist(), second[order].tolist(), strict=True)


def _shingles(stream: Stream) -> tuple[NDArray[np.uint64], Words]:
    """Hashes of runs of words and where they start: all, or of a large shelf those whose hash ends in zeros."""
    count = len(stream.words) - _SHINGLE + 1
    if count < 2:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    bits = max(0, (count // _MOST_SHINGLES).bit_length())
    words = np.frombuffer(stream.words, dtype=np.uint32)
    across = np.zeros(count, dtype=bool)
    for start in stream.book_starts[1:]:
        across[max(0, start - _SHINGLE + 1) : start] = True
    hashes, places = [], []
    step = 1 << 20
    for begin in range(0, count, step):
        stop = min(count, begin + step)
        total = hashes_of_runs(words[begin : stop + _SHINGLE - 1], _SHINGLE)
        kept = ~across[begin:stop] & (total & np.uint64((1 << bits) - 1) == 0)
        hashes.append(total[kept])
        places.append(np.flatnonzero(kept) + begin)
    return np.concatenate(hashes), np.concatenate(places)


def _pairs(hashes: NDArray[np.uint64], places: Words) -> tuple[Words, Words]:
    """Each place of a run with the one before it and with the first, where they are not too many."""
    order = np.argsort(hashes, kind="stable")
    hashes, places = hashes[order], places[order]
    new = np.concatenate(([True], hashes[1:] != hashes[:-1]))[: len(hashes)]
    starts = np.flatnonzero(new)
    group = np.cumsum(new) - 1
    sizes = np.diff(np.concatenate((starts, [len(hashes)])))
    index = np.arange(len(hashes))
    few = sizes[group] <= _MOST_PLACES
    later = np.flatnonzero(~new & few)
    third = later[index[later] - starts[group[later]] >= 2]
    first = np.concatenate((places[later - 1], places[starts[group[third]]]))
    return first, np.concatenate((places[later], places[third]))


def _strong(first: Words, second: Words) -> tuple[Words, Words]:
    """Pairs that are more than a phrase in common: eight words on end, or another pair near by at the same distance.

    Neighbouring pairs count as one run and give its start.
    """
    if not len(first):
        return first, second
    distance = second - first
    order = np.lexsort((first, distance))
    first, distance = first[order], distance[order]
    new = np.concatenate(([True], (np.diff(distance) != 0) | (np.diff(first) > 1)))
    starts = np.flatnonzero(new)
    lengths = np.diff(np.concatenate((starts, [len(first)])))
    first, distance = first[starts], distance[starts]
    strong = lengths >= 4
    for shift in (0, 8):
        bucket = (distance + shift) >> 4
        order = np.lexsort((first, bucket))
        near = (np.diff(bucket[order]) == 0) & (np.diff(first[order]) <= 64)
        # An overlap is one phrase, not two.
        near &= np.diff(first[order]) >= 2
        strong[order[1:][near]] = True
        strong[order[:-1][near]] = True
    return first[strong], (first + distance)[strong]


def _same_blocks(stream: Stream) -> list[tuple[int, int]]:
    """Blocks of the very same words, each with the first: also of those that come again hundreds of times."""
    earliest: dict[bytes, int] = {}
    found = []
    for number, start in enumerate(stream.block_starts):
        stop = stream.block_end(number)
        if stop - start < SHORTEST:
            continue
        digest = hashlib.blake2b(stream.words[start:stop].tobytes(), digest_size=8).digest()
        first = earliest.setdefault(digest, start)
        if first != start:
            found.append((first, start))
    return found


def _extend(stream: Stream, p: int, q: int) -> Match:
    """The runs that agree around a seed, as far as they do, within their works and without meeting each other."""
    words = stream.words
    (low_p, high_p), (low_q, high_q) = stream.book_bounds(p), stream.book_bounds(q)
    ahead = _walk(words, p, q, min(high_p, q), high_q, 1)
    reached = ahead[-1][0] + ahead[-1][2] if ahead else p
    back = _walk(words, p - 1, q - 1, low_p - 1, max(low_q, reached) - 1, -1)
    pieces = [(i - length + 1, j - length + 1, length) for i, j, length in reversed(back)]
    return Match((*pieces, *ahead)) if pieces or ahead else Match(((p, q, 0),))


# Words left out of the first and of the second before they agree again, the likeliest first.
_GAPS = sorted(
    ((a, b) for a in range(_REACH + 1) for b in range(_REACH + 1) if a or b), key=lambda g: (max(g), abs(g[0] - g[1]))
)


def _walk(words: array[int], i: int, j: int, i_stop: int, j_stop: int, d: int) -> list[tuple[int, int, int]]:
    """Equal runs met on the way from (i, j) in direction `d`, up to where the two agree best.

    A word that agrees counts one, a word changed, left out or put in takes one; `_SLACK` below the best it ends.
    """
    pieces: list[tuple[int, int, int]] = []
    score = best = 0
    kept = 0
    while True:
        length = _agree(words, i, j, i_stop, j_stop, d)
        if length:
            pieces.append((i, j, length))
            score += length
            i, j = i + d * length, j + d * length
            if score > best:
                best, kept = score, len(pieces)
        left, right = (i_stop - i) * d, (j_stop - j) * d
        for a, b in _GAPS:
            if (
                a + 1 < left
                and b + 1 < right
                and words[i + d * a] == words[j + d * b]
                and words[i + d * (a + 1)] == words[j + d * (b + 1)]
            ):
                i, j = i + d * a, j + d * b
                score -= max(a, b)
                break
        else:
            return pieces[:kept]
        if score <= best - _SLACK:
            return pieces[:kept]


def _agree(words: array[int], i: int, j: int, i_stop: int, j_stop: int, d: int) -> int:
    """How many words on end are equal."""
    most = min((i_stop - i) * d, (j_stop - j) * d)
    length = 0
    if d == 1:
        while length + 64 <= most and words[i + length : i + length + 64] == words[j + length : j + length + 64]:
            length += 64
    while length < most and words[i + d * length] == words[j + d * length]:
        length += 1
    return length
