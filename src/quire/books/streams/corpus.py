"""From a source that a recipe streams to its tables: files, folders, globs, or a data set on the hub."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from quire.books.book import Book, Shelf, Split, Unreadable
from quire.books.limits import Limits, ReadOptions
from quire.books.reading import files_of, options_of, split_by_names
from quire.books.rows import hub
from quire.books.rows.row import table_suffix
from quire.books.streams.lines import ENDLESS
from quire.books.streams.stream import (
    Held,
    Shard,
    StreamedPassage,
    StreamedWork,
    StreamPosition,
    Tally,
    stream_passages,
    stream_works,
)
from quire.errors import BookError
from quire.recipe.schema import ShelfItem

_BEGINNING = StreamPosition()
_SAMPLE_WORKS = 12
_SAMPLE_CHARACTERS = 20_000_000


@dataclass(frozen=True)
class Corpus:
    """A source that is streamed: its tables in order, how they are read, and what is held out.

    The same recipe gives the same works in the same order, so that a position can be kept and gone back to.  `source`
    is how a run records it, with the revision of a data set on the hub.
    """

    source: str
    shards: tuple[Shard, ...]
    options: ReadOptions
    held: Held
    unreadable: tuple[Unreadable, ...] = ()

    def works(
        self,
        start: StreamPosition = _BEGINNING,
        tally: Tally | None = None,
        limits: Limits | None = None,
        until: float = ENDLESS,
        stop: int | None = None,
    ) -> Iterator[StreamedWork]:
        """The works from a position on, up to table `stop`; what is dropped is counted in `tally`.  May raise
        BookError."""
        return stream_works(self.shards, self.options, self.held, start, tally, limits, until, stop)

    def passages(
        self,
        start: StreamPosition = _BEGINNING,
        tally: Tally | None = None,
        limits: Limits | None = None,
        until: float = ENDLESS,
    ) -> Iterator[StreamedPassage]:
        """Their chapters, each in one split.  May raise BookError."""
        return stream_passages(self.works(start, tally, limits, until))


@dataclass(frozen=True)
class Look:
    """The beginning of a stream: what was counted in the time that was given, and its first works as a shelf.

    `tables` are all that the source has; `splits` are works by where they go.
    """

    source: str
    tables: int
    sample: Shelf
    tally: Tally
    splits: dict[Split, int]
    seconds: float


def look(corpus: Corpus, seconds: float = 10.0) -> Look:
    """Read a stream for so long, or to its end where that comes first.  Raises BookError where nothing is in it.

    The time starts when the first table is there: what the hub has must be fetched first.
    """
    tally = Tally()
    splits: dict[Split, int] = {"train": 0, "validation": 0, "test": 0}
    sample: list[Book] = []
    size = 0
    corpus.shards[0].fetch()
    began = time.monotonic()
    for work in corpus.works(tally=tally, until=began + seconds):
        splits[work.split] += 1
        if len(sample) < _SAMPLE_WORKS and size < _SAMPLE_CHARACTERS:
            sample.append(work.book)
            size += len(work.book.text)
    unreadable = (*corpus.unreadable, *tally.unreadable)
    shelf = Shelf(tuple(sample), unreadable, (corpus.source,))
    return Look(corpus.source, len(corpus.shards), shelf, tally, splits, time.monotonic() - began)


def open_corpus(item: ShelfItem, seed: int = 7) -> Corpus:
    """The tables of an item.  Lists what a data set on the hub has, but fetches nothing yet.  Raises BookError."""
    held = Held(item.validation, item.test, seed)
    if item.hub is not None:
        dataset = hub.find_dataset(item.hub, item.split)
        shards = tuple(_hub_shard(dataset, file) for file in dataset.files)
        return Corpus(dataset.source, shards, options_of(item), held)
    unreadable: list[Unreadable] = []
    files = files_of(item, unreadable, strict=False)
    tables = [path for path, _ in files if table_suffix(path)]
    unreadable += [
        Unreadable(str(path), "no table, which a stream is made of", "wrong-kind")
        for path, _ in files
        if not table_suffix(path)
    ]
    if not tables:
        raise BookError(
            f"{item.name} holds no table to stream",
            "stream: true is for tables (.jsonl, .csv, .parquet); leave it out for books",
            code="wrong-kind",
        )
    splits = split_by_names(tables)
    shards = tuple(_file_shard(path, splits.get(path)) for path in tables)
    return Corpus(item.name, shards, options_of(item), held, tuple(unreadable))


def _file_shard(path: Path, split: Split | None) -> Shard:
    return Shard(str(path), lambda: path, split)


def _hub_shard(dataset: hub.Dataset, file: hub.HubFile) -> Shard:
    return Shard(f"hub:{dataset.name}/{file.path}", lambda: hub.fetch(dataset, file), dataset.split_of(file), file.size)
