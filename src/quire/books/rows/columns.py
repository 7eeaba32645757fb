"""The columns of a table: made plain where they lie inside one another, and the one that holds the text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quire.books.rows.row import Entry, Row, Values
from quire.errors import BookError

NAME_COLUMN = "name the column that holds the text: text: in a recipe, --text-column for quire read"
AUTHOR_COLUMNS = ("author", "poet", "by", "writer", "artist", "auteur", "autor", "autore", "verfasser",
                  "dichter", "poète", "poeta")  # fmt: skip
# Names that say what a column holds, whatever else is there.
_SURE = (
    "text", "content", "poem", "body", "complete_text", "full_text", "lyrics", "texte", "contenu", "poème", "poeme",
    "paroles", "texto", "contenido", "poema", "testo", "contenuto", "poesia", "inhalt", "gedicht", "tekst",
)  # fmt: skip
# Names that also stand for numbers, names and keys of other tables.
_LIKELY = ("story", "document", "article", "passage", "lines", "verses", "stanzas", "paragraphs", "chapter", "chapters")
# What the parts of a work call their text.
_INNER = (*_SURE, "context", "paragraphs", "paragraph", "passage", "lines", "verses", "stanza")
_SPEAKERS = frozenset(("role", "from", "speaker", "sender"))
_LINES = frozenset(("lines", "verses", "verse", "poem", "stanza"))
_HEADINGS = ("title", "heading", "chapter_title", "chapter", "name")
_MOST_NAMES = 200
_LEAST_MEAN = 80
# Of the longest: a column that comes so near is another text, and nobody but the user knows which is meant.
_RIVAL = 0.6
_SAMPLE = 4000


def names_of(head: Sequence[Entry]) -> list[str]:
    """The columns of the first rows."""
    rows = (flatten(entry.values) for entry in head if isinstance(entry, Row))
    return list(dict.fromkeys(name for row in rows for name in row))[:_MOST_NAMES]


def text_column(path: Path, rows: Sequence[Values], asked: str | None) -> str:
    """The column that holds the text: the one that was asked for, a usual name, or the only long text.

    Raises BookError where there is none, or where only the user can know which.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))[:_MOST_NAMES]
    if asked is not None:
        same = [name for name in names if name.casefold() == asked.casefold()]
        return asked if asked in names or not same else same[0]
    lengths = {name: sum(len(row[name]) for row in rows if isinstance(row.get(name), str)) for name in names}
    lower = {name.lower(): name for name in reversed(names)}
    for name in _SURE:
        if lengths.get(lower.get(name, ""), 0):
            return lower[name]
    if {"conversations", "conversation", "messages"} & set(lower):
        raise BookError(
            f"{path} holds conversations and no column of text",
            then="read them as what they are: format: conversations",
            code="wrong-kind",
        )
    most = max(lengths.values(), default=0)
    for name in (lower[name] for name in _LIKELY if name in lower):
        if lengths[name] >= max(1, _RIVAL * most) or _is_long(name, rows, lengths[name]):
            return name
    long = sorted((name for name in names if _is_long(name, rows, lengths[name])), key=lambda name: -lengths[name])
    if not long:
        raise BookError(
            f"{path} has no column of text among {', '.join(names)}"[:1000], then=NAME_COLUMN, code="not-a-book"
        )
    rivals = [name for name in long if lengths[name] >= _RIVAL * lengths[long[0]]]
    if len(rivals) > 1:
        what = f"{path} has several columns of text: {', '.join(rivals)}"
        raise BookError(what[:1000], then=NAME_COLUMN, code="not-a-book")
    return long[0]


def _is_long(name: str, rows: Sequence[Values], length: int) -> bool:
    """Whether a column holds texts that people read, and not numbers, addresses, lists or code."""
    if length < _LEAST_MEAN * len(rows):
        return False
    return is_prose(" ".join(row[name][:_SAMPLE] for row in rows[:50] if isinstance(row.get(name), str)))


def is_prose(sample: str) -> bool:
    """Whether text is letters and spaces for the most part, as what people read is."""
    letters = sum(map(str.isalpha, sample))
    spaces = sum(map(str.isspace, sample))
    # Scripts without spaces between words have a letter in every place.
    wide = sum(char > "\u2e7f" for char in sample) > 0.5 * letters
    return letters + spaces >= 0.8 * len(sample) and (wide or spaces >= 0.08 * len(sample))


def flatten(row: dict[str, Any], depth: int = 3) -> dict[str, Any]:
    """A row whose inner objects became columns (`{"meta": {"title": …}}` → `title`), and lists of lines texts.

    A name that is taken keeps the outer one before it: `meta.title`.  An object of a person gives its `name`.  Of a
    list of objects (`chapters` with a `title` and a `text` each) the texts become one, under their headings.
    """
    flat: dict[str, Any] = {name: value for name, value in row.items() if not isinstance(value, (dict, list))}
    for name, value in row.items():
        if isinstance(value, dict) and depth:
            inner = flatten(value, depth - 1)
            if name.lower() in AUTHOR_COLUMNS and isinstance(inner.get("name"), str):
                inner = {name: inner["name"]}
            for key, item in inner.items():
                flat[f"{name}.{key}" if key in flat else key] = item
        elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            gap = "\n" if name.lower() in _LINES else "\n\n"
            flat[name] = gap.join(value)
        elif isinstance(value, list) and depth and (key := _text_inside(value)):
            texts = (_under_heading(item, key, depth) for item in value)
            flat[f"{name}.{key}" if key in flat else key] = "\n\n".join(filter(None, texts))
        elif isinstance(value, (dict, list)):
            flat[name] = value
    return flat


def _text_inside(value: list[Any]) -> str:
    """The column of text that all objects of a list have; empty where it is no list of such, or of what people say in
    turn."""
    if not value or not all(isinstance(item, dict) for item in value) or _SPEAKERS & value[0].keys():
        return ""
    return next((key for key in _INNER if key in value[0] and all(key in item for item in value)), "")


def _under_heading(item: dict[str, Any], key: str, depth: int) -> str:
    flat = flatten(item, depth - 1)
    heading = next((flat[name] for name in _HEADINGS if name != key and isinstance(flat.get(name), str)), "")
    text = flat.get(key)
    return f"{heading}\n\n{text}" if heading and isinstance(text, str) else text if isinstance(text, str) else ""
