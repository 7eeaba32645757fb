"""The text of a TEI work as a book's items: divisions, paragraphs, verse, speeches; notes and formework aside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from quire.books import pulse
from quire.books.book import Matter
from quire.books.draft import SCENE_BREAK, Draft
from quire.books.markup import Element, tag
from quire.books.plays import parts as plays
from quire.books.tei.elements import (
    BREAKS,
    HARD,
    PARAGRAPHS,
    RUNNING,
    SOFT,
    breaks_end_verses,
    has_blocks,
    has_reason,
    is_division,
    is_scene_break,
    why_dropped,
)
from quire.books.tei.header import Header, flat
from quire.books.tei.inline import Inline, tidy

_CHAPTERS = frozenset(
    "chapter letter poem act acte acto atto akt scene scène prologue epilogue epistle sonnet canto story diary "
    "entry".split()
)
_ACTS = {"act": "Act", "acte": "Acte"}
_HEADED = frozenset(("body", "front", "back", "text", "group", "lg", "prologue", "epilogue"))
# What may stand between two headings without parting them.
_BETWEEN = BREAKS | {"fw", "note", "anchor", ""}


class Walk:
    """The walk over a text, from the outer division to the inner ones."""

    def __init__(self, draft: Draft, header: Header, everything: bool = False) -> None:
        self.draft = draft
        self.inline = Inline(draft, header)
        self.people = dict(header.people)
        self.everything = everything
        self.matter: Matter | None = None
        self.verses = False

    def read(self, text: Element) -> None:
        """The whole text."""
        self.verses = breaks_end_verses(text)
        self.block(text, 0)

    def block(self, element: Element, depth: int) -> None:
        """`depth` counts divisions, so that it ranks headings."""
        pulse.beat()
        name = tag(element)
        if not name:
            return
        division = is_division(name)
        reason = why_dropped(element, self.inline.in_front)
        if reason is not None and not (self.everything and reason):
            self.draft.drop(reason or "annotation", flat(element), self.inline.place(element))
        elif name == "note":
            self.inline.note(element)
        elif name == "head":
            self._head(element, depth)
        elif name == "lg":
            self._stanza(element, depth)
        elif name == "sp":
            self._speech(element)
        elif name == "stage":
            self.draft.add("direction", plays.direction(self.inline.line(element)), self.inline.place(element))
        elif name == "castlist":
            self._cast(element, depth)
        elif name == "milestone":
            if is_scene_break(element):
                self.draft.add("break", SCENE_BREAK, self.inline.place(element))
        elif name in ("front", "back", "body"):
            self._part(element, depth)
        elif name in PARAGRAPHS and not has_blocks(element):
            self._add("".join(self.inline.contents(element)), element)
        else:
            self._flow(element, depth + 1 if division else depth)

    def _part(self, element: Element, depth: int) -> None:
        """Front, body and back; those of a text inside a text stay where they are."""
        name = tag(element)
        inner = self.matter is not None and name != "body" and depth > 0
        before = self.matter
        if not inner:
            self._enter("front" if name == "front" else "back" if name == "back" else "body")
            self.draft.add("chapter", "", self.inline.place(element), matter=self.matter)
        self._flow(element, depth)
        if not inner and before is not None:
            self._enter(before)

    def _enter(self, matter: Matter) -> None:
        self.matter = matter
        self.inline.in_front = matter == "front"

    def _flow(self, element: Element, depth: int) -> None:
        """Blocks in order; text between them becomes paragraphs, verse lines that follow each other one stanza."""
        if is_division(tag(element)):
            self._open(element, depth)
        run: list[str] = [element.text or ""]
        lines: list[str] = []
        for child in element:
            name = tag(child)
            if name == "l" and not has_blocks(child):
                self._add("".join(run), element)
                run = []
                lines.append(self.inline.line(child))
            elif name in ("pb", "cb", "lb", "gb", "fw", "note", "anchor") or not name:
                run += filter(None, self.inline.inline(child, run[-1] if run else ""))
            elif self._stands_alone(child, element):
                self._add("".join(run), element)
                self._verse(lines, element)
                run, lines = [], []
                self.block(child, depth)
            else:
                run += filter(None, self.inline.inline(child, ""))
            run += filter(None, [child.tail])
            if lines and "".join(run).strip():
                self._verse(lines, element)
                lines = []
            elif lines:
                run = []
        self._add("".join(run), element)
        self._verse(lines, element)

    def _stands_alone(self, child: Element, parent: Element) -> bool:
        name = tag(child)
        if name in HARD or is_division(name) or name == "milestone":
            return True
        if has_reason(name):
            return tag(parent) not in RUNNING
        return name in SOFT and tag(parent) not in RUNNING or has_blocks(child)

    def _open(self, element: Element, depth: int) -> None:
        """A division without a heading: a chapter where its type or its rank says so, an act by its number."""
        if any(tag(child) == "head" for child in element):
            return
        kind = (element.get("type") or "").lower()
        number = (element.get("n") or "").strip()
        if kind in _ACTS and number and len(number) <= 4:
            self.draft.add("heading", f"{_ACTS[kind]} {number}", self.inline.place(element), depth, matter=self.matter)
        elif kind in _CHAPTERS or tag(element.getparent()) in ("body", "front", "back"):
            self.draft.add("chapter", "", self.inline.place(element), matter=self.matter)

    def _head(self, element: Element, depth: int) -> None:
        """The heading of a division; one of a list, a letter or an argument opens no chapter."""
        lines = [tidy(line) for line in "".join(self.inline.contents(element)).split("\v")]
        text = "\n".join(line for line in lines if line)
        parent = tag(element.getparent())
        if parent == "figure":
            self.draft.drop("caption", flat(element), self.inline.place(element))
        elif not is_division(parent) and parent not in _HEADED:
            self.draft.add("paragraph", text.replace("\n", " "), self.inline.place(element))
        elif text and self.draft.items and self.draft.items[-1].kind == "heading" and _follows_head(element):
            last = self.draft.items[-1]
            self.draft.items[-1] = replace(last, text=f"{last.text}\n{text}")
        else:
            level = max(1, depth + 1 if parent == "lg" else depth)
            self.draft.add("heading", text, self.inline.place(element), level, matter=self.matter)

    def _add(self, raw: str, element: Element) -> None:
        lines = self._lines(raw)
        self.draft.add("verse" if len(lines) > 1 else "paragraph", "\n".join(lines), self.inline.place(element))

    def _lines(self, raw: str) -> list[str]:
        """A paragraph on one line, or on those that its breaks end, where these are verses."""
        lines = [tidy(line) for line in (raw.split("\v") if self.verses else [raw])]
        return [line for line in lines if line]

    def _verse(self, lines: list[str], element: Element) -> None:
        self.draft.add("verse", "\n".join(line for line in lines if line), self.inline.place(element))

    def _stanza(self, element: Element, depth: int) -> None:
        """One block for the lines of a group; groups inside are stanzas of their own."""
        lines = [tidy(element.text or "")]
        for child in element:
            name = tag(child)
            if name == "l" and not has_blocks(child):
                lines.append(self.inline.line(child))
            elif name == "l" or name not in BREAKS | {"note", "fw", ""}:
                self._verse(lines, element)
                lines = []
                self.block(child, depth)
            else:
                lines.append(tidy("".join(self.inline.inline(child, ""))))
            if (child.tail or "").strip():
                lines.append(tidy(child.tail))
        self._verse(lines, element)

    def _cast(self, element: Element, depth: int) -> None:
        """Who is in a play: a line each under the list's heading, which opens a part of the front matter."""
        heads = [child for child in element if tag(child) == "head"]
        for head in heads:
            text, place = self.inline.line(head), self.inline.place(head)
            self.draft.add("heading", text, place, max(1, depth), matter=self.matter)
        lines: list[str] = []
        for line in self._said(element, heads):
            if isinstance(line, str):
                lines.append(line)
            else:
                self._verse(lines, element)
                lines = []
                self._speech(line)
        self._verse(lines, element)

    def _speech(self, element: Element) -> None:
        """The speaker's name on a line of its own, then what is said: lines of verse, or a line a paragraph.

        A speech inside another is one of its own; what follows it still belongs to the outer speaker.
        """
        speaker = next((child for child in element if tag(child) == "speaker"), None)
        label = self.inline.line(speaker) if speaker is not None else ""
        if not label:
            names = [self.people.get(who.lstrip("#"), "") for who in (element.get("who") or "").split()]
            label = ", ".join(name for name in names if name)
        name, place = plays.speaker_of(label), self.inline.place(element)
        lines: list[str] = []
        for line in self._said(element, [] if speaker is None else [speaker]):
            if isinstance(line, str):
                lines.append(line)
            else:
                self.draft.add("speech", plays.speech(label, lines), place, speaker=name)
                label, lines = "", []
                self._speech(line)
        self.draft.add("speech", plays.speech(label, lines), place, speaker=name)

    def _said(self, element: Element, told: Sequence[Element] = ()) -> Iterator[str | Element]:
        """The lines of a speech, however deep they stand, and the speeches inside it; without the children `told`."""
        run: list[str] = [element.text or ""]
        for child in element:
            name = tag(child)
            apart = name in HARD or is_division(name) or name in SOFT and has_blocks(child)
            if child in told:
                yield tidy("".join(run))
                run = []
            elif apart or name in ("stage", "speaker"):
                yield tidy("".join(run))
                run = []
                if name == "sp":
                    yield child
                elif name == "stage":
                    yield plays.direction(self.inline.line(child))
                elif name in ("p", "ab") and not has_blocks(child):
                    yield from self._lines("".join(self.inline.contents(child)))
                elif name in ("l", "speaker") and not has_blocks(child):
                    yield self.inline.line(child)
                else:
                    yield from self._said(child)
            else:
                run += filter(None, self.inline.inline(child, run[-1] if run else ""))
            run += filter(None, [child.tail])
        yield tidy("".join(run))


def _follows_head(element: Element) -> bool:
    """Whether another heading stands right before this one."""
    sibling = element.getprevious()
    while sibling is not None and tag(sibling) in _BETWEEN and not (sibling.tail or "").strip():
        sibling = sibling.getprevious()
    return sibling is not None and tag(sibling) == "head"
