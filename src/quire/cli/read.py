"""`quire read`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quire.books.book import Book, Chapter, Dropped, Shelf
from quire.cli import screen
from quire.cli.failing import usage_error
from quire.cli.flags import AsJson, help_of
from quire.errors import BookError
from quire.recipe.schema import ShelfItem
from quire.verbs.read import describe, describe_dropped
from quire.verbs.read import read as read_sources

EXAMPLES = (
    "quire read novel.epub",
    "quire read --text novel.pdf > novel.txt",
    "quire read poems.jsonl --where age=Renaissance --where type=Love",
)

SHOWN_CHAPTERS = 200
EDGE = 44  # characters of a chapter's first and last words


def read(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders, globs, or sample:NAME.")],
    as_json: AsJson = False,
    as_text: Annotated[bool, typer.Option("--text", help="Print the clean text alone.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first file that cannot be read.")] = False,
    where: Annotated[list[str], typer.Option("--where", metavar="COLUMN=VALUE", help=help_of(ShelfItem, "where"))] = [],
    text_column: Annotated[
        str | None, typer.Option("--text-column", metavar="NAME", help=help_of(ShelfItem, "text"))
    ] = None,
) -> None:
    """The text that training would see: paragraphs and verse lines as they are, without running heads and licences."""
    if as_json and as_text:
        usage_error("--json and --text exclude each other")
    filters = parse_where(where)
    shelf = read_sources(*paths, strict=strict, where=filters, text=text_column)
    if as_json:
        screen.print_json(describe(shelf))
    elif as_text:
        print(shelf.text)
    else:
        _show(shelf)
    for file in shelf.unreadable:
        screen.progress().print(f"[yellow]not read[/yellow] {escape(file.path)}: {escape(file.reason)}")


def parse_where(pairs: Sequence[str]) -> dict[str, list[str]]:
    """`["age=Renaissance", "age=Modern"]` → `{"age": ["Renaissance", "Modern"]}`.  May raise BookError."""
    filters: dict[str, list[str]] = {}
    for pair in pairs:
        column, equals, value = pair.partition("=")
        if not equals or not column.strip():
            raise BookError(f"--where {pair}: a column and a value are needed", "--where age=Renaissance")
        filters.setdefault(column.strip(), []).append(value)
    return filters


def _show(shelf: Shelf) -> None:
    console = screen.results()
    if len(shelf) > 1 and all(len(book.chapters) <= 1 for book in shelf):
        _show_works(shelf, console)
    else:
        for book in shelf:
            _show_book(book, console)
    if len(shelf) != 1:
        console.print(f"{len(shelf)} works, {shelf.words:,} words")


def _show_book(book: Book, console: Console) -> None:
    by = f" by {escape(book.author)}" if book.author else ""
    console.print(f"[bold]{escape(book.title)}[/bold]{by}")
    console.print(
        f"{escape(book.path)}: {_count(len(book.chapters), 'chapter')}, {book.words:,} words, {book.language or '?'}"
    )
    table = screen.plain_table("chapter", "words", "begins", "ends", numbers=("words",))
    for chapter in book.chapters[:SHOWN_CHAPTERS]:
        first, last = edges(chapter)
        table.add_row(escape(chapter.title or "(no title)"), f"{chapter.words:,}", escape(first), escape(last))
    console.print(table)
    if len(book.chapters) > SHOWN_CHAPTERS:
        console.print(f"and {len(book.chapters) - SHOWN_CHAPTERS} chapters more (--json lists them all)")
    _show_dropped(book.dropped, console)
    for warning in book.warnings:
        console.print(f"[yellow]![/yellow] {escape(warning)}")
    console.print()


def _show_works(shelf: Shelf, console: Console) -> None:
    """Works of one chapter, such as poems: one line for each."""
    table = screen.plain_table("title", "author", "words", "begins", numbers=("words",))
    for book in shelf.books[:SHOWN_CHAPTERS]:
        first = edges(book.chapters[0])[0] if book.chapters else ""
        table.add_row(escape(book.title), escape(book.author), f"{book.words:,}", escape(first))
    console.print(table)
    if len(shelf) > SHOWN_CHAPTERS:
        console.print(f"and {len(shelf) - SHOWN_CHAPTERS} works more (--json lists them all)")
    _show_dropped([item for book in shelf for item in book.dropped], console)
    for warning in dict.fromkeys(warning for book in shelf for warning in book.warnings):
        console.print(f"[yellow]![/yellow] {escape(warning)}")


def _show_dropped(dropped: Sequence[Dropped], console: Console) -> None:
    if not dropped:
        console.print("nothing was dropped")
        return
    table = screen.plain_table("dropped", "times", "for example", numbers=("times",))
    for fact in describe_dropped(dropped):
        table.add_row(escape(fact["reason"]), f"{fact['count']:,}", escape(_shorten(fact["example"])))
    console.print(table)


def edges(chapter: Chapter) -> tuple[str, str]:
    """The first and the last words of a chapter, without its heading."""
    if not chapter.blocks:
        return "", ""
    first, last = (" ".join(chapter.blocks[index].text.split()) for index in (0, -1))
    return _shorten(first), last if len(last) <= EDGE else "…" + last[-EDGE:].partition(" ")[2]


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EDGE else line[:EDGE].rpartition(" ")[0] + "…"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
