"""From the rows of a table to works: which column is the text, what kind of work a row is, its chapters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from quire.books.book import SAID, Block, Book, BookKind, Chapter, Place
from quire.books.cleaning import Cleaner, line_ends, repair_mojibake, say_repaired
from quire.books.draft import Draft
from quire.books.finishing.finish import finish
from quire.books.language import detect_language, language_code
from quire.books.limits import MIB, ReadOptions
from quire.books.plain.txt import read_lines
from quire.books.rows.columns import AUTHOR_COLUMNS, flatten, text_column
from quire.books.rows.completions import are_completions, make_completion
from quire.books.rows.conversations import Unfit, are_conversations, make_conversation
from quire.books.rows.row import Bad, Entry, Row, Values
from quire.errors import BookError, BookFault

ONE_A_ROW = 'give each text a row: {"text": …} a line in .jsonl, or a line below the head in .csv'
_TITLE_COLUMNS = (
    "title",
    "poem name",
    "poem_name",
    "name",
    "book",
    "work",
    "song",
    "titre",
    "título",
    "titel",
    "titolo",
)
_LANGUAGE_COLUMNS = ("language", "lang", "langue", "idioma", "sprache")
_POEM_COLUMNS = frozenset(
    (
        "poem name",
        "poem_name",
        "poem",
        "poet",
        "poème",
        "poeme",
        "poète",
        "gedicht",
        "dichter",
        "poema",
        "poeta",
        "poesia",
    )
)
_CHAPTER_COLUMNS = ("chapter_title", "chapter title", "chapter_name", "chapter", "heading", "section")
_TOO_LONG = ("nested too deeply", "line too long", "field too long", "entry too long")
_UNITS = {"lines": "line", "array": "entry", "csv": "line", "parquet": "row"}
HEAD_ROWS = 200
"""The first rows of a table, which say what all are."""
_HEAD_BYTES = 8 * MIB
_HEAD_ENTRIES = 100_000
_SHOWN = 200
_LONGEST_COLUMN = 10_000
_LONGEST_HEADING = 160
# What programs write where there is nothing.
_NOTHING = frozenset(("nan", "null", "none", "n/a", "na", "<na>", "#n/a"))
_LONGEST_NOTHING = 100
# A line so long is no title, no ornament and no name of a chapter.
_SENTENCE = 100


@dataclass(frozen=True, slots=True)
class Decided:
    """What the first rows of a table say about all: the column of the text, what a row is, the usual language."""

    column: str
    kind: BookKind
    language: str


def take_head(entries: Iterator[Entry], most: int = HEAD_ROWS) -> list[Entry]:
    """So many entries that the first rows are among them, and no more than is cheap to hold."""
    head: list[Entry] = []
    rows = size = 0
    for entry in islice(entries, _HEAD_ENTRIES):
        head.append(entry)
        if isinstance(entry, Row):
            rows += 1
            size += sum(len(value) for value in entry.values.values() if isinstance(value, str))
        if rows >= most or size >= _HEAD_BYTES:
            break
    return head


def decide(path: Path, head: Sequence[Entry], options: ReadOptions) -> Decided:
    """Raises BookError when no column of text can be told.  Conversations and completions have none."""
    rows = [entry.values for entry in head if isinstance(entry, Row)]
    if not rows:
        raise _no_rows(path, head)
    kind = said_kind(rows, options)
    if kind is not None:
        return Decided("", kind, detect_language(" ".join(map(_words_in, rows))))
    rows = list(map(flatten, rows))
    column = text_column(path, rows, options.text)
    texts = [row[column] for row in rows if isinstance(row.get(column), str)]
    return Decided(column, _kind(rows[0], texts, options), detect_language("\n".join(text[:2000] for text in texts)))


def said_kind(rows: Sequence[Values], options: ReadOptions) -> BookKind | None:
    """Whether rows (not flattened) are conversations or completions, as the recipe says or as they look; else None."""
    if options.format in SAID:
        return next(kind for kind in SAID if kind == options.format)
    if options.format is not None or options.text is not None:
        return None
    if are_conversations(rows):
        return "conversations"
    return "completions" if are_completions(rows) else None


def _words_in(value: object, most: int = 2000) -> str:
    """The beginnings of the texts in a row, whatever lies in what, to tell its language by."""
    if isinstance(value, str):
        return value[:most]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return " ".join(_words_in(item, most // 4) for item in islice(inner, 40)) if most else ""


def make_said(path: Path, place: Place, row: Values, kind: BookKind, language: str) -> Book | Unfit:
    """The conversation or completion of a row (not flattened), or why there is none."""
    make = make_conversation if kind == "conversations" else make_completion
    return make(path, place, row, language)


def _no_rows(path: Path, head: Sequence[Entry]) -> BookError:
    bad = next((entry for entry in head if isinstance(entry, Bad)), None)
    if bad is None:
        return BookError(f"{path} holds no rows", then=ONE_A_ROW, code="empty")
    what = f"{path} holds no rows that can be read (the first, {bad.number}: {bad.reason})"
    code: BookFault = "too-long" if bad.reason in _TOO_LONG else "damaged"
    return BookError(what, then=ONE_A_ROW, code=code)


def _kind(first: Values, texts: Sequence[str], options: ReadOptions) -> BookKind:
    """`poems` where the recipe, a column's name or the shape of the lines says so."""
    if options.format in ("poems", "prose"):
        return "poems" if options.format == "poems" else "prose"
    if any(name.lower() in _POEM_COLUMNS for name in first):
        return "poems"
    short = sum(_is_verse(text) for text in texts)
    return "poems" if texts and short >= 0.8 * len(texts) else "prose"


