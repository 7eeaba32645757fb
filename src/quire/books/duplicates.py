"""What stands twice on a shelf: whole works, chapters, passages, exactly or nearly so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from quire.books.book import BLOCK_GAP, Chapter, Place, Shelf
from quire.books.matching import ALIKE, SHORTEST, Match, Stream, find_matches, read_words
from quire.books.spans import word_places

Key = tuple[int, ...]


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


def find_duplicates(shelf: Shelf) -> tuple[Duplicate, ...]:
    """What stands twice, in reading order of the second: whole works, whole chapters, then passages."""
    stream = read_words(shelf)
    matches = find_matches(shelf, stream)
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
    begin, end = stream.block_at(start), stream.block_at(stop - 1)
    book, number, index = stream.blocks[begin]
    chapter = shelf.books[book].chapters[number]
    last = stream.blocks[end][2]
    _, from_, _ = word_places(chapter.blocks[index].text)[start - stream.block_starts[begin]]
    _, _, to = word_places(chapter.blocks[last].text)[stop - 1 - stream.block_starts[end]]
    starts = block_offsets(chapter)
    return Where(book, number, starts[index] + from_, starts[last] + to, chapter.blocks[index].place)


def block_offsets(chapter: Chapter) -> list[int]:
    """Where each block of a chapter starts in its text."""
    position = len(chapter.title) + len(BLOCK_GAP) if chapter.title else 0
    offsets = []
    for block in chapter.blocks:
        offsets.append(position)
        position += len(block.text) + len(BLOCK_GAP)
    return offsets


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


def _name(shelf: Shelf, where: Where) -> str:
    book = shelf.books[where.book]
    if where.chapter is None:
        return f"all of {book.title} ({book.path})"
    heading = " ".join(book.chapters[where.chapter].heading.split())
    chapter = f"“{heading}”, " if heading and heading != book.title else ""
    return f"{book.title}, {chapter}{where.place}"
