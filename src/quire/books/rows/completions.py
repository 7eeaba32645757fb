"""Rows of two columns: what is given, and how it is to be gone on with (prompt and completion, question and answer)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quire.books.book import Book, Place
from quire.books.cleaning import Cleaner, say_repaired
from quire.books.rows.conversations import Turn, Unfit, clean_turn, said_work
from quire.books.rows.row import Values

_ANSWERS = ("completion", "response", "output", "answer", "continuation", "target")
# Each with the columns that may answer it; the first pair that a row has counts.
_GIVEN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("prompt", _ANSWERS),
    ("instruction", _ANSWERS),
    ("question", ("answer", "response", "completion", "output")),
    ("query", ("answer", "response", "completion", "output")),
    ("input", ("output", "completion", "response", "target")),
)
_MORE = ("input", "context")
_BEFORE = ("system", "system_prompt")
# A table that calls a column so has its text there, whatever else it has.
_TEXT = ("text", "content", "body", "complete_text", "full_text")
_LEAST_SHARE = 0.5


def are_completions(rows: Sequence[Values]) -> bool:
    """Whether most rows (as they are) have texts in such a pair of columns, and none that is called text."""
    fit = [row for row in rows if (pair := _pair(row)) and all(isinstance(_of(row, name), str) for name in pair)]
    named = any(isinstance(_of(row, name), str) for row in rows for name in _TEXT)
    return bool(rows) and not named and len(fit) >= _LEAST_SHARE * len(rows)


def make_completion(path: Path, place: Place, row: Values, language: str) -> Book | Unfit:
    """The prompt of a row as a turn of the user, its completion as one of the character; or why there is none.

    White space that is written between the two is kept, with the completion; where there is none, a blank line will
    part them.
    """
    pair = _pair(row)
    if pair is None:
        return Unfit(_missing({name.lower() for name in row}))
    given, answer = (_of(row, name) for name in pair)
    if given is None or answer is None or not str(given).strip() or not str(answer).strip():
        return Unfit("row without a prompt" if given is None or not str(given).strip() else "row without a completion")
    if not isinstance(given, str) or not isinstance(answer, str):
        return Unfit("row whose prompt or completion is no text")
    before = [text for name in _BEFORE if isinstance(text := _of(row, name), str) and text.strip()]
    more = [text for name in _MORE if name not in pair and isinstance(text := _of(row, name), str) and text.strip()]
    seam = "" if more else given[len(given.rstrip()) :]
    seam += answer[: len(answer) - len(answer.lstrip())]
    cleaner, repaired = Cleaner(), [0]
    asked = "\n\n".join(clean_turn(text, cleaner, repaired) for text in (*before, given, *more))
    answered = clean_turn(answer, cleaner, repaired)
    if not asked.strip() or not answered.strip():
        return Unfit("row without a completion" if asked.strip() else "row without a prompt")
    turns: list[Turn] = [("user", asked), ("character", _plain(seam) + answered)]
    warnings = cleaner.warnings() + ([say_repaired(repaired[0])] if repaired[0] else [])
    return said_work(path, place, row, turns, "completions", language, (), warnings)


def _missing(names: set[str]) -> str:
    """Which of the two a row lacks; tables of values leave out what is empty."""
    if names & {given for given, _ in _GIVEN}:
        return "row without a completion"
    return "row without a prompt" if names & set(_ANSWERS) else "row without a prompt and a completion"


def _plain(seam: str) -> str:
    """White space between prompt and completion as line ends, or one space; "" where it is a blank line or nothing."""
    lines = seam.count("\n")
    if lines:
        return "" if lines >= 2 else "\n"
    return " " if seam else ""


def _pair(row: Values) -> tuple[str, str] | None:
    """The names of what is given and of what answers it, in lower case."""
    names = {name.lower() for name in row}
    for given, answers in _GIVEN:
        answer = next((name for name in answers if name in names), None)
        if given in names and answer is not None:
            return given, answer
    return None


def _of(row: Values, name: str) -> Any:
    return next((value for key, value in row.items() if key.lower() == name), None)
