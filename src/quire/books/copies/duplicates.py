"""What stands twice on a shelf: whole works, chapters, passages, exactly or nearly so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from quire.books.book import BLOCK_GAP, Chapter, Passage, Place, Shelf
from quire.books.copies.matching import ALIKE, Match, Stream, find_matches, read_words
from quire.books.copies.numbers import SHORTEST
from quire.books.copies.spans import word_places

Key = tuple[int, ...]
BlockKey = tuple[int, int, int]
"""Book, chapter and block, by their numbers."""


@dataclass(frozen=True, slots=True)
class Where:
    """A run of a chapter: `start` and `stop` are offsets into `Chapter.text`.  Without a `chapter`, the whole work."""

    book: int
    chapter: int | None
    start: int
    stop: int
    place: Place


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two places with the same words (`exact`: but for case and punctuation) or nearly the same.

    `words` counts those of the second; `similarity` is the share of the words of both that agree in order.
    """

    kind: Literal["exact", "near"]
    words: int
    first: Where
    second: Where
    similarity: float


@dataclass(frozen=True)
class Repeats:
    """What was found on a shelf, for whoever asks more than one thing of it."""

    shelf: Shelf
    stream: Stream
    matches: Sequence[Match]


def find_repeats(shelf: Shelf) -> Repeats:
    """All that stands twice, as runs of words; the other functions say what it comes to."""
    stream = read_words(shelf)
    return Repeats(shelf, stream, find_matches(shelf, stream))


def find_duplicates(shelf: Shelf) -> tuple[Duplicate, ...]:
    """What stands twice, in reading order of the second: whole works, whole chapters, then passages."""
    repeats = find_repeats(shelf)
    stream, matches = repeats.stream, repeats.matches
    works = _whole(stream, matches, 1)
    rest = [m for m in matches if not {_pair(stream, m.pieces[0], 1)} & works.keys()]
    chapters = _whole(stream, rest, 2)
    found = [_rollup(shelf, key, value) for key, value in (*works.items(), *chapters.items())]
    for match in rest:
        for keys, part in _cut(stream, match, 2):
            (a, b), (c, d) = part.first, part.second
            if keys not in chapters and min(b - a, d - c) >= SHORTEST:
                found.append(_duplicate(shelf, stream, part))
    return tuple(sorted(found, key=lambda dup: (dup.second.book, dup.second.chapter or 0, dup.second.start)))


def _pair(stream: Stream, piece: tuple[int, int, int], depth: int) -> tuple[Key, Key]:
    """The works (depth 1) or chapters (depth 2) in which a piece lies."""
    return stream.blocks[stream.block_at(piece[0])][:depth], stream.blocks[stream.block_at(piece[1])][:depth]


def _cut(stream: Stream, match: Match, depth: int) -> list[tuple[tuple[Key, Key], Match]]:
    """A match cut where either of its runs goes into another chapter."""
    parts: dict[tuple[Key, Key], list[tuple[int, int, int]]] = {}
    for i, j, length in match.pieces:
        done = 0
        while done < length:
            first, second = stream.block_at(i + done), stream.block_at(j + done)
            step = min(length - done, stream.block_end(first) - i - done, stream.block_end(second) - j - done)
            keys = stream.blocks[first][:depth], stream.blocks[second][:depth]
            parts.setdefault(keys, []).append((i + done, j + done, step))
            done += step
    return [(keys, Match(tuple(pieces))) for keys, pieces in parts.items()]


def _whole(stream: Stream, matches: Sequence[Match], depth: int) -> dict[tuple[Key, Key], float]:
    """The pairs of works or chapters of which most agrees, and how much."""
    sizes: dict[Key, int] = {}
    for number, block in enumerate(stream.blocks):
        sizes[block[:depth]] = sizes.get(block[:depth], 0) + stream.block_end(number) - stream.block_starts[number]
    equal: dict[tuple[Key, Key], int] = {}
    for match in matches:
        for keys, part in _cut(stream, match, depth):
            if keys[0] != keys[1]:
                equal[keys] = equal.get(keys, 0) + part.equal
    return {
        (a, b): 2 * count / (sizes[a] + sizes[b])
        for (a, b), count in equal.items()
        if count >= ALIKE * max(sizes[a], sizes[b])
    }


def _rollup(shelf: Shelf, keys: tuple[Key, Key], similarity: float) -> Duplicate:
    first, second = (_where_whole(shelf, key) for key in keys)
    book = shelf.books[keys[1][0]]
    words = book.words if len(keys[1]) == 1 else book.chapters[keys[1][1]].words
    return Duplicate("exact" if similarity >= 1 else "near", words, first, second, min(1.0, similarity))


def _where_whole(shelf: Shelf, key: Key) -> Where:
    book = shelf.books[key[0]]
    place = next(block.place for chapter in book.chapters[key[1] if len(key) > 1 else 0 :] for block in chapter.blocks)
    if len(key) == 1:
        return Where(key[0], None, 0, 0, place)
    return Where(key[0], key[1], 0, len(book.chapters[key[1]].text), place)


def _duplicate(shelf: Shelf, stream: Stream, match: Match) -> Duplicate:
    similarity = match.similarity
    words = match.second[1] - match.second[0]
    first, second = (_where(shelf, stream, *span) for span in (match.first, match.second))
    return Duplicate("exact" if similarity >= 1 else "near", words, first, second, similarity)


