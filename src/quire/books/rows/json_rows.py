"""Rows as JSON: an object a line, or the objects of an array, however they are laid out."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from quire.books.encoding import decode
from quire.books.rows.columns import is_prose
from quire.books.rows.conversations import is_turn
from quire.books.rows.inflate import LONGEST_LINE, can_enter, read_lines
from quire.books.rows.row import START, Bad, Entry, Position, Row, Values

_BITE = 1 << 16
_SHOWN = 200
_LONG = 1000
# So many texts by their titles make a table, if they are so long in the mean.
_LEAST_TEXTS = 3
_MEAN = 80
_USUAL = frozenset(("text", "content", "body", "author", "title", "name", "language", "description", "version"))
_TRAILING_COMMA = re.compile(r",(\s*[\]}])")
_NEXT_OBJECT = re.compile(r"\}\s*,?\s*(?=\{)")


def read_json_lines(file: BinaryIO, start: Position) -> Iterator[Entry]:
    """JSON objects, one a line."""
    seekable = can_enter(file)
    enter = start if seekable and start.offset else START
    rows = enter.rows
    for line in read_lines(file, enter.offset, enter.line):
        if line.data is not None and not line.data.strip():
            continue
        rows += 1
        if rows <= start.passed:
            continue
        after = Position(rows, line.number + 1, line.after if seekable else 0)
        if line.data is None:
            yield Bad(line.number, "line too long", line.start.decode("utf-8", "replace"), after)
            continue
        yield parse_line(line.data, line.number, after)


def parse_line(data: bytes, number: int, after: Position) -> Entry:
    """The row of one line, or why it is none."""
    try:
        return _parse(data, number, after)
    except MemoryError:
        return Bad(number, "row that needs too much memory", data[:_SHOWN].decode("utf-8", "replace"), after)


def _parse(data: bytes, number: int, after: Position) -> Entry:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = decode(data)[0]
    try:
        # Lines of what was an array end in commas.
        value = json.loads(text.rstrip(", \t\r"))
    except RecursionError:
        return Bad(number, "nested too deeply", text[:_SHOWN], after)
    except ValueError:
        return Bad(number, "line that is no JSON", text[:_SHOWN], after)
    if isinstance(value, dict):
        return Row(number, value, after)
    return Bad(number, "line that is no JSON object", text[:_SHOWN], after)


class _Text:
    """The text of a file in a window that moves forward."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self.text = ""
        self.at = 0
        self.ended = False

    def more(self) -> None:
        """Read on: as much again as is waiting, so that a long value costs no more than twice its length."""
        data = self._file.read(max(_BITE, len(self.text) - self.at))
        self.ended = not data
        self.text = self.text[self.at :] + self._decoder.decode(data, final=not data)
        self.at = 0

    def skip(self, characters: str) -> str:
        """The next character that is none of these; empty at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in characters:
                self.at += 1
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.more()


def read_json_array(file: BinaryIO, start: Position) -> Iterator[Entry]:
    """The objects of an array, or objects one after another over several lines; commas too many are forgiven."""
    window = _Text(file)
    if window.skip(" \t\r\n") == "[":
        window.at += 1
    rows = 0
    while (next_ := window.skip(" \t\r\n,")) and next_ != "]":
        value, reason, text = _value(window)
        found: list[Any] = [value]
        if not rows and reason is None and isinstance(value, dict):
            found = _wrapped(value, alone=not window.skip(" \t\r\n"))
        for item in found:
            rows += 1
            if rows <= start.passed:
                continue
            after = Position(rows, rows + 1, 0)
            if reason is not None:
                yield Bad(rows, reason, text, after)
            elif isinstance(item, dict):
                yield Row(rows, item, after)
            else:
                yield Bad(rows, "entry that is no JSON object", str(item)[:_SHOWN], after)
    if next_ == "]":
        window.at += 1
        rest = window.skip(" \t\r\n")
        if rest:
            yield Bad(
                rows + 1, "text after the end of the array", window.text[window.at :][:_SHOWN], Position(rows + 1)
            )


def _wrapped(value: Values, alone: bool) -> list[Any]:
    """The rows of `{"data": [{…}, {…}]}`; an object without such a list is a row itself.

    One that is `alone` in its file may be a whole table laid out in another way.
    """
    lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
    others = [item for item in value.values() if isinstance(item, str) and len(item) > _LONG]
    if len(lists) == 1 and is_turn(lists[0][0]):
        return [value]
    if len(lists) == 1 and not others:
        return [value] if _is_book(value, lists[0]) else lists[0]
    return (_table(value) if alone else None) or [value]


def _is_book(value: Values, parts: list[Any]) -> bool:
    """Whether the objects of a list are the chapters of one work, and not works: the object around them has its title
    or its author, which the parts have not."""
    names = {name.lower() for name, item in value.items() if isinstance(item, str)}
    inner = {name.lower() for name in parts[0]}
    return bool({"author", "authors"} & names - inner) or ("title" in names and "author" not in inner)


def _table(value: Values) -> list[Any] | None:
    """Rows by their keys, columns of rows, or texts by their titles; None where it is none of these."""
    items = list(value.values())
    if len(items) < 2:
        return None
    if all(isinstance(item, list) and len(item) == len(items[0]) > 1 for item in items):
        return [dict(zip(value, row, strict=True)) for row in zip(*items, strict=True)]
    if all(isinstance(item, dict) and item and item.keys() == items[0].keys() for item in items):
        if all(map(str.isdecimal, items[0])):
            return [{name: column[key] for name, column in value.items()} for key in items[0]]
        return [{"key": key, **item} for key, item in value.items()]
    texts = [item for item in items if isinstance(item, str)]
    long = len(texts) >= _LEAST_TEXTS and sum(map(len, texts)) >= _MEAN * len(items) and is_prose(" ".join(texts))
    if long and len(texts) >= 0.8 * len(items) and not _USUAL & {name.lower() for name in value}:
        return [{"title": key, "text": item} for key, item in value.items()]
    return None


def _value(window: _Text) -> tuple[Any, str | None, str]:
    """The next value of the window, or why there is none and how it begins; the window then stands after it."""
    decoder = json.JSONDecoder()
    while True:
        try:
            value, stop = decoder.raw_decode(window.text, window.at)
        except RecursionError:
            return _pass_over(window, "nested too deeply")
        except MemoryError:
            return _pass_over(window, "entry that needs too much memory")
        except json.JSONDecodeError as error:
            open_ended = error.pos >= len(window.text) - 64 or error.msg.startswith("Unterminated string")
            if open_ended and not window.ended and len(window.text) - window.at <= LONGEST_LINE:
                window.more()
                continue
            if open_ended and not window.ended:
                return _pass_over(window, "entry too long")
            return _mended(window, decoder)
        if stop >= len(window.text) - 1 and not window.ended:
            # A number could go on.
            window.more()
            continue
        window.at = stop
        return value, None, ""


def _mended(window: _Text, decoder: json.JSONDecoder) -> tuple[Any, str | None, str]:
    """A value with commas before its closing brackets, as people write them."""
    following = _NEXT_OBJECT.search(window.text, window.at)
    stop = following.start() + 1 if following else len(window.text)
    try:
        value, _ = decoder.raw_decode(_TRAILING_COMMA.sub(r"\1", window.text[window.at : stop]))
    except (ValueError, RecursionError):
        return _pass_over(window, "entry that is no JSON")
    window.at = stop if following else _end_of(window.text, stop)
    return value, None, ""


def _end_of(text: str, stop: int) -> int:
    """Before the bracket that closes the array, if it stands at the end."""
    kept = text.rstrip()
    return len(kept) - 1 if kept.endswith("]") else stop


def _pass_over(window: _Text, reason: str) -> tuple[Any, str | None, str]:
    """Go to where the next object may start."""
    shown = window.text[window.at : window.at + _SHOWN]
    passed = 0
    while True:
        following = _NEXT_OBJECT.search(window.text, window.at)
        if following:
            window.at = following.end()
            return None, reason, shown
        if window.ended:
            window.at = len(window.text)
            return None, reason, shown
        # The bracket may be the last character that is known.
        keep = min(len(window.text) - window.at, 64)
        passed += len(window.text) - window.at - keep
        window.at = len(window.text) - keep
        window.more()
