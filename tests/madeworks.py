"""Works with the columns of a corpus, and what stands in them."""

from __future__ import annotations

from collections.abc import Sequence

from quire.books.book import Block, Book, Chapter, Passage, Place, Split
from quire.books.foreign import whole_work


def book_of(number: int, paragraphs: Sequence[str], language: str = "en", year: str = "1850") -> Book:
    """A work of one chapter, with the columns of a corpus."""
    blocks = tuple(Block("paragraph", text, Place("corpus.jsonl", "line", number)) for text in paragraphs)
    licence = "public domain" if number % 2 else "CC0"
    columns = (("id", f"made:{number}"), ("year", year), ("licence", licence))
    chapters = (Chapter("A River", blocks),)
    return Book(f"w{number}.txt", f"Work {number}", chapters, f"Author {number}", language, columns=columns)


def pieces_of(books: Sequence[Book], splits: Sequence[Split]) -> list[tuple[Book, list[Passage]]]:
    return [(book, whole_work(book, n, split)) for n, (book, split) in enumerate(zip(books, splits, strict=True))]


def silence(_text: str) -> None:
    """Nobody waits."""
