"""Books as plain JSON values: the form in which they leave the process that read them."""

from __future__ import annotations

from typing import Any

from quire.books.book import Block, Book, Chapter, Dropped, Place

Json = dict[str, Any]


def pack_book(book: Book) -> Json:
    """A book as JSON values; `unpack_book` undoes it exactly."""
    return {
        "path": book.path,
        "title": book.title,
        "author": book.author,
        "language": book.language,
        "kind": book.kind,
        "split": book.split,
        "chapters": [
            [chapter.title, chapter.matter, [_pack_block(block) for block in chapter.blocks]]
            for chapter in book.chapters
        ],
        "dropped": [[drop.reason, drop.text, _pack_place(drop.place)] for drop in book.dropped],
        "notes": [_pack_block(note) for note in book.notes],
        "warnings": list(book.warnings),
        "columns": [list(column) for column in book.columns],
    }


def unpack_book(data: Json) -> Book:
    """The book that `pack_book` packed.  Raises KeyError, TypeError or ValueError on anything else."""
    return Book(
        path=data["path"],
        title=data["title"],
        author=data["author"],
        language=data["language"],
        kind=data["kind"],
        split=data["split"],
        chapters=tuple(
            Chapter(title, tuple(_unpack_block(block) for block in blocks), matter)
            for title, matter, blocks in data["chapters"]
        ),
        dropped=tuple(Dropped(reason, text, _unpack_place(place)) for reason, text, place in data["dropped"]),
        notes=tuple(_unpack_block(note) for note in data["notes"]),
        warnings=tuple(data["warnings"]),
        columns=tuple((name, value) for name, value in data["columns"]),
    )


def _pack_place(place: Place) -> list[str | int]:
    return [place.source, place.unit, place.number, place.inside]


def _unpack_place(data: list[Any]) -> Place:
    source, unit, number, inside = data
    return Place(source, unit, number, inside)


def _pack_block(block: Block) -> list[Any]:
    return [block.kind, block.text, _pack_place(block.place), block.speaker]


def _unpack_block(data: list[Any]) -> Block:
    kind, text, place, speaker = data
    return Block(kind, text, _unpack_place(place), speaker)
