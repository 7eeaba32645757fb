"""What every reader fills: items in reading order, and what was left out of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from quire.books.book import BookKind, Dropped, Matter, Place

ItemKind = Literal["heading", "paragraph", "verse", "break", "speech", "direction", "chapter", "note"]

# `* * *`, `#`, `⁂`, `---`, `. . .`, `• • •`
_SCENE_BREAK = re.compile(r"(?:[*#•·⁂❦❧☙~=_—–-]|\. \.)(?:\s*[*#•·⁂❦❧☙~=_.—–-])*|\*{1,}")
_ORNAMENTS = frozenset("*#•·⁂❦❧☙~=_—–-.")
SCENE_BREAK = "* * *"
LONGEST_BREAK = 40
LONGEST_LABEL = 60


@dataclass(slots=True)
class Item:
    """One thing in reading order.  `level` ranks headings, 1 the highest; a `chapter` opens one without a heading.

    `speaker` is for speeches, as in `Block`; `matter` and `role` (one of those that `books.finishing.matter` knows) are
    for what opens a chapter, where the source says it.  It is not frozen because a book has ten thousand of them: a
    frozen one takes three times as long to make.
    """

    kind: ItemKind
    text: str
    place: Place
    level: int = 0
    speaker: str = ""
    matter: Matter | None = None
    role: str = ""


@dataclass
class Draft:
    """A book while it is being read."""

    path: str
    items: list[Item] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    title: str = ""
    author: str = ""
    language: str = ""
    kind: BookKind = "prose"
    columns: tuple[tuple[str, str], ...] = ()

    def add(
        self,
        kind: ItemKind,
        text: str,
        place: Place,
        level: int = 0,
        speaker: str = "",
        matter: Matter | None = None,
        role: str = "",
    ) -> None:
        """One more item; text without a visible character is no item."""
        if text.strip() or kind == "chapter":
            self.items.append(Item(kind, text, place, level, speaker, matter, role))

    def drop(self, reason: str, text: str, place: Place) -> None:
        if text.strip():
            self.dropped.append(Dropped(reason, text, place))


def is_scene_break(text: str) -> bool:
    """Whether a line is only an ornament between scenes."""
    line = text.strip()
    return line[:1] in _ORNAMENTS and len(line) <= LONGEST_BREAK and bool(_SCENE_BREAK.fullmatch(line))
