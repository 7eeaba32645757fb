"""What a base has learned from and what was held out: works and bytes by language, period, source and licence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from benchmarks.base.task import Task, tell
from benchmarks.base.texts import Work
from quire.books.book import SAID

COLLECTIONS = "collections"
SPLITS = ("train", "validation", "test")
YEARS = 50


def measure(task: Task) -> dict[str, Any]:
    """`periods`, `languages`, `sources` and `licences`: each row has works and bytes by split."""
    texts = task.texts()
    books = [work for work in texts.works if work.kind not in SAID]
    said = [work for work in texts.works if work.kind in SAID]
    found: dict[str, Any] = {
        "of": texts.origin,
        "languages": counted(books, lambda work: (work.language,), ("language",)),
        "periods": counted(books, lambda work: (work.language, period(work)), ("language", "period")),
        "sources": counted(books, lambda work: (work.source, work.language), ("source", "language")),
        "licences": counted(books, lambda work: (work.licence,), ("licence",)),
        "conversations": counted(said, lambda work: (work.language,), ("language",)),
        "held_out": [
            {"id": work.id, "name": work.name, "split": work.split} for work in texts.of("validation", "test")
        ],
    }
    for row in found["languages"]:
        tell(f"  {row['language']}: {', '.join(f'{row[split][0]} works {split}' for split in SPLITS if split in row)}")
    return found


def period(work: Work) -> str:
    """The fifty years in which a work came out."""
    if work.year is None:
        return COLLECTIONS
    first = work.year // YEARS * YEARS
    return f"{first}–{first + YEARS - 1}"


def counted(
    works: Sequence[Work], key: Callable[[Work], tuple[Hashable, ...]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each key, in its order: under each split its works and bytes.

    A work of which parts are in several splits counts in each.
    """
    sums: dict[tuple[Hashable, ...], dict[str, list[int]]] = defaultdict(dict)
    for work in works:
        held = sums[key(work)].setdefault(work.split, [0, 0])
        held[0] += 1
        held[1] += work.bytes
    return [{**dict(zip(names, own, strict=True)), **sums[own]} for own in sorted(sums, key=str)]
