"""Plays set without markup, as text, Word files and PDFs have them: names that begin speeches, directions, scenes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from quire.books.plays import parts as plays
from quire.books.plays.labels import Cast, find_cast, is_division, is_entrance, key

if TYPE_CHECKING:
    from quire.books.draft import Draft, Item, ItemKind

_BRACKETED = re.compile(r"\s*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]?)\s*[.,;]?\s*")
_OVER = re.compile(
    r"[\s*_(\[]*(?:the end|end|fin|finis|curtain|rideau|ende|(?:end of|fin d[eu]) .{1,60})[\s.*_)\]]*", re.I
)
_SCENE_REST = re.compile(
    r"^(?P<head>[^.:—–]*?(?:\w|\b[IVXLC]+|\d))\s*(?:\.\s*[—–-]+|[.:—–]|\s-\s)\s*(?P<rest>\S.*)$", re.DOTALL
)

_LONGEST_FRONT = 80

Unwrap = Callable[[Sequence[str]], list[str]]


def recognise(draft: Draft, items: list[Item], format: str | None) -> list[Item]:
    """The items as speeches and directions, where their form is surely a play's or the recipe says so."""
    if format not in (None, "plays") or draft.kind == "poems":
        return items
    if any(item.kind == "speech" for item in items):
        if format == "plays" or draft.kind == "plays" or plays.is_mostly_spoken(items):
            draft.kind = "plays"
            return join_marked(items)
        return items
    cast = find_cast(items, asked=format == "plays")
    if format == "plays" or cast is not None:
        draft.kind = "plays"
    return Scenes(cast).run(items) if cast is not None else items


def join_marked(items: Sequence[Item]) -> list[Item]:
    """A play whose speeches are marked: one that a direction interrupts goes on; a scene opens with where it plays."""
    joined: list[Item] = []
    opening = False
    for item in items:
        if item.kind in ("heading", "chapter"):
            opening = item.kind == "heading" and is_division(item.text)
        elif item.kind == "speech":
            opening = False
        elif item.kind == "paragraph" and (opening or _BRACKETED.fullmatch(item.text)):
            item = _as(item, "direction", item.text)
        elif item.kind in ("paragraph", "verse") and (at := _interrupted(joined)) is not None:
            text = "\n".join([part.text for part in joined[at:]] + [item.text])
            joined[at:] = [replace(joined[at], text=text)]
            continue
        joined.append(item)
    return joined


def _interrupted(items: Sequence[Item]) -> int | None:
    """Where the speech stands that ends in the directions at the end of the items."""
    at = len(items) - 1
    while at >= 0 and items[at].kind == "direction":
        at -= 1
    return at if 0 <= at < len(items) - 1 and items[at].kind == "speech" else None


def no_wrap(lines: Sequence[str]) -> list[str]:
    return list(lines)


