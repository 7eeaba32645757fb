"""How a table of separated values is laid out: what parts its fields, how quotes stand in them, what stands before."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

USUAL = frozenset(
    ("text", "content", "poem", "body", "title", "author", "name", "poet", "language", "lang", "id", "date", "year",
     "genre", "label", "complete_text", "full_text", "story", "lyrics", "document", "texte", "titre", "auteur",
     "paroles", "texto", "testo", "prompt", "completion", "instruction", "question", "response")
)  # fmt: skip
"""Names of columns that no text is."""
_SEPARATORS = ",;\t|"
_LINES = 60
_SAID = re.compile(r"sep=(.)\s*")
_NAME = re.compile(r"[\"']?[^\W\d_][\w .()/-]{0,40}[\"']?")


@dataclass(frozen=True, slots=True)
class Layout:
    """`before` counts lines that stand before the table: a spreadsheet's `sep=;`, or remarks."""

    separator: str
    quote: str = '"'
    escape: str | None = None
    before: int = 0

    def reader(self, lines: Iterable[str], strict: bool = False) -> Iterator[list[str]]:
        """The fields of lines."""
        return csv.reader(lines, delimiter=self.separator, quotechar=self.quote, escapechar=self.escape, strict=strict)

    def rows_of(self, text: str) -> list[list[str]]:
        """The rows of a table's beginning that hold anything; none where it cannot be parted so."""
        try:
            rows = list(self.reader(text.removeprefix("\ufeff").split("\n")[self.before :][:400]))
        except csv.Error:
            return []
        return [fields for fields in rows if any(field.strip() for field in fields)]


def find_layout(text: str, tabs: bool, asked: Iterable[str] = ()) -> Layout:
    """The layout that a table's beginning shows; `tabs` where its name says it, `asked` are names of columns."""
    lines = text.removeprefix("\ufeff").split("\n")
    said = _SAID.fullmatch(lines[0])
    before = 1 if said else 0
    while before < len(lines) - 1 and lines[before].startswith("#"):
        before += 1
    rest = "\n".join(lines[before : before + _LINES])
    escape = "\\" if rest.count('\\"') > rest.count('""') else None
    if said or tabs:
        return Layout(said[1] if said else "\t", escape=escape, before=before)
    known = USUAL | set(asked)
    best = max(_SEPARATORS, key=lambda separator: _score(lines[before : before + _LINES], separator, known))
    single = len(re.findall(rf"(?m)^'|'$|'{re.escape(best)}'", rest))
    quote = "'" if single > 2 * max(1, rest.count("\n")) and rest.count('"') < single else '"'
    return Layout(best, quote, escape, before)


def _score(lines: list[str], separator: str, known: set[str] | frozenset[str]) -> float:
    """How well a separator parts lines: into the same number of fields, the first of them into names."""
    try:
        rows = [fields for fields in csv.reader(lines, delimiter=separator) if fields]
    except csv.Error:
        return 0.0
    if not rows:
        return 0.0
    counts = [len(fields) for fields in rows]
    usual = max(set(counts), key=counts.count)
    score = counts.count(usual) / len(counts) * (usual > 1)
    first = [field.strip().casefold() for field in rows[0]]
    if len(first) > 1 and known & set(first):
        score += 2
    elif len(first) == usual > 1 and all(map(_NAME.fullmatch, first)):
        score += 0.5
    return score if len(first) > 1 else 0.1 * score
