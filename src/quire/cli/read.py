"""`quire read`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quire.books.book import SAID, Book, Chapter, Dropped, Shelf
from quire.books.copies.duplicates import describe as describe_duplicate
from quire.books.copies.duplicates import find_duplicates
from quire.books.proof import proof_of
from quire.books.reading import read_shelf
from quire.books.streams.corpus import Look, open_corpus
from quire.books.visible import show_unseen
from quire.cli import screen
from quire.cli.failing import usage_error
from quire.cli.flags import AsJson, help_of
from quire.errors import BookError
from quire.recipe.schema import Format, KeptMatter, ShelfItem
from quire.run.atomic import write_text
from quire.verbs.read import (
    clean_text,
    describe,
    describe_dropped,
    describe_look,
    items_of,
    look_at,
    refuse_unreadable,
    turns_in,
)

EXAMPLES = (
    "quire read novel.epub",
    "quire read --html novel.pdf > novel.html",
    "quire read --text novel.pdf > novel.txt",
    "quire read poems.jsonl --where age=Renaissance --where type=Love",
    "quire read --stream hub:owner/name",
)

SHOWN_CHAPTERS = 200
SHOWN_DUPLICATES = 20
EDGE = 44  # characters of a chapter's first and last words


def read(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Files, folders, globs, recipes, sample:NAME, or hub:OWNER/NAME."),
    ],
    as_json: AsJson = False,
    as_text: Annotated[bool, typer.Option("--text", help="Print the clean text alone.")] = False,
    as_html: Annotated[
        bool, typer.Option("--html", help="Print a page that shows what was kept and what was dropped side by side.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there, not to stdout.")] = None,
    matter: Annotated[
        KeptMatter | None,
        typer.Option("--matter", metavar="WHAT", help=help_of(ShelfItem, "matter"), show_default=False),
    ] = None,
    format: Annotated[
        Format | None, typer.Option("--format", metavar="FORMAT", help=help_of(ShelfItem, "format"))
    ] = None,
    ocr: Annotated[bool, typer.Option("--ocr", help=help_of(ShelfItem, "ocr"))] = False,
    where: Annotated[list[str], typer.Option("--where", metavar="COLUMN=VALUE", help=help_of(ShelfItem, "where"))] = [],
    text_column: Annotated[
        str | None, typer.Option("--text-column", metavar="NAME", help=help_of(ShelfItem, "text"))
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Look into tables of any size row by row: the first works, and counts.")
    ] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="How long to look into a stream.")] = 10.0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 2 when any file among others could not be read.")
    ] = False,
) -> None:
    """The text that training would see: paragraphs and verse lines as they are, without running heads and licences."""
    if as_json + as_text + as_html > 1:
        usage_error("--json, --text and --html exclude each other")
    if out is not None and not (as_json or as_text or as_html):
        usage_error("--out needs --json, --text or --html: it says where that goes")
    items = items_of(
        *paths,
        where=parse_where(where),
        text=text_column,
        format=format,
        matter=matter,
        ocr=ocr,
        stream=stream,
    )
    if as_text and any(item.stream for item in items):
        if out is not None:
            usage_error("the text of a stream goes to stdout: quire read --stream --text corpus.jsonl > corpus.txt")
        _pour(items)
        return
    looks = [look_at(item, seconds) for item in items if item.stream]
    rest = [item for item in items if not item.stream]
    shelf = read_shelf(rest, forgiving=len(paths) > 1) if rest else Shelf(())
    every = _together([shelf, *(look.sample for look in looks)])
    if as_json:
        facts = describe(shelf) | ({"streams": [describe_look(look) for look in looks]} if looks else {})
        _hand_over(screen.as_json(facts), out)
    elif as_text:
        _hand_over("\n\n".join(map(clean_text, shelf)), out)
    elif as_html:
        _hand_over(proof_of(every), out or _page_name(every))
    else:
        if rest:
            _show(shelf)
        for look in looks:
            _show_look(look)
    for file in every.unreadable:
        screen.progress().print(f"[yellow]not read[/yellow] {_safe(file.path)}: {_safe(file.reason)}")
    if strict:
        refuse_unreadable(every)


def _together(shelves: Sequence[Shelf]) -> Shelf:
    """All works of some shelves, and all that could not be read."""
    return Shelf(
        tuple(book for shelf in shelves for book in shelf),
        tuple(file for shelf in shelves for file in shelf.unreadable),
    )


def _pour(items: Sequence[ShelfItem]) -> None:
    """The text of all works to stdout, one after the other, so that no corpus is too large for it."""
    gap = ""
    for item in items:
        works = (work.book for work in open_corpus(item).works()) if item.stream else iter(read_shelf([item]))
        for book in works:
            sys.stdout.write(gap + clean_text(book))
            gap = "\n\n"
    sys.stdout.write("\n")


def _page_name(shelf: Shelf) -> Path | None:
    """Where a page goes that nobody sent elsewhere: into a file, since a terminal shows no pages."""
    if not sys.stdout.isatty():
        return None
    return Path(f"{Path(shelf.books[0].path).stem if len(shelf) == 1 else 'books'}.read.html")


def _hand_over(text: str, out: Path | None) -> None:
    """To the file that was named, otherwise to stdout."""
    if out is None:
        print(text)
        return
    try:
        write_text(out, text + "\n")
    except OSError as error:
        raise BookError(f"{out} cannot be written ({error.strerror})", "name another file with --out") from None
    screen.progress().print(f"written to {escape(str(out))}")


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
    for books in _in_groups(shelf):
        if len(books) > 1:
            _show_works(books, console)
        else:
            _show_book(books[0], console)
    _show_duplicates(shelf, console)
    if len(shelf) != 1:
        console.print(f"{len(shelf)} works, {shelf.words:,} words")


def _in_groups(shelf: Shelf) -> list[list[Book]]:
    """The works in order; those of one chapter that stand side by side in one file, such as poems, go together.

    So do all of them where no work on the shelf has more than one.
    """
    short = all(len(book.chapters) <= 1 for book in shelf)
    groups: list[list[Book]] = []
    for book in shelf:
        last = groups[-1][-1] if groups else None
        beside = last is not None and last.path == book.path and max(len(last.chapters), len(book.chapters)) <= 1
        if last is not None and (short or beside):
            groups[-1].append(book)
        else:
            groups.append([book])
    return groups


def _show_book(book: Book, console: Console) -> None:
    by = f" by {_safe(book.author)}" if book.author else ""
    console.print(f"[bold]{_safe(book.title)}[/bold]{by}")
    facts = [_count(len(book.chapters), "chapter"), f"{book.words:,} words", book.language or "language unknown"]
    if book.notes:
        facts.append(f"{_count(len(book.notes), 'note')} kept aside")
    facts += _said([book], [turns] if (turns := turns_in(book)) else [])
    if book.kind == "plays":
        speakers = [block.speaker for chapter in book.chapters for block in chapter.blocks if block.kind == "speech"]
        facts.append(f"{_count(len(speakers), 'speech', 'speeches')} by {_count(len(set(speakers)), 'speaker')}")
    console.print(f"{_safe(book.path)}: {', '.join(facts)}")
    table = screen.plain_table("chapter", "words", "begins", "ends", numbers=("words",))
    for chapter in book.chapters[:SHOWN_CHAPTERS]:
        first, last = edges(chapter)
        aside = "" if chapter.matter == "body" else f" [dim]({chapter.matter} matter)[/dim]"
        table.add_row(f"{_safe(chapter.title or '(no title)')}{aside}", f"{chapter.words:,}", _safe(first), _safe(last))
    console.print(table)
    if len(book.chapters) > SHOWN_CHAPTERS:
        console.print(f"and {len(book.chapters) - SHOWN_CHAPTERS} chapters more (--json lists them all)")
    _show_dropped(book.dropped, console)
    for warning in book.warnings:
        console.print(f"[yellow]![/yellow] {_safe(warning)}")
    console.print()


def _show_works(books: Sequence[Book], console: Console) -> None:
    """Works of one chapter, such as poems: one line for each."""
    said = [turns for book in books if (turns := turns_in(book))]
    if len({book.path for book in books}) == 1:
        facts = [f"{len(books)} works", *_said(books, said), f"{sum(book.words for book in books):,} words"]
        console.print(f"{_safe(books[0].path)}: {', '.join(facts)}")
    _show_first(books[:SHOWN_CHAPTERS], console)
    if len(books) > SHOWN_CHAPTERS:
        console.print(f"and {len(books) - SHOWN_CHAPTERS} works more (--json lists them all)")
    _show_dropped([item for book in books for item in book.dropped], console)
    for warning in dict.fromkeys(warning for book in books for warning in book.warnings):
        console.print(f"[yellow]![/yellow] {_safe(warning)}")
    console.print()


def _said(books: Sequence[Book], said: Sequence[Mapping[str, int]]) -> list[str]:
    """How many of the works are conversations or completions, and what is learned of them."""
    if not said:
        return []
    kinds = [
        _count(number, kind.removesuffix("s")) for kind in SAID if (number := sum(book.kind == kind for book in books))
    ]
    answers = sum(turns["character"] for turns in said)
    return [f"{' and '.join(kinds)} with {_count(answers, 'answer')} to learn"]


def _show_first(books: Sequence[Book], console: Console) -> None:
    table = screen.plain_table("title", "author", "words", "begins", numbers=("words",))
    for book in books:
        first = edges(book.chapters[0])[0] if book.chapters else ""
        table.add_row(_safe(book.title), _safe(book.author), f"{book.words:,}", _safe(first))
    console.print(table)


def _show_look(look: Look) -> None:
    """The beginning of a stream: its first works, then what was counted."""
    console = screen.results()
    tally = look.tally
    console.print(f"[bold]{_safe(look.source)}[/bold]: {_count(look.tables, 'table')}, which begin with these works")
    _show_first(look.sample.books, console)
    facts = [_count(tally.works, "work"), f"{tally.words:,} words"]
    if tally.left:
        facts.append(f"{tally.left:,} rows left out by where")
    facts += [f"{count:,} for {split}" for split, count in look.splits.items() if count and split != "train"]
    rest = "that is all" if tally.whole else "the rest was not looked at"
    console.print(f"{_count(tally.rows, 'row')} in {look.seconds:.1f} s: {', '.join(facts)}; {rest}")
    if not tally.dropped:
        console.print("nothing was dropped")
        return
    table = screen.plain_table("dropped", "times", "for example", numbers=("times",))
    for reason, count in sorted(tally.dropped.items(), key=lambda pair: -pair[1]):
        example = tally.examples[reason][0]
        table.add_row(_safe(reason), f"{count:,}", _safe(f"{example.place}: {_shorten(example.text)}"))
    console.print(table)


def _show_dropped(dropped: Sequence[Dropped], console: Console) -> None:
    if not dropped:
        console.print("nothing was dropped")
        return
    table = screen.plain_table("dropped", "times", "for example", numbers=("times",))
    for fact in describe_dropped(dropped):
        table.add_row(_safe(fact["reason"]), f"{fact['count']:,}", _safe(_shorten(fact["example"])))
    console.print(table)


def _show_duplicates(shelf: Shelf, console: Console) -> None:
    """Text that stands twice: a voice would learn it twice as well."""
    duplicates = find_duplicates(shelf)
    for found in duplicates[:SHOWN_DUPLICATES]:
        console.print(f"[yellow]stands twice[/yellow] {_safe(describe_duplicate(shelf, found))}")
    if len(duplicates) > SHOWN_DUPLICATES:
        console.print(f"and {len(duplicates) - SHOWN_DUPLICATES} more (--json lists them all)")


def edges(chapter: Chapter) -> tuple[str, str]:
    """The first and the last words of a chapter, without its heading."""
    if not chapter.blocks:
        return "", ""
    first, last = (" ".join(chapter.blocks[index].text.split()) for index in (0, -1))
    return _shorten(first), last if len(last) <= EDGE else "…" + last[-EDGE:].partition(" ")[2]


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EDGE else line[:EDGE].rpartition(" ")[0] + "…"


def _safe(text: str) -> str:
    """Text from a stranger's file for a terminal: no control is obeyed, no markup understood."""
    return escape(show_unseen(text))


def _count(number: int, thing: str, things: str = "") -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {things or thing + 's'}"
