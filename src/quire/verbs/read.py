"""`quire read`: what was read, what was dropped and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from quire.books.book import SAID, Book, Dropped, Passage, Role, Shelf, turns_of
from quire.books.copies.duplicates import Where, find_duplicates, text_at
from quire.books.reading import read_shelf
from quire.books.streams.corpus import Look, open_corpus
from quire.books.streams.corpus import look as look_into
from quire.errors import BookError
from quire.prompts.conversation import conversation_of, shown
from quire.recipe.load import load_recipe
from quire.recipe.problems import as_error, check
from quire.recipe.schema import Format, KeptMatter, ShelfItem

_EXAMPLE_CHARS = 120


def read(
    *sources: str | Path,
    strict: bool = False,
    where: Mapping[str, str | Sequence[str]] | None = None,
    text: str | None = None,
    format: Format | None = None,
    matter: KeptMatter | None = None,
    ocr: bool = False,
) -> Shelf:
    """Read books: files, folders, globs, `sample:NAME`, data sets `hub:OWNER/NAME`, or what a recipe names.

    `where` keeps the rows of a data set whose columns have these values; `text` names its column of text; `format`,
    `matter` and `ocr` are the recipe's keys of a shelf.  A bad file among others, in a folder or beside other sources,
    is listed in `Shelf.unreadable`; with `strict` it raises, once all have been read.  Raises BookError.
    """
    items = items_of(*sources, where=where, text=text, format=format, matter=matter, ocr=ocr)
    shelf = read_shelf(items, forgiving=len(sources) > 1)
    if strict:
        refuse_unreadable(shelf)
    return shelf


def look(
    *sources: str | Path,
    seconds: float = 10.0,
    where: Mapping[str, str | Sequence[str]] | None = None,
    text: str | None = None,
    format: Format | None = None,
    matter: KeptMatter | None = None,
) -> list[Look]:
    """The first works of each source, read as a stream, with counts of what was kept and dropped in so many seconds.

    Takes tables of any size and data sets on the hub: memory stays the same.  Raises BookError.
    """
    items = items_of(*sources, where=where, text=text, format=format, matter=matter, stream=True)
    return [look_at(item, seconds) for item in items]


def look_at(item: ShelfItem, seconds: float = 10.0) -> Look:
    """The beginning of one source of a recipe.  Raises BookError."""
    return look_into(open_corpus(item), seconds)


def items_of(
    *sources: str | Path,
    where: Mapping[str, str | Sequence[str]] | None = None,
    text: str | None = None,
    format: Format | None = None,
    matter: KeptMatter | None = None,
    ocr: bool = False,
    stream: bool = False,
) -> list[ShelfItem]:
    """What the sources mean as a recipe's shelf; a recipe among them gives its own.  What is said here goes before.

    Raises BookError, or RecipeError for a recipe that is none.
    """
    if not sources:
        raise BookError("nothing to read was named", then="quire read novel.epub", code="missing")
    filters = {column: [value] if isinstance(value, str) else list(value) for column, value in (where or {}).items()}
    asked = {"where": filters, "text": text, "format": format, "matter": matter, "ocr": ocr, "stream": stream}
    said = {key: value for key, value in asked.items() if value}
    items: list[dict[str, Any]] = []
    for source in map(str, sources):
        if Path(source).suffix.lower() in (".yaml", ".yml"):
            shelf = load_recipe(Path(source).expanduser()).recipe.shelf
            items += [item.model_dump(exclude_unset=True) for item in shelf]
        else:
            kind, _, name = source.partition(":")
            items.append({kind: name} if kind in ("sample", "hub") else {"path": source})
    recipe, problems = check({"shelf": [item | said for item in items]})
    if recipe is None or problems:
        raise as_error(problems, ", ".join(map(str, sources)))
    return list(recipe.shelf)


def refuse_unreadable(shelf: Shelf) -> None:
    """Raises BookError when a file among the sources could not be read."""
    if not shelf.unreadable:
        return
    first, count = shelf.unreadable[0], len(shelf.unreadable)
    what = "1 file" if count == 1 else f"{count} files"
    name = "it" if count == 1 else "the first"
    raise BookError(
        f"{what} could not be read; {name}: {first.path}: {first.reason}",
        then="take them away or mend them, or leave --strict away to go on without them",
        code=first.code,
    )


def describe(shelf: Shelf) -> dict[str, Any]:
    """What `quire read --json` prints.

    `duplicates` is there only when text stands twice, `unreadable` only when a file could not be read, `turns` only of
    conversations and completions.
    """
    facts: dict[str, Any] = {"books": [_describe_book(book) for book in shelf]}
    if duplicates := find_duplicates(shelf):
        facts["duplicates"] = [
            {
                "kind": found.kind,
                "words": found.words,
                "similarity": round(found.similarity, 4),
                "first": _describe_where(shelf, found.first),
                "second": _describe_where(shelf, found.second),
                "example": _shorten(text_at(shelf, found.second)),
            }
            for found in duplicates
        ]
    if shelf.unreadable:
        facts["unreadable"] = [{"path": bad.path, "code": bad.code, "reason": bad.reason} for bad in shelf.unreadable]
    return facts


def describe_look(look: Look) -> dict[str, Any]:
    """What `quire read --json` prints of a stream: counts of what was read, and its first works."""
    tally = look.tally
    facts: dict[str, Any] = {
        "source": look.source,
        "tables": look.tables,
        "whole": tally.whole,
        "rows": tally.rows,
        "works": tally.works,
        "words": tally.words,
        "left": tally.left,
        "splits": look.splits,
        "seconds": round(look.seconds, 2),
        "dropped": [
            {"reason": reason, "count": count, "example": _shorten(tally.examples[reason][0].text)}
            for reason, count in sorted(tally.dropped.items(), key=lambda pair: -pair[1])
        ],
    }
    return facts | describe(look.sample)


def _describe_where(shelf: Shelf, where: Where) -> dict[str, Any]:
    """The path of the book, the number of the chapter (from 0; null for the whole work) and where in its text."""
    path = shelf.books[where.book].path
    return {"path": path, "book": where.book, "chapter": where.chapter, "start": where.start, "stop": where.stop}


def clean_text(book: Book) -> str:
    """The text of a work; of a conversation each turn after a mark that says whose it is."""
    if book.kind not in SAID:
        return book.text
    (chapter,) = book.chapters
    passage = Passage(chapter.text, 0, 0, 0, 0, "train", turns=turns_of(chapter), kind=book.kind)
    return shown(conversation_of(passage))


def turns_in(book: Book) -> dict[str, int]:
    """How many turns each side of a conversation has; nothing for other works."""
    if book.kind not in SAID:
        return {}
    said = Counter(turn.role for chapter in book.chapters for turn in turns_of(chapter))
    return {role: said[role] for role in get_args(Role)}


def _describe_book(book: Book) -> dict[str, Any]:
    turns = turns_in(book)
    return {
        "path": book.path,
        "title": book.title,
        "author": book.author,
        "language": book.language,
        "kind": book.kind,
        "words": book.words,
        **({"turns": turns} if turns else {}),
        "chapters": [
            {"title": " ".join(chapter.heading.split()) or None, "words": chapter.words, "matter": chapter.matter}
            for chapter in book.chapters
        ],
        "notes": [{"place": str(note.place), "text": note.text} for note in book.notes],
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
