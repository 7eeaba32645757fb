"""Which rows a recipe asks for: by the values of their columns, in any case of letters."""

from __future__ import annotations

from pathlib import Path

from quire.books.rows.row import Values
from quire.errors import BookError

_SHOWN_VALUES = 12
_LONGEST_VALUE = 200
_MOST_VALUES = 2000
_MOST_NAMES = 200


class Filter:
    """Keeps rows, and remembers what there was, so that a value that matches nothing can name those that exist.

    `seen` are columns and values that came up since somebody looked, for whoever reads in another process.
    """

    def __init__(self, where: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
        self.wanted = {column: {_fold(value): value for value in values} for column, values in where}
        self.missing = {column: set(values) for column, values in self.wanted.items()}
        self.values: dict[str, dict[str, None]] = {column: {} for column in self.wanted}
        self.names: dict[str, None] = {}
        self.seen: list[tuple[str, str]] = []
        self.more = False
        self.kept = 0

    def keeps(self, values: Values) -> bool:
        """Whether a row (flattened) has all that is asked."""
        if len(self.names) < _MOST_NAMES:
            for name in values:
                self.learn("", name)
        kept = True
        for column, wanted in self.wanted.items():
            value = _value(values, column)
            if value is None:
                kept = False
                continue
            self.learn(column, value)
            kept = kept and _fold(value) in wanted
        self.kept += kept
        return kept

    def learn(self, column: str, value: str) -> None:
        """A value that a column has; without a column, the name of one."""
        known = self.values[column] if column else self.names
        if column:
            self.missing[column].discard(_fold(value))
        shown = value[:_LONGEST_VALUE]
        if shown in known:
            return
        if len(known) >= (_MOST_VALUES if column else _MOST_NAMES):
            self.more = self.more or bool(column)
            return
        known[shown] = None
        if self.wanted:
            self.seen.append((column, shown))

    def check(self, path: Path | str) -> None:
        """Raise BookError if a column, a value, or the combination was nowhere."""
        for column in self.wanted:
            if not self.values[column]:
                what = f"{path} has no column {column!r}; its columns are {', '.join(self.names)}"
                raise BookError(what[:1000], then="set where: to one of them", code="not-a-book")
        for column, missing in self.missing.items():
            if missing:
                raise self._nowhere(path, column, missing, "no row has")
        if self.wanted and not self.kept:
            column = list(self.wanted)[-1]
            raise self._nowhere(path, column, set(self.wanted[column]), "no row that passed the other filters has")

    def _nowhere(self, path: Path | str, column: str, asked: set[str], who: str) -> BookError:
        wanted = " or ".join(sorted(repr(self.wanted[column][value]) for value in asked))
        there = sorted(self.values[column])
        count = "many" if self.more else str(len(there) - _SHOWN_VALUES)
        more = f" and {count} more" if len(there) > _SHOWN_VALUES else ""
        shown = ", ".join(value[:80] for value in there[:_SHOWN_VALUES])
        return BookError(
            f"{path}: {who} {column} = {wanted}; its values are {shown}{more}",
            then=f"set where.{column} to one of them",
            code="not-a-book",
        )


def _fold(value: str) -> str:
    return value.strip().casefold()


def _value(row: Values, column: str) -> str | None:
    """The value of a column, whose name too may be in any case."""
    for name, value in row.items():
        if name.casefold() == column.casefold() and value is not None and not isinstance(value, (dict, list)):
            return str(value)
    return None
