"""What is held out of a stream and kept: a bounded number of its works, for validation, for judging and for prompts.

The rest of what is held out is not learned either.  What is kept comes from the beginning of the stream, so that it is
known before anything is learned from any stream, and can be kept out of all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from quire.books.book import SAID, Block, Book, Split
from quire.books.copies.held_out import RunIndex, texts_of, word_numbers
from quire.books.limits import Limits
from quire.books.streams.corpus import Corpus
from quire.books.streams.lines import ENDLESS
from quire.books.walls.wire import Unpacker, pack_book

WORK_WORDS = 4_000
SPLIT_WORDS = 16_000
_MOST_WORKS = 200_000
_MOST_CHARACTERS = 400_000_000
_FILE = "works.jsonl"


@dataclass(frozen=True, slots=True)
class Kept:
    """A held-out work, or its beginning; `row` is its place in the stream: the table's number, the row's."""

    book: Book
    split: Split
    whole: bool
    row: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sample:
    """The works that are kept, in the order of the stream."""

    works: tuple[Kept, ...]

    @property
    def texts(self) -> Iterator[str]:
        """Their text, of a work at a time."""
        return ("\n".join(texts_of(kept.book)) for kept in self.works)


def take_sample(
    corpus: Corpus, trained: RunIndex, tell: Callable[[], None] = lambda: None, until: float = ENDLESS
) -> Sample:
    """Read a stream until enough of it is held out.  Works that share text with what is `trained` are passed over.

    `tell` is called for every work that is read; `until`, in seconds of time.monotonic, ends it early.  May raise
    BookError.
    """
    wanted = {"validation": corpus.held.validation > 0, "test": corpus.held.test > 0}
    for shard in corpus.shards:
        if shard.split in wanted:
            wanted[shard.split] = True
    words = {"validation": 0, "test": 0}
    kept: list[Kept] = []
    characters = 0
    with closing(corpus.works(until=until)) as works:  # type: ignore[type-var]
        for work in islice(works, _MOST_WORKS):
            tell()
            characters += sum(len(block.text) for chapter in work.book.chapters for block in chapter.blocks)
            if work.split in words and words[work.split] < SPLIT_WORDS:
                book, whole = _shortened(work.book)
                if not trained.find(word_numbers("\n".join(texts_of(book)))):
                    kept.append(Kept(book, work.split, whole, (work.after.shard, work.after.rows)))
                    words[work.split] += book.words
            full = all(words[split] >= SPLIT_WORDS for split, needed in wanted.items() if needed)
            if full or characters > _MOST_CHARACTERS:
                break
    return Sample(tuple(kept))


def _shortened(book: Book) -> tuple[Book, bool]:
    """The beginning of a work, so many words of it, and whether that is all; a conversation is never cut."""
    if book.kind in SAID or book.words <= WORK_WORDS:
        return replace(book, dropped=(), columns=()), True
    left = WORK_WORDS
    chapters = []
    for chapter in book.chapters:
        blocks: list[Block] = []
        for block in chapter.blocks:
            count = len(block.text.split())
            if count > left:
                ends = [match.end() for match in islice(re.finditer(r"\S+", block.text), left)]
                if ends:
                    blocks.append(replace(block, text=block.text[: ends[-1]]))
            else:
                blocks.append(block)
            left -= min(left, count)
            if not left:
                break
        if blocks:
            chapters.append(replace(chapter, blocks=tuple(blocks)))
        if not left:
            break
    return replace(book, chapters=tuple(chapters), dropped=(), columns=()), False


def save_sample(sample: Sample, folder: Path) -> None:
    """Write the works into a folder that is there."""
    with (folder / _FILE).open("wb") as file:
        for kept in sample.works:
            file.write(json.dumps(["kept", kept.split, kept.whole, *kept.row]).encode() + b"\n")
            file.writelines(pack_book(kept.book))


def load_sample(folder: Path) -> Sample:
    """What `save_sample` wrote.  Raises OSError or ValueError where it is not that."""
    unpacker = Unpacker(Limits())
    heads: list[tuple[Split, bool, tuple[int, int]]] = []
    with (folder / _FILE).open("rb") as file:
        for line in file:
            if line.startswith(b'["kept"'):
                _, split, whole, shard, row = json.loads(line)
                heads.append((split, whole, (shard, row)))
            else:
                unpacker.take(line)
    return Sample(tuple(Kept(book, *head) for book, head in zip(unpacker.books, heads, strict=True)))
