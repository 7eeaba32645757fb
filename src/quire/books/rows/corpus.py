"""From a source that a recipe streams to its tables: files, folders, globs, or a data set on the hub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from quire.books.book import Unreadable
from quire.books.limits import Limits, ReadOptions
from quire.books.reading import files_of, options_of, split_by_names
from quire.books.rows import hub
from quire.books.rows.row import table_suffix
from quire.books.rows.stream import Held, Shard, StreamedPassage, StreamedWork, StreamPosition, Tally
from quire.books.rows.stream import stream_passages as _passages
from quire.books.rows.stream import stream_works as _works
from quire.errors import BookError
from quire.recipe.schema import ShelfItem

_BEGINNING = StreamPosition()


@dataclass(frozen=True)
class Corpus:
    """A source that is streamed: its tables in order, how they are read, and what is held out.

    The same recipe gives the same works in the same order, so that a position can be kept and gone back to.
    """

    shards: tuple[Shard, ...]
    options: ReadOptions
    held: Held
    unreadable: tuple[Unreadable, ...] = ()

    def works(
        self, start: StreamPosition = _BEGINNING, tally: Tally | None = None, limits: Limits | None = None
    ) -> Iterator[StreamedWork]:
        """The works from a position on; what is dropped is counted in `tally`.  May raise BookError."""
        return _works(self.shards, self.options, self.held, start, tally, limits)

    def passages(
        self, start: StreamPosition = _BEGINNING, tally: Tally | None = None, limits: Limits | None = None
    ) -> Iterator[StreamedPassage]:
        """Their chapters, each in one split.  May raise BookError."""
        return _passages(self.shards, self.options, self.held, start, tally, limits)


def open_corpus(item: ShelfItem, seed: int = 7) -> Corpus:
    """The tables of an item.  Lists what a data set on the hub has, but fetches nothing yet.  Raises BookError."""
    held = Held(item.validation, item.test, seed)
    if item.hub is not None:
        return Corpus(_hub_shards(item.hub, item.split), options_of(item), held)
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
    shards = tuple(Shard(str(path), lambda path=path: path, splits.get(path)) for path in tables)  # type: ignore[misc]
    return Corpus(shards, options_of(item), held, tuple(unreadable))


def _hub_shards(name: str, split: str | None) -> tuple[Shard, ...]:
    dataset = hub.find_dataset(name, split)

    def shard(file: hub.HubFile) -> Shard:
        def fetch() -> Path:
            return hub.fetch(dataset, file)

        return Shard(f"hub:{dataset.name}/{file.path}", fetch, dataset.split_of(file))

    return tuple(map(shard, dataset.files))
