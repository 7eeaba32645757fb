"""JSON lines: one work a row, its columns kept; `where` keeps the rows that are asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from quire.books.book import Block, Book, BookKind, Chapter, Dropped, Place
from quire.books.cleaning import Cleaner, line_ends, repair_mojibake
from quire.books.draft import Draft, finish
from quire.books.encoding import decode
from quire.books.language import detect_language, language_code
from quire.books.limits import MIB, ReadOptions
from quire.books.txt import read_lines
from quire.errors import BookError

LONGEST_LINE = 64 * MIB
_TEXT_COLUMNS = (
    "text",
    "content",
    "poem",
    "body",
    "complete_text",
    "story",
    "lyrics",
    "document",
    "lines",
    "verses",
    "paragraphs",
    "chapter",
)
_TITLE_COLUMNS = ("title", "poem name", "poem_name", "name", "book", "work")
_AUTHOR_COLUMNS = ("author", "poet", "by", "writer")
_LANGUAGE_COLUMNS = ("language", "lang")
_POEM_COLUMNS = frozenset(("poem name", "poem_name", "poem", "poet"))
_LINE_COLUMNS = frozenset(("lines", "verses", "verse", "poem", "stanza"))
_CHAPTER_COLUMNS = ("chapter_title", "chapter title", "chapter_name", "chapter", "heading", "section")
_SHOWN_VALUES = 12

Row = tuple[int, dict[str, Any]]


def read(path: Path, options: ReadOptions) -> list[Book]:
    """One book for each row that has text.

    Raises BookError when no line is a row, when the text column cannot be told, or when `where` matches nothing.
    """
    text = line_ends(decode(path.read_bytes())[0])
    dropped: list[Dropped] = []
    rows = list(_rows(path, text, dropped))
    if not rows:
        raise BookError(
            f"{path} holds no rows: no line is a JSON object", then="write one JSON object with a text a line"
        )
    column = _text_column(path, rows, options.text)
    kept = _filter(path, rows, options)
    books: list[Book] = []
    kind = _kind(rows, column, options)
    for number, row in kept:
        place = Place(str(path), "line", number)
        value = row.get(column)
        if isinstance(value, str) and value.strip():
            book = _book(path, row, column, kind, place)
            if book is None:
                dropped.append(Dropped("row without text", _show(row), place))
            else:
                books.append(book)
        else:
            dropped.append(Dropped("row without text", _show(row), place))
    if not books:
        raise BookError(f"{path} holds no text in its column {column!r}", then="name another column with text:")
    # One book has to carry what belongs to the file as a whole.
    books[0] = replace(books[0], dropped=(*books[0].dropped, *dropped))
    return _with_languages(books)


def _rows(path: Path, text: str, dropped: list[Dropped]) -> Iterator[Row]:
    """The objects of the file with their line numbers; what is none is dropped with a reason."""
    if text.lstrip()[:1] == "[":
        yield from _array(path, text, dropped)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = Place(str(path), "line", number)
        if len(line) > LONGEST_LINE:
            dropped.append(Dropped("line too long", line[:200], place))
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else "line that is no JSON"
            dropped.append(Dropped(reason, line[:200], place))
            continue
        if isinstance(value, dict):
            yield number, flatten(value)
        else:
            dropped.append(Dropped("line that is no JSON object", line[:200], place))


def _array(path: Path, text: str, dropped: list[Dropped]) -> Iterator[Row]:
    """A JSON array of objects under a .jsonl name; commas too many are forgiven."""
    try:
        values = json.loads(text)
    except ValueError:
        try:
            values = json.loads(re.sub(r",(\s*[\]}])", r"\1", text))
        except ValueError as error:
            raise BookError(
                f"{path} begins as a JSON array but is none ({error})", then="write one object a line"
            ) from None
    for number, value in enumerate(values, start=1):
        if isinstance(value, dict):
            yield number, flatten(value)
        else:
            dropped.append(Dropped("entry that is no JSON object", str(value)[:200], Place(str(path), "entry", number)))


def flatten(row: dict[str, Any], depth: int = 3) -> dict[str, Any]:
    """A row whose inner objects became columns (`{"meta": {"title": …}}` → `title`), and lists of lines texts.

    A name that is taken keeps the outer one before it: `meta.title`.  An object of a person gives its `name`.
    """
    flat: dict[str, Any] = {name: value for name, value in row.items() if not isinstance(value, (dict, list))}
    for name, value in row.items():
        if isinstance(value, dict) and depth:
            inner = flatten(value, depth - 1)
            if name.lower() in _AUTHOR_COLUMNS and isinstance(inner.get("name"), str):
                inner = {name: inner["name"]}
            for key, item in inner.items():
                flat[f"{name}.{key}" if key in flat else key] = item
        elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            gap = "\n" if name.lower() in _LINE_COLUMNS else "\n\n"
            flat[name] = gap.join(value)
        elif isinstance(value, (dict, list)):
            flat[name] = value
    return flat


def _text_column(path: Path, rows: list[Row], asked: str | None) -> str:
    """The column that holds the text: the one that was asked for, a usual name, or the only long text."""
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    if asked is not None:
        if asked not in names:
            raise BookError(
                f"{path} has no column {asked!r}; its columns are {', '.join(names)}", then="set text: to one of them"
            )
        return asked
    lower = {name.lower(): name for name in reversed(names)}
    for name in _TEXT_COLUMNS:
        if name in lower and any(isinstance(row.get(lower[name]), str) for _, row in rows):
            return lower[name]
    if {"conversations", "messages"} & set(lower):
        raise BookError(
            f"{path} holds conversations, which are not read yet", then="give texts, one JSON object with a text a line"
        )
    lengths = {name: sum(len(row[name]) for _, row in rows if isinstance(row.get(name), str)) for name in names}
    best = max(lengths, key=lambda name: lengths[name], default="")
    if not best or lengths[best] < 100 * len(rows):
        raise BookError(f"{path} has no column of text among {', '.join(names)}", then="name it with text:")
    return best


def _filter(path: Path, rows: list[Row], options: ReadOptions) -> list[Row]:
    """The rows whose columns have the values asked for, in any case of letters."""
    kept = rows
    for column, wanted in options.where:
        values = [value for _, row in rows if (value := _value(row, column)) is not None]
        if not values:
            names = ", ".join(dict.fromkeys(name for _, row in rows for name in row))
            raise BookError(
                f"{path} has no column {column!r}; its columns are {names}", then="set where: to one of them"
            )
        folded = {value.strip().casefold() for value in wanted}
        matching = [row for row in kept if (_value(row[1], column) or "").strip().casefold() in folded]
        missing = folded - {value.strip().casefold() for value in values}
        if not matching or missing:
            there = sorted(set(values))
            more = f" and {len(there) - _SHOWN_VALUES} more" if len(there) > _SHOWN_VALUES else ""
            asked = " or ".join(
                sorted(repr(value) for value in wanted if not missing or value.strip().casefold() in missing)
            )
            what = "no row has" if missing else "no row that passed the other filters has"
            shown = ", ".join(there[:_SHOWN_VALUES])
            raise BookError(
                f"{path}: {what} {column} = {asked}; its values are {shown}{more}",
                then=f"set where.{column} to one of them",
            )
        kept = matching
    return kept


def _value(row: dict[str, Any], column: str) -> str | None:
    """The value of a column, whose name too may be in any case."""
    for name, value in row.items():
        if name.casefold() == column.casefold() and value is not None and not isinstance(value, (dict, list)):
            return str(value)
    return None


def _kind(rows: list[Row], column: str, options: ReadOptions) -> BookKind:
    """`poems` where the recipe, a column's name or the shape of the lines says so."""
    if options.format in ("poems", "prose"):
        return "poems" if options.format == "poems" else "prose"
    if any(name.lower() in _POEM_COLUMNS for name in rows[0][1]):
        return "poems"
    texts = [row[column] for _, row in rows[:200] if isinstance(row.get(column), str)]
    short = sum(_is_verse(text) for text in texts)
    return "poems" if texts and short >= 0.8 * len(texts) else "prose"


