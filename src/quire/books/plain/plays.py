"""Plays in plain lines: as their form says, with prose unwrapped and verse kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from quire.books.book import Place
from quire.books.draft import Draft, Item
from quire.books.plain.inline import UNDERSCORED
from quire.books.plain.lines import Lines
from quire.books.plays.form import Scenes
from quire.books.plays.labels import Cast, find_cast, is_label, key
from quire.books.plays.parts import LONGEST_LABEL, speaker_of

# Gutenberg's italics: a whole block of them is a direction.
_ITALIC = re.compile(r"\s*_([^_]+)_[.,;]?\s*")
_OPEN = re.compile(r"^\s*\[[^\]]*$")


def find_play(groups: Sequence[Lines], format: str | None) -> Cast | None:
    """The labels of a play in these lines; None where they are none, or not surely one."""
    if format not in (None, "plays"):
        return None
    return find_cast(_items("", groups, 0, ""), asked=format == "plays")


def add_play(draft: Draft, groups: Sequence[Lines], cast: Cast, skipped: int = 0, inside: str = "") -> None:
    """Put the lines of a play into a draft."""
    draft.kind = "plays"
    width = _width(groups)
    scenes = Scenes(cast, lambda lines: unwrap(lines, width))
    for item in scenes.run(_items(draft.path, groups, skipped, inside)):
        if item.kind in ("paragraph", "verse"):
            lines = unwrap(item.text.split("\n"), width)
            item = Item("verse" if len(lines) > 1 else "paragraph", "\n".join(lines), item.place)
        draft.items.append(item)


def _items(path: str, groups: Sequence[Lines], skipped: int, inside: str) -> list[Item]:
    texts = ["\n".join(line.strip() for line in group.lines) for group in groups]
    italic = [match[1] for text in texts if len(text) <= LONGEST_LABEL and (match := _ITALIC.fullmatch(text))]
    told = [(line, key(speaker_of(line))) for line in italic if is_label(line)]
    often = Counter(name for _, name in told)
    names = {line for line, name in told if often[name] >= 3}
    return [
        Item(
            "verse" if len(group.lines) > 1 else "paragraph",
            _plain(text, names),
            Place(path, "line", group.number + skipped, inside),
        )
        for group, text in zip(groups, texts, strict=True)
    ]


def _plain(text: str, names: AbstractSet[str]) -> str:
    """Without underscores; a block of nothing but italics gets a direction's brackets, unless it is one of the names
    that come again and again."""
    if "_" in text:
        italic = _ITALIC.fullmatch(text)
        directed = italic is not None and not italic[1].isupper() and italic[1] not in names
        text = f"({italic[1]})" if italic is not None and directed else UNDERSCORED.sub(r"\1", text)
    return f"{text}]" if len(text) <= 300 and _OPEN.match(text) else text


def _width(groups: Sequence[Lines]) -> int:
    """The length at which lines were broken: what all but the longest few keep to."""
    lengths = sorted(len(line.strip()) for group in groups for line in group.lines if len(group.lines) > 1)
    return lengths[int(0.98 * (len(lengths) - 1))] if lengths else 0


def unwrap(lines: Sequence[str], width: int) -> list[str]:
    """Prose on one line, verse as it stands: a line of verse ends where more words would have had room."""
    lines = [line.strip() for line in lines if line.strip()]
    if len(lines) < 2:
        return list(lines)
    short = [len(a) + 1 + len(b.split()[0]) <= width for a, b in zip(lines, lines[1:], strict=False)]
    capitals = sum(line[0].isupper() or not line[0].isalpha() for line in lines[1:])
    if sum(short) >= 0.5 * len(short) and (capitals >= 0.6 * len(short) or width < 50):
        return list(lines)
    return [" ".join(lines)]
