"""What is true of a book that the bench reads, and the figures that come of comparing it with what a reader gives."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_WORD = re.compile(r"\w+(?:[’'\-‐‑]\w+)*")


@dataclass(frozen=True)
class Truth:
    """What a reader should get of a book, and what it should leave out or lay aside.

    `body` is its paragraphs in order, verse with its line ends.  `furniture` are running heads without their folios.
    `either` may stand in the text or be left out: captions, lists of contents inside a work.
    `part` is set where only some of the paragraphs are known, `titled` where headings stand among the paragraphs.
    None stands for what is not known.
    """

    body: tuple[str, ...]
    headings: tuple[str, ...] | None = None
    notes: tuple[str, ...] | None = None
    furniture: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    breaks: int | None = None
    language: str = "en"
    part: bool = False
    titled: bool = False


@dataclass(frozen=True)
class Count:
    """So many right of so many."""

    right: int
    all: int

    @property
    def share(self) -> float:
        return self.right / self.all if self.all else 1.0

    def __str__(self) -> str:
        return f"{self.right}/{self.all}"


@dataclass
class Measured:
    """The figures of one book.  None where the truth does not say."""

    name: str
    group: str
    language: str
    words: int = 0
    recall: float = 0.0
    precision: float | None = None
    letters: float = 0.0
    edges: float | None = None
    paragraphs: float | None = None
    verse: Count | None = None
    verse_made_up: int = 0
    headings: Count | None = None
    headings_made_up: int = 0
    breaks: Count | None = None
    furniture: int = 0
    notes: Count | None = None
    notes_on_page: Count | None = None
    notes_leaked: int = 0
    marks_left: int = 0
    moved: int = 0
    unrepaired: int = 0
    hyphens: Count | None = None
    chapters: int = 0
    dropped: int = 0
    pages: int = 0
    text_bytes: int = 0
    source_bytes: int = 0
    seconds: float = 0.0
    refused: str = ""
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def f1(self) -> float | None:
        if self.precision is None:
            return None
        both = self.recall + self.precision
        return 2 * self.recall * self.precision / both if both else 0.0

    def show(self, kind: str, items: Iterable[str], most: int = 5) -> None:
        """Keep the first few of what went wrong."""
        kept = [item[:160] for item in items][:most]
        if kept:
            self.examples[kind] = kept


def words_of(text: str) -> list[str]:
    """Runs of letters or digits with inner apostrophes and hyphens, which are made alike."""
    return _WORD.findall(
        text.replace("\u2019", "'").replace("\u2011", "-").replace("\u2010", "-").replace("\u2060", "")
    )


def paragraphs_of(text: str) -> tuple[str, ...]:
    return tuple(piece.strip("\n") for piece in re.split(r"\n\s*\n", text) if piece.strip())


def plain(text: str) -> str:
    """The words alone, in small letters."""
    return " ".join(words_of(text)).casefold()
