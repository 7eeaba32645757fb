"""Books as lines of plain JSON: the form in which they leave the process that read them.

A book comes in pieces, so that neither side holds it twice.  Whoever unpacks them trusts nothing: a reader may have
been taken over by the file that it read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, get_args

from quire.books.book import Block, BlockKind, Book, BookKind, Chapter, Dropped, Matter, Place, Split
from quire.books.limits import Limits

Json = list[Any]
T = TypeVar("T")

MOST_PARTS = 1_000_000
"""Blocks, notes and dropped pieces of one work: a hundred times what the longest novel has."""
MOST_PARTS_TOGETHER = 8_000_000
KIND = b'["kind"'
_GROUP = 500
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# What the readers' own cleaning leaves in no text; here it only guards against a reader that was taken over.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class TooMuch(Exception):
    """More text, or more pieces, than a book may have; says which in a few words."""


def pack_book(book: Book) -> Iterator[bytes]:
    """A book as lines of JSON, the last of which ends it; `Unpacker` undoes it exactly."""
    own = book.path
    yield _line(
        "book",
        [book.path, book.title, book.author, book.language, book.kind, book.split],
        list(book.warnings),
        [list(column) for column in book.columns],
    )
    for chapter in book.chapters:
        yield _line("chapter", chapter.title, chapter.matter)
        for blocks in _groups(chapter.blocks):
            yield _line("blocks", [_pack_block(block, own) for block in blocks])
    for notes in _groups(book.notes):
        yield _line("notes", [_pack_block(note, own) for note in notes])
    for dropped in _groups(book.dropped):
        yield _line("dropped", [[drop.reason, drop.text, _pack_place(drop.place, own)] for drop in dropped])
    yield _line("end")


def pack_kind(kind: str) -> bytes:
    """The line that says what kind of file it is, before anything of it is read."""
    return _line("kind", kind)


def pack_fault(what: str, then: str, code: str) -> bytes:
    """The line that says why there is no book."""
    return _line("fault", what, then, code)


def _line(*values: object) -> bytes:
    return _ENCODE(values).encode("utf-8", "surrogatepass") + b"\n"


def _groups(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _GROUP):
        yield values[start : start + _GROUP]


def _pack_place(place: Place, own: str) -> Json:
    packed: Json = [place.unit, place.number, place.inside]
    return packed if place.source == own else [*packed, place.source]


def _pack_block(block: Block, own: str) -> Json:
    return [block.kind, block.text, _pack_place(block.place, own), block.speaker]


@dataclass
class Unpacker:
    """Takes lines one by one and gathers the books.  Raises ValueError at what is none, TooMuch beyond `limits`."""

    limits: Limits
    books: list[Book] = field(default_factory=list)
    fault: tuple[str, str, str] | None = None
    kind: str = ""
    _open: _Open | None = None
    _parts: int = 0
    _text: int = 0

    def take(self, line: bytes) -> None:
        try:
            name, *values = json.loads(line.decode("utf-8", "surrogatepass"))
            self._take(name, values)
        except (TypeError, IndexError, RecursionError) as error:
            raise ValueError(str(error)) from None

    def finished(self) -> bool:
        """Whether what was taken is whole: books to their end, or a fault."""
        return self.fault is not None or (self._open is None and bool(self.books))

    def _take(self, name: object, values: Json) -> None:
        if self.fault is not None:
            raise ValueError("more after a fault")
        if name == "fault":
            what, then, code = values
            self.fault = (_text(what), _text(then), _text(code))
        elif name == "kind" and not self.kind:
            (self.kind,) = map(_text, values)
        elif name == "book" and self._open is None:
            self._open = _opened(*values)
        elif self._open is None:
            raise ValueError("a piece of no book")
        elif name == "chapter":
            title, matter = values
            self._open.chapters.append((None if title is None else _text(title), _one(matter, Matter), []))
        elif name in ("blocks", "notes", "dropped"):
            (found,) = values
            self._gather(self._open, str(name), _list(found))
        elif name == "end" and not values:
            self.books.append(self._open.close())
            self._parts += self._open.parts
            self._text += self._open.text
            self._open = None
        else:
            raise ValueError("an unknown piece")

    def _gather(self, book: _Open, name: str, found: Json) -> None:
        book.parts += len(found)
        if book.parts > MOST_PARTS or book.parts + self._parts > MOST_PARTS_TOGETHER:
            raise TooMuch("more paragraphs and notes than any book")
        if name == "dropped":
            book.dropped += [book.drop(*_list(item)) for item in found]
            return
        blocks = [book.block(*_list(item)) for item in found]
        book.text += sum(len(block.text) for block in blocks)
        if book.text > self.limits.text or book.text + self._text > self.limits.file:
            raise TooMuch(f"more than {self.limits.text // 2**20} MB of text")
        if name == "notes":
            book.notes += blocks
        else:
            book.chapters[-1][2].extend(blocks)


@dataclass
class _Open:
    """A book whose pieces are still coming."""

    book: Book
    chapters: list[tuple[str | None, Matter, list[Block]]] = field(default_factory=list)
    notes: list[Block] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    parts: int = 0
    text: int = 0
    removed: int = 0

    def block(self, kind: object, text: object, place: object, speaker: object) -> Block:
        return Block(_one(kind, BlockKind), self.clean(_text(text)), self.place(place), self.clean(_text(speaker)))

    def drop(self, reason: object, text: object, place: object) -> Dropped:
        return Dropped(_text(reason), _text(text), self.place(place))

    def place(self, packed: object) -> Place:
        unit, number, inside, *source = _list(packed)
        if type(number) is not int:
            raise ValueError("a place without a number")
        return Place(_text(source[0]) if source else self.book.path, _text(unit), number, _text(inside))

    def clean(self, text: str) -> str:
        if not _STEERING.search(text):
            return text
        text, count = _STEERING.subn("", text)
        self.removed += count
        return text

    def close(self) -> Book:
        chapters = tuple(
            Chapter(None if title is None else self.clean(title), tuple(blocks), matter)
            for title, matter, blocks in self.chapters
        )
        title, author = self.clean(self.book.title), self.clean(self.book.author)
        more = (f"{self.removed} more control characters removed",) if self.removed else ()
        return replace(
            self.book,
            title=title,
            author=author,
            chapters=chapters,
            notes=tuple(self.notes),
            dropped=tuple(self.dropped),
            warnings=self.book.warnings + more,
        )


def _opened(head: object, warnings: object, columns: object) -> _Open:
    path, title, author, language, kind, split = _list(head)
    return _Open(
        Book(
            path=_text(path),
            title=_text(title),
            chapters=(),
            author=_text(author),
            language=_text(language),
            kind=_one(kind, BookKind),
            split=None if split is None else _one(split, Split),
            warnings=tuple(_text(warning) for warning in _list(warnings)),
            columns=tuple((_text(name), _text(value)) for name, value in map(_list, _list(columns))),
        )
    )


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError("something else than text")
    return value


def _list(value: object) -> Json:
    if type(value) is not list:
        raise ValueError("something else than a list")
    return value


def _one(value: object, kind: Any) -> Any:
    """`value` if it is one of the words that `kind`, a Literal, allows."""
    if value not in get_args(kind):
        raise ValueError("an unknown word")
    return value