def _is_verse(text: str) -> bool:
    lines = [line for line in text.split("\n") if line.strip()]
    return len(lines) >= 4 and sum(map(len, lines)) / len(lines) <= 55


def _is_nothing(text: str) -> bool:
    """Whether there is no text, or what programs write where there is none."""
    return not text.strip() or (len(text) < _LONGEST_NOTHING and text.strip().lower() in _NOTHING)


def make_work(path: Path, place: Place, values: Values, decided: Decided, options: ReadOptions) -> Book | None:
    """The work of a row (flattened); None where the row has no text."""
    text = values.get(decided.column)
    if not isinstance(text, str) or _is_nothing(text):
        return None
    draft = Draft(str(path), kind=decided.kind)
    draft.title = _first(values, _TITLE_COLUMNS, decided.column)
    draft.author = _first(values, AUTHOR_COLUMNS, decided.column)
    draft.language = language_code(_first(values, _LANGUAGE_COLUMNS, decided.column))
    draft.columns = tuple(
        (name, shown) for name, value in values.items() if name != decided.column and (shown := _shown(value))
    )
    text = line_ends(text)
    if decided.kind == "poems":
        work = _poem(draft, text, place)
    elif (line := text.strip()) and "\n" not in line and len(line) >= _SENTENCE and options.format is None:
        work = _paragraph(draft, line, _first(values, _CHAPTER_COLUMNS, decided.column), place)
    else:
        chapter = _first(values, _CHAPTER_COLUMNS, decided.column)
        if chapter and len(chapter) <= _LONGEST_HEADING:
            draft.add("heading", chapter, place, 2)
        read_lines(draft, text, inside=str(place))
        draft.title = draft.title or f"{path.stem}, {place.unit} {place.number}"
        try:
            work = finish(draft, options)
        except BookError:
            return None
    if work is None or work.language:
        return work
    # A sonnet alone is too little to tell a language by.
    return replace(work, language=detect_language(work.text) or decided.language)


def _paragraph(draft: Draft, text: str, chapter: str, place: Place) -> Book | None:
    """A row of one line has neither layout nor front matter that one would have to look for: corpora of millions of
    rows are read four times as fast."""
    cleaner = Cleaner()
    text = _repaired(draft, text)
    text = cleaner.clean(text)
    if not text:
        return None
    inside = Place(place.source, "line", 1, str(place))
    heading = cleaner.clean(chapter) if len(chapter) <= _LONGEST_HEADING else ""
    return Book(
        path=draft.path,
        title=cleaner.clean(draft.title) or f"{Path(draft.path).stem}, {place.unit} {place.number}",
        author=cleaner.clean(draft.author),
        language=draft.language or detect_language(text),
        chapters=(Chapter(heading or None, (Block("paragraph", text, inside),)),),
        warnings=tuple(draft.warnings + cleaner.warnings()),
        columns=draft.columns,
    )


def _repaired(draft: Draft, text: str) -> str:
    text, count = repair_mojibake(text)
    if count:
        draft.warnings.append(say_repaired(count))
    return text


def unit_of(format: str) -> str:
    """What the number of a row counts in a file of this format."""
    return _UNITS[format]


def _shown(value: Any) -> str:
    """A column's value as it is kept with the work; lists and records as JSON, where they are short."""
    if isinstance(value, (dict, list)):
        text = json.dumps(value, ensure_ascii=False, default=str)
        return text if len(text) <= _LONGEST_COLUMN else ""
    return "" if value is None else str(value)[:_LONGEST_COLUMN]


def _first(row: dict[str, Any], names: tuple[str, ...], column: str) -> str:
    lower = {name.lower(): value for name, value in row.items() if name != column}
    for name in names:
        if isinstance(lower.get(name), str) and lower[name].strip():
            return " ".join(str(lower[name]).split())
    return ""


def _poem(draft: Draft, text: str, place: Place) -> Book | None:
    """A poem is one chapter under its title, a block for each stanza."""
    cleaner = Cleaner()
    text = _repaired(draft, text)
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


def show_row(values: Values) -> str:
    """The beginning of a row, for lists of what was dropped."""
    return json.dumps(values, ensure_ascii=False, default=str)[:_SHOWN]