def _is_verse(text: str) -> bool:
    lines = [line for line in text.split("\n") if line.strip()]
    return len(lines) >= 4 and sum(map(len, lines)) / len(lines) <= 55


def _first(row: dict[str, Any], names: tuple[str, ...], column: str) -> str:
    lower = {name.lower(): value for name, value in row.items() if name != column}
    for name in names:
        if isinstance(lower.get(name), str) and lower[name].strip():
            return " ".join(str(lower[name]).split())
    return ""


def _book(path: Path, row: dict[str, Any], column: str, kind: BookKind, place: Place) -> Book | None:
    draft = Draft(str(path), kind=kind)
    draft.title = _first(row, _TITLE_COLUMNS, column)
    draft.author = _first(row, _AUTHOR_COLUMNS, column)
    draft.language = language_code(_first(row, _LANGUAGE_COLUMNS, column))
    draft.columns = tuple(
        (name, str(value)) for name, value in row.items() if name != column and isinstance(value, str | int | float)
    )
    text = line_ends(row[column])
    if kind == "poems":
        return _poem(draft, text, place)
    chapter = _first(row, _CHAPTER_COLUMNS, column)
    if chapter and len(chapter) <= 160:
        draft.add("heading", chapter, place, 2)
    read_lines(draft, text, inside=f"line {place.number}")
    draft.title = draft.title or f"{path.stem}, line {place.number}"
    try:
        return finish(draft)
    except BookError:
        return None


def _poem(draft: Draft, text: str, place: Place) -> Book | None:
    """A poem is one chapter under its title, a block for each stanza."""
    cleaner = Cleaner()
    text, repaired = repair_mojibake(text)
    if repaired:
        draft.warnings.append(f"{repaired} characters repaired: UTF-8 had been read as Windows-1252")
    stanzas = (cleaner.clean(stanza) for stanza in re.split(r"\n(?:[ \t]*\n)+", text))
    blocks = tuple(Block("verse", stanza, place) for stanza in stanzas if stanza)
    if not blocks:
        return None
    title = cleaner.clean(draft.title)
    return Book(
        path=draft.path,
        title=title or blocks[0].text.split("\n")[0],
        author=cleaner.clean(draft.author),
        language=draft.language,
        kind="poems",
        chapters=(Chapter(title or None, blocks),),
        warnings=tuple(draft.warnings + cleaner.warnings()),
        columns=draft.columns,
    )


def _with_languages(books: list[Book]) -> list[Book]:
    """Short texts get the language of the whole file: a sonnet alone is too little to tell."""
    if all(book.language for book in books):
        return books
    sample = "\n".join(book.text[:2000] for book in books[:: max(1, len(books) // 100)])
    common = detect_language(sample)
    return [book if book.language else replace(book, language=detect_language(book.text) or common) for book in books]


def _show(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)[:200]