@dataclass
class Scenes:
    """One pass over the items of a play."""

    cast: Cast
    unwrap: Unwrap = no_wrap
    done: list[Item] = field(default_factory=list)
    label: str = ""
    lines: list[str] = field(default_factory=list)
    # Where the speech began.
    opened: Item | None = None
    # Directions after a speech: inside it, if it goes on.
    waiting: list[Item] = field(default_factory=list)
    began: bool = False

    def run(self, items: Sequence[Item]) -> list[Item]:
        """The items with speeches and directions in place of their paragraphs."""
        first = _first_spoken(items, self.cast)
        for index, item in enumerate(items):
            if item.kind in ("note", "chapter"):
                self.done.append(item)
            elif item.kind in ("speech", "direction", "break"):
                self._close()
                self.done.append(item)
            elif is_division(item.text) and "\n" not in item.text.strip():
                self._division(item)
            elif index < first:
                self._front(item)
            elif item.kind == "heading" and self.cast.label(item.text) is None:
                self._close()
                self.done.append(item)
            else:
                self._block(item)
        self._close()
        return self.done

    def _division(self, item: Item) -> None:
        """An act's or scene's heading; what it says of the place or who is there becomes a direction."""
        self._close()
        self.began = True
        level = 1 if plays.is_act(item.text) else 2
        text = " ".join(item.text.split())
        split = _SCENE_REST.match(text)
        if split is not None and item.kind != "heading" and not is_division(split["rest"]):
            self._heading(item, split["head"], level)
            self._direction(split["rest"], item)
        elif split is not None and is_division(split["rest"]):
            # `ACT I. SCENE II. A street.`
            self._heading(item, split["head"], 1)
            self._division(_as(item, item.kind, split["rest"]))
        else:
            self._heading(item, text, level)

    def _heading(self, item: Item, text: str, level: int) -> None:
        self.done.append(replace(item, kind="heading", text=text, level=level))

    def _front(self, item: Item) -> None:
        """What stands before the play: its cast opens a chapter of front matter."""
        if plays.is_cast_heading(item.text):
            self.done.append(replace(item, kind="heading", level=1, matter="front"))
        else:
            self.done.append(item)

    def _direction(self, text: str, item: Item) -> None:
        self.done.append(_as(item, "direction", text))

    def _block(self, item: Item) -> None:
        lines = item.text.split("\n")
        if _OVER.fullmatch(item.text):
            self._close()
            self._direction(item.text, item)
            return
        run: list[str] = []
        for index, line in enumerate(lines):
            label = self.cast.label(line, index == 0)
            if label is not None and label.style == "mixed alone" and self._is_waited_for():
                # A word alone under a name: it is what is said.
                label = None
            if label is None:
                run.append(line)
                continue
            self._goes_on(run, item)
            run = []
            self._close()
            self.began = True
            self.label, self.opened = label.printed, item
            run = [label.rest] if label.rest else []
        self._goes_on(run, item)

    def _goes_on(self, lines: list[str], item: Item) -> None:
        """Lines without a label: the speech goes on, or something is done."""
        if not lines:
            return
        text = " ".join(line.strip() for line in lines)
        directed = bool(_BRACKETED.fullmatch(text)) or is_entrance(text)
        if directed and self.opened is None:
            self._direction(text, item)
        elif directed and self.lines:
            self.waiting.append(_as(item, "direction", text))
        elif self.opened is None:
            # Under a scene's heading: where it plays, who is there.
            if self.began and item.kind != "heading":
                self._direction(text, item)
            else:
                self.done.append(_as(item, item.kind, "\n".join(lines)))
        else:
            self.lines += [waiting.text for waiting in self.waiting]
            self.waiting = []
            self.lines += self.unwrap(lines)

    def _is_waited_for(self) -> bool:
        """Whether the last label has had no words, and is none of those who are there when a scene opens."""
        return self.opened is not None and not self.lines and not self.waiting and not self._opens_scene()

    def _opens_scene(self) -> bool:
        return bool(self.done) and self.done[-1].kind == "heading" and is_division(self.done[-1].text)

    def _close(self) -> None:
        """The speech so far is whole; names without words under a scene's heading are of those who are there."""
        if self.opened is not None and not self.lines and not self.waiting and self._opens_scene():
            self.done.append(_as(self.opened, "direction", self.label))
        elif self.opened is not None:
            spoken = _as(self.opened, "speech", plays.speech(self.label, self.lines))
            self.done.append(replace(spoken, speaker=plays.speaker_of(self.label), level=0))
        self.done += self.waiting
        self.label, self.lines, self.opened, self.waiting = "", [], None, []


def _as(item: Item, kind: ItemKind, text: str) -> Item:
    return replace(item, kind=kind, text=text)


def _first_spoken(items: Sequence[Item], cast: Cast) -> int:
    """Where the play begins: at its first act or scene, or at the first speech after the list of its persons."""
    told = [index for index, item in enumerate(items) if is_division(item.text)]
    persons = [index for index, item in enumerate(items) if plays.is_cast_heading(item.text)]
    after = persons[-1] + 1 if persons and persons[-1] < 0.5 * len(items) else 0
    beginning = next((index for index in told if index >= after), len(items))
    # A list of persons is shorter than this: what is said there is said in an act whose heading is missing.
    if beginning < len(items) and beginning <= max(_LONGEST_FRONT, 0.2 * len(items)):
        return beginning
    lines = (line for item in items for line in item.text.split("\n"))
    often = Counter(key(label.name) for line in lines if (label := cast.label(line)) is not None)
    for index in range(after, len(items)):
        label = cast.label(items[index].text.split("\n")[0])
        if label is None or "," in label.printed or often[key(label.name)] < 2:
            continue
        if _has_words(items[index : index + 2], cast):
            return index
    return after


def _has_words(items: Sequence[Item], cast: Cast) -> bool:
    """Whether a label has a speech to it, in its own block or the next."""
    lines = [line for item in items for line in item.text.split("\n")]
    first = cast.label(lines[0])
    assert first is not None
    if first.rest:
        return len(first.rest.split()) >= 3
    return len(lines) > 1 and cast.label(lines[1]) is None