def _where(shelf: Shelf, stream: Stream, start: int, stop: int) -> Where:
    """The place of a run of words; of one that goes on over chapters, up to the end of the first."""
    begin, end = stream.block_at(start), stream.block_at(stop - 1)
    book, number, index = stream.blocks[begin]
    chapter = shelf.books[book].chapters[number]
    starts = block_offsets(chapter)
    _, from_, _ = word_places(chapter.blocks[index].text)[start - stream.block_starts[begin]]
    to = len(chapter.text)
    if stream.blocks[end][:2] == (book, number):
        last = stream.blocks[end][2]
        to = starts[last] + word_places(chapter.blocks[last].text)[stop - 1 - stream.block_starts[end]][2]
    return Where(book, number, starts[index] + from_, to, chapter.blocks[index].place)


def block_offsets(chapter: Chapter) -> list[int]:
    """Where each block of a chapter starts in its text."""
    position = len(chapter.title) + len(BLOCK_GAP) if chapter.title else 0
    offsets = []
    for block in chapter.blocks:
        offsets.append(position)
        position += len(block.text) + len(BLOCK_GAP)
    return offsets


def find_copies(repeats: Repeats) -> dict[BlockKey, BlockKey]:
    """The blocks that repeat an earlier one, most of it, and which; also those of works that stand twice."""
    stream = repeats.stream
    agreeing: dict[int, dict[int, int]] = {}
    for match in repeats.matches:
        for i, j, length in match.pieces:
            done = 0
            while done < length:
                first, second = stream.block_at(i + done), stream.block_at(j + done)
                step = min(length - done, stream.block_end(first) - i - done, stream.block_end(second) - j - done)
                if first != second:
                    of = agreeing.setdefault(second, {})
                    of[first] = of.get(first, 0) + step
                done += step
    copies: dict[BlockKey, BlockKey] = {}
    for number, firsts in agreeing.items():
        first = max(firsts, key=lambda one: (firsts[one], -one))
        smaller = min(stream.block_end(at) - stream.block_starts[at] for at in (first, number))
        if firsts[first] >= ALIKE * smaller:
            copies[stream.blocks[number]] = stream.blocks[first]
    return dict(sorted(copies.items()))


@dataclass(frozen=True, slots=True)
class Leak:
    """Words that stand in training text and again in held-out text, one place of them."""

    words: int
    trained: Where
    held_out: Where


def find_leaks(repeats: Repeats, passages: Sequence[Passage]) -> tuple[Leak, ...]:
    """What stands on both sides of a cut, the longest first.  Nothing of it is moved."""
    shelf, stream = repeats.shelf, repeats.stream
    cuts: dict[tuple[int, int], list[Passage]] = {}
    for passage in passages:
        cuts.setdefault((passage.book, passage.chapter), []).append(passage)
    offsets: dict[tuple[int, int], list[int]] = {}

    def trained(word: int) -> bool:
        book, chapter, index = stream.blocks[stream.block_at(word)]
        if (book, chapter) not in offsets:
            offsets[book, chapter] = block_offsets(shelf.books[book].chapters[chapter])
        at = offsets[book, chapter][index]
        return any(p.split == "train" for p in cuts.get((book, chapter), ()) if p.start <= at < p.stop)

    leaks = []
    for match in repeats.matches:
        sides: dict[bool, list[tuple[int, int, int]]] = {}
        for _, part in _cut(stream, match, 3):
            sides_of = trained(part.first[0]), trained(part.second[0])
            if sides_of[0] != sides_of[1]:
                sides.setdefault(sides_of[0], []).extend(part.pieces)
        for first_trained, pieces in sides.items():
            crossing = Match(tuple(pieces))
            if crossing.equal >= SHORTEST:
                first, second = (_where(shelf, stream, *span) for span in (crossing.first, crossing.second))
                leaks.append(Leak(crossing.equal, *((first, second) if first_trained else (second, first))))
    return tuple(sorted(leaks, key=lambda leak: -leak.words))


def text_at(shelf: Shelf, where: Where) -> str:
    """The text of a place; of a whole work all of it."""
    book = shelf.books[where.book]
    return book.text if where.chapter is None else book.chapters[where.chapter].text[where.start : where.stop]


def describe(shelf: Shelf, duplicate: Duplicate) -> str:
    """One line for a reader: how much stands twice, where, and how it begins."""
    first, second = (_name(shelf, where) for where in (duplicate.first, duplicate.second))
    how = "the same" if duplicate.kind == "exact" else f"{duplicate.similarity:.0%} the same"
    begins = " ".join(text_at(shelf, duplicate.second)[:200].split())
    return f"{duplicate.words} words, {how}: {second} repeats {first} (“{begins[:60].rstrip()}…”)"


def describe_leak(shelf: Shelf, leak: Leak) -> str:
    """One line: how much stands on both sides, and where."""
    return f"{leak.words} words of {_name(shelf, leak.held_out)}, held out, stand in {_name(shelf, leak.trained)} too"


def _name(shelf: Shelf, where: Where) -> str:
    book = shelf.books[where.book]
    if where.chapter is None:
        return f"all of {book.title} ({book.path})"
    heading = " ".join(book.chapters[where.chapter].heading.split())
    chapter = f"“{heading}”, " if heading and heading != book.title else ""
    return f"{book.title}, {chapter}{where.place}"
