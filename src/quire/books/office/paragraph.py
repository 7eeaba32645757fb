"""A paragraph of a word processor, in whatever format: its text, its style, and how it is set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from quire.books.office.styles import Style

# A longer paragraph is no heading.
_SHORT = 200
UNSEEN = "tracked deletion or hidden text"
"""Why text that a document still holds is not read."""
Piece = tuple[bool, float, int]
"""How a run of letters is set: bold or not, its size in points (0: not said), how many they are."""


@dataclass
class Paragraph:
    """A paragraph with its line breaks as \\n, and how it is set: `bold` when all of it is, `size` in points where it
    is given, `new_page` when a page begins with it.

    `deleted` are the texts that changes took away, `hidden` those that are not shown; `joins`: the paragraph's end was
    itself deleted; `drop_cap`: it is only the large initial of the next one.
    """

    text: str
    style: Style
    deleted: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    contents: bool = False
    centred: bool = False
    bold: bool = False
    size: float = 0.0
    new_page: bool = False
    page_after: bool = False
    joins: bool = False
    drop_cap: bool = False
    numbered: bool = False


def set_looks(paragraph: Paragraph, pieces: Sequence[Piece]) -> None:
    """Bold when all of it is; of the size that its largest letters have, or in a long one most of them."""
    paragraph.bold = bool(pieces) and all(bold for bold, _, _ in pieces)
    if len(paragraph.text) <= _SHORT:
        paragraph.size = max((size for _, size, _ in pieces), default=0.0)
        return
    letters: Counter[float] = Counter()
    for _, size, length in pieces:
        letters[size] += length
    paragraph.size = max(letters, key=lambda size: letters[size], default=0.0)
