"""The walk over a page that turns its elements into a book's items."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from quire.books.book import Matter, Place
from quire.books.draft import LONGEST_BREAK, Draft, Item, ItemKind, is_scene_break
from quire.books.finishing import matter
from quire.books.markup import Element, formula_text, plain_text, squeeze
from quire.books.plays import parts as plays
from quire.books.web.looks import Look, Looks
from quire.books.web.note_links import NoteLinks, find_notes
from quire.books.web.tables import read_row
from quire.books.web.verse import are_lines, are_paragraphs, read_verse

# What an ordered list or a note's own mark leaves at its head.
_LABEL = re.compile(r"^(?:(?:[\[(]?(?:\d{1,4}|[*†‡§]{1,3})[\])]?[.:)]?|↑|\^)\s+|[\]).:]{1,2}\s*)")
_ENTITY = re.compile(r"&\w+;")
# Spaces that cannot be broken indent paragraphs, or keep empty ones from falling together.
_BLANK = " \v\xa0"
_BLANK_LINES = re.compile(r"(?:\s*\v\s*){2,}")
_SECTIONS = frozenset(("body", "section", "article", "div", "nav", "aside", "main"))
_STORY_TYPES = frozenset(("chapter", "part", "volume", "division", "prologue", "epilogue", "subchapter", "z3998:scene"))
_SIDES: dict[str, Matter] = {"frontmatter": "front", "bodymatter": "body", "backmatter": "back"}
_LONGEST_TITLE = 160
_LONGEST_SCRIPT = 200

Reason = Callable[[Element, Look], str | None]


def keep_all(_: Element, __: Look) -> str | None:
    """Nothing but what no page shows is left out."""
    return None


@dataclass
class Walk:
    """One pass over a page: fills a draft.  `inside` names the file in an archive.

    `reason` gives the words for an element that is to be left out, or None.  `labels` are headings that the book's
    contents have for places in this page.
    """

    draft: Draft
    inside: str = ""
    reason: Reason = keep_all
    looks: Looks = field(default_factory=Looks)
    links: NoteLinks | None = None
    labels: dict[Element, tuple[str, int]] = field(default_factory=dict)
    count: int = 0
    # Where in the draft's items the contents' labels belong, and where empty paragraphs stand.
    labelled: list[tuple[int, str, int]] = field(default_factory=list)
    blanks: list[int] = field(default_factory=list)
    side: Matter | None = None
    parts: list[str] = field(default_factory=list)
    _line: bool = False
    _story: int = 0
    _role: str = ""
    _closed: bool = False
    stanza: Element | None = None
    _directed: str = ""

    def place(self) -> Place:
        return Place(self.draft.path, "paragraph", 1 + self.count, self.inside)

    def run(self, root: Element) -> None:
        """All blocks under `root`, in order.  Its depth is bounded by the parser's (256 levels)."""
        if self.links is None:
            self.links = find_notes([(self.inside, root)], self.looks)
        self._notes, self._marks = self.links.notes, self.links.marks
        self._told = bool(self._notes or self.labels)
        self.block(root, self.looks.of(root), verse=False, note=False)

    def block(self, element: Element, look: Look, verse: bool, note: bool) -> None:
        stanza_of, self.stanza = self.stanza, None
        if look.gone or look.empty:
            self.gone(element, look)
            return
        if reason := self.reason(element, look):
            self.drop(reason, element)
            return
        if self.labels and element in self.labels:
            self.labelled.append((len(self.draft.items), *self.labels[element]))
        if look.kinds and look.name in _SECTIONS:
            self._section(element, look, verse, note)
            return
        note = note or look.note or element in self._notes
        self._plain_block(element, look, verse or look.verse, note, stanza_of)

    def _plain_block(self, element: Element, look: Look, verse: bool, note: bool, stanza_of: Element | None) -> None:
        name = look.name
        if look.heading:
            self._heading(element, look.heading, note)
        elif name == "hr":
            self.add("break", "* * *", note)
        elif name == "pre":
            self._pre(element, note)
        elif name == "hgroup":
            self._hgroup(element, note)
        elif name == "tr":
            read_row(self, element, verse, note)
        elif look.scene_break and not note and not _holds_image_letter(element) and len(plain_text(element)) <= 20:
            self.add("break", "* * *", note)
        elif (look.titled or look.subtitled) and not note and self._titles(element, look):
            pass
        elif look.initial and not note and self._initial(element):
            pass
        elif (verse or look.verse_line) and name not in ("table", "tbody", "thead", "ul", "ol", "dl"):
            read_verse(self, element, look, note, stanza_of)
        else:
            before = len(self.draft.items)
            self.flow(element, verse, note)
            self.flush(verse, note)
            if name == "p" and len(self.draft.items) == before and not note:
                self.blanks.append(before)

    def _initial(self, element: Element) -> bool:
        """A letter set large in a block of its own begins the paragraph that follows."""
        letter = plain_text(element)
        following = element.getnext()
        if not (0 < len(letter) <= 2 and letter[-1:].isalpha()) or following is None:
            return False
        rest = plain_text(following)
        if not rest[:1].isalpha() or self.looks.of(following).heading:
            return False
        following.text = letter + (following.text or "").lstrip()
        return True

    def _section(self, element: Element, look: Look, verse: bool, note: bool) -> None:
        """A part of the book that says what it is: its role and side are written on what opens it."""
        side, self.side = self.side, next((_SIDES[kind] for kind in look.kinds if kind in _SIDES), self.side)
        role = "" if self._role or note else matter.role_of_type(look.kinds)
        note = note or look.note or element in self._notes
        if role and (not self._story or role in matter.MACHINERY) and not note:
            self.draft.items.append(Item("chapter", "", self.place(), matter=self.side, role=role))
            self._role = role
            self._plain_block(element, look, verse or look.verse, note, None)
            self._role = ""
            self._closed = True
        else:
            story = bool(look.kinds & _STORY_TYPES)
            self._story += story
            self._plain_block(element, look, verse or look.verse, note, None)
            self._story -= story
        self.side = side

    def flow(self, element: Element, verse: bool, note: bool) -> None:
        """Inline text gathers in the run; blocks among it are walked."""
        run, looks, labels = self.parts, self.looks, self.labels
        text = element.text
        if text and (run or not text.isspace()):
            run.append(text)
        short = not (verse or note or self._line)
        for child in element:
            items = child.items()
            look = looks.known.get((child.tag, *items) if items else child.tag) or looks.of(child)
            if look.plain:
                if labels and child in labels:
                    self.labelled.append((len(self.draft.items), *labels[child]))
                if len(child):
                    self.flow(child, verse, note)
                elif text := child.text:
                    run.append(text)
            elif look.paragraph and short and not (self._told and (child in self._notes or child in labels)):
                if run:
                    self.flush(verse, note)
                self._paragraph(child, look)
            elif not look.block or look.gone:
                self.inline(child, look, verse, note)
            elif self._line:
                if self.reason(child, look) is None:
                    run.append("\v")
                    self.flow(child, verse, note)
                    run.append("\v")
                else:
                    self.drop(self.reason(child, look) or "", child)
            else:
                if run:
                    self.flush(verse, note)
                self.block(child, look, verse, note)
            text = child.tail
            if text and (run or not text.isspace()):
                run.append(text)

    def _paragraph(self, element: Element, look: Look) -> None:
        """A block that is a paragraph and no more: most of every book, so that it goes the short way."""
        self.stanza = None
        if reason := self.reason(element, look):
            self.drop(reason, element)
            return
        items = self.draft.items
        before = len(items)
        if len(element):
            self.flow(element, verse=False, note=False)
            self.flush(verse=False, note=False)
        elif text := element.text:
            self._add_paragraph(text)
        if len(items) == before:
            self.blanks.append(before)

    def _add_paragraph(self, text: str) -> None:
        """The words between the tags of a paragraph that is none of a note's.

        Two spaces in a row are found when the whole book is cleaned: to look for them twice is a tenth of the walk.
        """
        if "\n" in text or "\t" in text or "\r" in text or "\f" in text:
            text = squeeze(text)
        text = text.strip(_BLANK)
        if len(text) <= LONGEST_BREAK or self._closed:
            self.add("paragraph", squeeze(text), note=False)
            return
        self.count += 1
        draft = self.draft
        draft.items.append(Item("paragraph", text, Place(draft.path, "paragraph", self.count, self.inside)))

    def inline(self, element: Element, look: Look, verse: bool, note: bool) -> None:
        """An inline element that is more than its text."""
        name = look.name
        if look.gone:
            self.gone(element, look)
        elif name == "br":
            self.parts.append("\v")
        elif look.mark or element in self._marks:
            self._mark(element)
        elif reason := self.reason(element, look):
            self.drop(reason, element)
        elif look.empty:
            pass
        elif "stage-direction" in look.kinds:
            self._direction(element, verse, note)
        elif name in ("img", "image"):
            self._image(element)
        elif name == "math":
            self.parts.append(formula_text(element))
        elif name == "q":
            self.parts.append("“")
            self.flow(element, verse, note)
            self.parts.append("”")
        else:
            if self.labels and element in self.labels:
                self.labelled.append((len(self.draft.items), *self.labels[element]))
            self.flow(element, verse or look.typed_verse, note)

    def _mark(self, element: Element) -> None:
        """A note's mark leaves the text, with brackets that stand around it."""
        text = plain_text(element)
        before = self.parts[-1].rstrip(" \n") if self.parts else ""
        tail = element.tail or ""
        if before[-1:] in "[(" and before and tail[:1] in "])" and tail:
            self.parts[-1] = before[:-1]
            element.tail = tail[1:]
            text = before[-1] + text + tail[0]
        if text:
            self.draft.drop("note mark", text, self.place())

    def _image(self, element: Element) -> None:
        """A letter drawn large at the head of a paragraph is text."""
        letter = (element.get("alt") or "").strip()
        if 0 < len(letter) <= 2 and letter.isalpha() and (element.tail or "")[:1].isalpha() and not self._running():
            self.parts.append(letter)

    def _running(self) -> bool:
        return any(part.strip() for part in self.parts)

    def _direction(self, element: Element, verse: bool, note: bool) -> None:
        """A stage direction that only its markup tells from what is spoken gets round brackets."""
        before = "".join(self.parts[-2:]).rstrip()
        start = len(self.parts)
        self.flow(element, verse, note)
        text = squeeze("".join(self.parts[start:])).strip()
        del self.parts[start:]
        if text:
            self._directed = text if before.endswith(("(", "[")) else plays.direction(text)
            self.parts.append(self._directed)

    def flush(self, verse: bool, note: bool) -> None:
        """The run as a paragraph: `\\v` stands for a `<br>`; two of them part paragraphs."""
        if not self.parts:
            return
        text = "".join(self.parts)
        self.parts.clear()
        if not (note or self._directed or "\v" in text):
            self._add_paragraph(text)
            return
        text = squeeze(text).strip(_BLANK)
        directed, self._directed = self._directed, ""
        if not text:
            return
        if "\v" not in text:
            self.add("direction" if text == directed and not note else "paragraph", text, note)
            return
        for part in _BLANK_LINES.split(text):
            lines = [line for line in (line.strip(" ") for line in part.split("\v")) if line]
            if not verse and are_paragraphs(lines):
                for line in lines:
                    self.add("paragraph", line, note)
            elif len(lines) > 1 and (verse or are_lines(lines)):
                self.add("verse", "\n".join(lines), note)
            elif lines:
                self.add("paragraph", " ".join(lines), note)

    def text_of(self, element: Element, note: bool = False) -> list[str]:
        """The lines of an element that is read for itself: a heading, a stanza, a cell."""
        run, self.parts = self.parts, []
        line, self._line = self._line, True
        self.flow(element, verse=False, note=note)
        text = squeeze("".join(self.parts))
        self.parts, self._line = run, line
        return [part for part in (part.strip(" ") for part in text.split("\v")) if part]

    def _heading(self, element: Element, level: int, note: bool) -> None:
        if note:
            self.drop("label of notes", element)
            return
        self._add_heading("\n".join(self.text_of(element)) or _alt(element), level)

    def _add_heading(self, text: str, level: int) -> None:
        if text.strip():
            self._open()
            self.draft.items.append(Item("heading", text, self.place(), level, matter=self.side))
        self.count += 1

    def _hgroup(self, element: Element, note: bool) -> None:
        """A title and its subtitles are one heading, at the rank of the highest."""
        if note:
            self.drop("label of notes", element)
            return
        levels = [level for inner in element.iter() if (level := self.looks.of(inner).heading)]
        self._add_heading("\n".join(self.text_of(element)), min(levels, default=2))

    def _titles(self, element: Element, look: Look) -> bool:
        """A short paragraph that its class calls a heading, or the second line of the heading right above it."""
        if self.holds_block(element) or not 0 < len(plain_text(element)) <= _LONGEST_TITLE:
            return False
        last = self.draft.items[-1] if self.draft.items else None
        if look.titled:
            self._add_heading("\n".join(self.text_of(element)), 2)
            return True
        if last is None or last.kind != "heading" or "\n" in last.text or last.place.inside != self.inside:
            return False
        last.text = "\n".join([last.text, *self.text_of(element)])
        return True

    def holds_block(self, element: Element) -> bool:
        return any(self.looks.of(inner).block for inner in element.iterdescendants())

    def _pre(self, element: Element, note: bool) -> None:
        """Preformatted text is read as plain lines."""
        from quire.books.plain.txt import read_lines

        text = "".join(map(str, element.itertext())).replace("\r", "")
        if note:
            self.add("paragraph", squeeze(text), note)
        elif text.strip():
            self._open()
            read_lines(self.draft, text, inside=self.inside)

    def gone(self, element: Element, look: Look) -> None:
        text = plain_text(element) if look.name else squeeze(element.text or "").strip()
        if look.name in ("script", "style") and len(text) > _LONGEST_SCRIPT:
            text = f"{text[:_LONGEST_SCRIPT]} …"
        reason = "unknown entity" if look.gone == "comment" and _ENTITY.fullmatch(text) else look.gone
        if text:
            self.draft.drop(reason or "hidden text", text, self.place())

    def drop(self, reason: str, element: Element) -> None:
        self.draft.drop(reason, plain_text(element), self.place())

    def _open(self) -> None:
        """What follows a part with a role of its own belongs to a chapter of its own."""
        if self._closed:
            self._closed = False
            self.draft.items.append(Item("chapter", "", self.place(), matter=self.side))

    def add(self, kind: ItemKind, text: str, note: bool) -> None:
        """One more item, or a note of these words."""
        if note:
            if kind != "break" and text:
                self.draft.add("note", _LABEL.sub("", text), self.place())
        elif text:
            if self._closed:
                self._open()
            if len(text) <= LONGEST_BREAK and kind == "paragraph" and is_scene_break(text):
                kind = "break"
            draft = self.draft
            draft.items.append(Item(kind, text, Place(draft.path, "paragraph", 1 + self.count, self.inside)))
        self.count += bool(text)


def _alt(element: Element) -> str:
    """What the pictures in a heading say instead of words."""
    alts = [str(inner.get("alt") or "") for inner in element.iter("{http://www.w3.org/1999/xhtml}img", "img")]
    return " ".join(" ".join(alts).split())[:_LONGEST_TITLE]


def _holds_image_letter(element: Element) -> bool:
    return bool(_alt(element)) and len(_alt(element)) <= 2
