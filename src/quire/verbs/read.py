"""`quire read`: what was read, what was dropped and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quire.books.book import Book, Dropped, Shelf
from quire.books.reading import read_shelf
from quire.errors import BookError
from quire.recipe.schema import ShelfItem

_EXAMPLE_CHARS = 120


def read(
    *sources: str | Path,
    strict: bool = False,
    where: Mapping[str, str | Sequence[str]] | None = None,
    text: str | None = None,
) -> Shelf:
    """Read books: files, folders, globs, or `sample:NAME`.

    `where` keeps the rows of a JSONL file whose columns have these values; `text` names its column of text.  With
    `strict` a bad file in a folder raises instead of being listed in `Shelf.unreadable`.  Raises BookError.
    """
    if not sources:
        raise BookError("nothing to read was named", then="quire read novel.epub")
    filters = {column: [value] if isinstance(value, str) else list(value) for column, value in (where or {}).items()}
    items = [_item(str(source), filters, text) for source in sources]
    return read_shelf(items, strict=strict)


def _item(source: str, where: Mapping[str, list[str]], text: str | None) -> ShelfItem:
    if source.startswith("sample:"):
        return ShelfItem(sample=source.removeprefix("sample:"), where=dict(where), text=text)
    return ShelfItem(path=source, where=dict(where), text=text)


def describe(shelf: Shelf) -> dict[str, Any]:
    """What `quire read --json` prints.  `unreadable` is there only when a file could not be read."""
    facts: dict[str, Any] = {"books": [_describe_book(book) for book in shelf]}
    if shelf.unreadable:
        facts["unreadable"] = [{"path": bad.path, "reason": bad.reason} for bad in shelf.unreadable]
    return facts


def _describe_book(book: Book) -> dict[str, Any]:
    return {
        "path": book.path,
        "title": book.title,
        "author": book.author,
        "language": book.language,
        "words": book.words,
        "chapters": [
            {"title": " ".join(chapter.heading.split()) or None, "words": chapter.words} for chapter in book.chapters
        ],
        "dropped": describe_dropped(book.dropped),
        "warnings": list(book.warnings),
    }


def describe_dropped(dropped: Sequence[Dropped]) -> list[dict[str, Any]]:
    """One entry a reason, the most frequent first, with the first text as example."""
    by_reason: dict[str, list[Dropped]] = {}
    for drop in dropped:
        by_reason.setdefault(drop.reason, []).append(drop)
    return [
        {"reason": reason, "count": len(drops), "example": _shorten(drops[0].text)}
        for reason, drops in sorted(by_reason.items(), key=lambda pair: -len(pair[1]))
    ]


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _EXAMPLE_CHARS else line[: _EXAMPLE_CHARS - 1].rstrip() + "…"
