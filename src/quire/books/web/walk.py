"""The walk over a page that turns its elements into a book's items."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from quire.books import matter
from quire.books.book import Matter, Place
from quire.books.draft import Draft, Item, ItemKind, is_scene_break
from quire.books.plays import parts as plays
from quire.books.web.looks import Look, Looks
from quire.books.web.markup import Element, formula_text, plain_text, squeeze
from quire.books.web.note_links import NoteLinks, find_notes

# What an ordered list or a note's own mark leaves at its head.
_LABEL = re.compile(r"^(?:(?:[\[(]?(?:\d{1,4}|[*†‡§]{1,3})[\])]?[.:)]?|↑|\^)\s+|[\]).:]{1,2}\s*)")
_ENTITY = re.compile(r"&\w+;")
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
    _run: list[str] = field(default_factory=list)
    _line: bool = False
    _story: int = 0
    _role: str = ""
    _closed: bool = False
    _stanza_of: Element | None = None
    _directed: str = ""
    _speaker: str = ""

    def place(self) -> Place:
        return Place(self.draft.path, "paragraph", 1 + self.count, self.inside)

    def run(self, root: Element) -> None:
        """All blocks under `root`, in order.  Its depth is bounded by the parser's (256 levels)."""
        if self.links is None:
            self.links = find_notes([(self.inside, root)], self.looks)
        self._notes, self._marks = self.links.notes, self.links.marks
        self._told = bool(self._notes or self.labels)
        self._block(root, self.looks.of(root), verse=False, note=False)

    def _block(self, element: Element, look: Look, verse: bool, note: bool) -> None:
        stanza_of, self._stanza_of = self._stanza_of, None
        if look.gone or look.empty:
            self._gone(element, look)
            return
        if reason := self.reason(element, look):
            self._drop(reason, element)
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
            self._add("break", "* * *", note)
        elif name == "pre":
            self._pre(element, note)
        elif name == "hgroup":
            self._hgroup(element, note)
        elif name == "tr":
            self._row(element, verse, note)
        elif look.scene_break and not note and not _holds_image_letter(element) and len(plain_text(element)) <= 20:
            self._add("break", "* * *", note)
        elif (look.titled or look.subtitled) and not note and self._titles(element, look):
            pass
        elif verse and name not in ("table", "tbody", "thead", "ul", "ol", "dl"):
            self._verse(element, look, note, stanza_of)
        else:
            before = len(self.draft.items)
            self._flow(element, verse, note)
            self._flush(verse, note)
            if name == "p" and len(self.draft.items) == before and not note:
                self.blanks.append(before)

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

    def _flow(self, element: Element, verse: bool, note: bool) -> None:
        """Inline text gathers in the run; blocks among it are walked."""
        run, of = self._run, self.looks.of
        text = element.text
        if text and (run or not text.isspace()):
            run.append(text)
        for child in element:
            look = of(child)
            if look.plain:
                if self.labels and child in self.labels:
                    self.labelled.append((len(self.draft.items), *self.labels[child]))
                if len(child):
                    self._flow(child, verse, note)
                elif child.text:
                    run.append(child.text)
            elif not look.block or look.gone:
                self._inline(child, look, verse, note)
            elif self._line:
                if self.reason(child, look) is None:
                    run.append("\v")
                    self._flow(child, verse, note)
                    run.append("\v")
                else:
                    self._drop(self.reason(child, look) or "", child)
            else:
                if run:
                    self._flush(verse, note)
                if look.paragraph and not verse and not note and not self._told:
                    self._paragraph(child, look)
                else:
                    self._block(child, look, verse, note)
            text = child.tail
            if text and (run or not text.isspace()):
                run.append(text)

    def _paragraph(self, element: Element, look: Look) -> None:
        """A block that is a paragraph and no more: most of every book, so that it goes the short way."""
        self._stanza_of = None
        if reason := self.reason(element, look):
            self._drop(reason, element)
            return
        items = self.draft.items
        before = len(items)
        if len(element):
            self._flow(element, verse=False, note=False)
        elif element.text:
            self._run.append(element.text)
        self._flush(verse=False, note=False)
        if len(items) == before:
            self.blanks.append(before)

    def _inline(self, element: Element, look: Look, verse: bool, note: bool) -> None:
        """An inline element that is more than its text."""
        name = look.name
        if look.gone:
            self._gone(element, look)
        elif name == "br":
            self._run.append("\v")
        elif look.mark or element in self._marks:
            self._mark(element)
        elif reason := self.reason(element, look):
            self._drop(reason, element)
        elif look.empty:
            pass
        elif "stage-direction" in look.kinds:
            self._direction(element, verse, note)
        elif name in ("img", "image"):
            self._image(element)
        elif name == "math":
            self._run.append(formula_text(element))
        elif name == "q":
            self._run.append("“")
            self._flow(element, verse, note)
            self._run.append("”")
        else:
            if self.labels and element in self.labels:
                self.labelled.append((len(self.draft.items), *self.labels[element]))
            self._flow(element, verse or look.typed_verse, note)

    def _mark(self, element: Element) -> None:
        """A note's mark leaves the text, with brackets that stand around it."""
        text = plain_text(element)
        before = self._run[-1].rstrip(" \n") if self._run else ""
        tail = element.tail or ""
        if before[-1:] in "[(" and before and tail[:1] in "])" and tail:
            self._run[-1] = before[:-1]
            element.tail = tail[1:]
            text = before[-1] + text + tail[0]
        if text:
            self.draft.drop("note mark", text, self.place())

    def _image(self, element: Element) -> None:
        """A letter drawn large at the head of a paragraph is text."""
        letter = (element.get("alt") or "").strip()
        if 0 < len(letter) <= 2 and letter.isalpha() and (element.tail or "")[:1].isalpha() and not self._running():
            self._run.append(letter)

    def _running(self) -> bool:
        return any(part.strip() for part in self._run)

    def _direction(self, element: Element, verse: bool, note: bool) -> None:
        """A stage direction that only its markup tells from what is spoken gets round brackets."""
        before = "".join(self._run[-2:]).rstrip()
        start = len(self._run)
        self._flow(element, verse, note)
        text = squeeze("".join(self._run[start:])).strip()
        del self._run[start:]
        if text:
            self._directed = text if before.endswith(("(", "[")) else plays.direction(text)
            self._run.append(self._directed)

    def _flush(self, verse: bool, note: bool) -> None:
        """The run as a paragraph: `\\v` stands for a `<br>`; two of them part paragraphs."""
        if not self._run:
            return
        text = squeeze("".join(self._run)).strip(" \v") if len(self._run) > 1 else squeeze(self._run[0]).strip(" \v")
        self._run.clear()
        directed, self._directed = self._directed, ""
        if not text:
            return
        if "\v" not in text:
            self._add("direction" if text == directed and not note else "paragraph", text, note)
            return
        for part in _BLANK_LINES.split(text):
            lines = [line for line in (line.strip(" ") for line in part.split("\v")) if line]
            if len(lines) > 1 and (verse or _short(lines)):
                self._add("verse", "\n".join(lines), note)
            elif lines:
                self._add("paragraph", " ".join(lines), note)

    def _text(self, element: Element, note: bool = False) -> list[str]:
        """The lines of an element that is read for itself: a heading, a stanza, a cell."""
        run, self._run = self._run, []
        line, self._line = self._line, True
        self._flow(element, verse=False, note=note)
        text = squeeze("".join(self._run))
        self._run, self._line = run, line
        return [part for part in (part.strip(" ") for part in text.split("\v")) if part]

    def _heading(self, element: Element, level: int, note: bool) -> None:
        if note:
            self._drop("label of notes", element)
            return
        text = "\n".join(self._text(element)) or _alt(element)
        self._add_heading(text, level)

    def _add_heading(self, text: str, level: int) -> None:
        if text.strip():
            self._open()
            self.draft.items.append(Item("heading", text, self.place(), level, matter=self.side))
        self.count += 1

    def _hgroup(self, element: Element, note: bool) -> None:
        """A title and its subtitles are one heading, at the rank of the highest."""
        if note:
            self._drop("label of notes", element)
            return
        levels = [level for inner in element.iter() if (level := self.looks.of(inner).heading)]
        self._add_heading("\n".join(self._text(element)), min(levels, default=2))

    def _titles(self, element: Element, look: Look) -> bool:
        """A short paragraph that its class calls a heading, or the second line of the heading right above it."""
        if self._holds_block(element) or not 0 < len(plain_text(element)) <= _LONGEST_TITLE:
            return False
        last = self.draft.items[-1] if self.draft.items else None
        if look.titled:
            self._add_heading("\n".join(self._text(element)), 2)
            return True
        if last is None or last.kind != "heading" or "\n" in last.text or last.place.inside != self.inside:
            return False
        last.text = "\n".join([last.text, *self._text(element)])
        return True

    def _holds_block(self, element: Element) -> bool:
        return any(self.looks.of(inner).block for inner in element.iterdescendants())

    def _verse(self, element: Element, look: Look, note: bool, stanza_of: Element | None) -> None:
        """Lines of verse: parted by `<br>`, one `<span>` each, or one block each."""
        if not self._holds_block(element):
            lines = self._lines(element, note)
            parent = element.getparent()
            last = self.draft.items[-1] if self.draft.items else None
            if len(lines) == 1 and stanza_of is not None and stanza_of is parent and last and last.kind == "verse":
                last.text = f"{last.text}\n{lines[0]}"
            elif lines:
                self._add("verse", "\n".join(lines), note)
            if len(lines) == 1 and not look.kinds and not note:
                self._stanza_of = parent
            return
        merged = look.stanza or not look.typed_verse
        lines = []

        def close() -> None:
            if lines:
                self._add("verse", "\n".join(lines), note)
                lines.clear()

        def loose() -> None:
            text = squeeze("".join(self._run))
            self._run.clear()
            lines.extend(part for part in (part.strip(" ") for part in text.split("\v")) if part)

        self._run.append(element.text or "")
        for child in element:
            inner = self.looks.of(child)
            if not inner.block and not inner.gone:
                if inner.plain:
                    self._flow(child, verse=True, note=note)
                else:
                    self._inline(child, inner, verse=True, note=note)
            else:
                loose()
                leaf = inner.name in ("p", "div", "li", "dd", "line") and not (
                    inner.gone or inner.heading or inner.note or self._holds_block(child)
                )
                found = self._lines(child, note) if leaf and self.reason(child, inner) is None else []
                if len(found) == 1 and (merged or inner.line):
                    lines.append(found[0])
                else:
                    close()
                    if found:
                        self._add("verse", "\n".join(found), note)
                    elif not leaf:
                        self._block(child, inner, verse=True, note=note)
                        self._stanza_of = None
            self._run.append(child.tail or "")
        loose()
        close()

    def _lines(self, element: Element, note: bool) -> list[str]:
        """The lines of a leaf of verse."""
        spans = [child for child in element if self.looks.of(child).name == "span"]
        if len(spans) < 2 or len(spans) != len(element) or (element.text or "").strip():
            return self._text(element, note)
        if any((span.tail or "").strip() or self.looks.of(span).gone for span in spans):
            return self._text(element, note)
        return [line for span in spans for line in self._text(span, note)]

    def _row(self, element: Element, verse: bool, note: bool) -> None:
        """A row of a table: a speech with its speaker, or one line where its cells hold no blocks."""
        cells = [child for child in element if self.looks.of(child).name in ("td", "th")]
        persona = next((cell for cell in cells if "persona" in self.looks.of(cell).kinds), None)
        if persona is not None and not note:
            self._speech(persona, cells)
        elif len(cells) > 1 and not verse and not any(map(self._holds_block, cells)):
            parts = [" ".join(self._text(cell)) for cell in cells if not self._is_gone(cell)]
            self._add("paragraph", " ".join(part for part in parts if part), note)
        else:
            self._flow(element, verse, note)
            self._flush(verse, note)

    def _is_gone(self, element: Element) -> bool:
        look = self.looks.of(element)
        if look.gone:
            self._gone(element, look)
        return bool(look.gone)

    def _speech(self, persona: Element, cells: list[Element]) -> None:
        """One speech of a play set as a table: who speaks in one cell, the words in the others."""
        label = " ".join(self._text(persona))
        items = self.draft.items
        before = len(items)
        for cell in cells:
            if cell is not persona and not self._is_gone(cell):
                self._flow(cell, verse=bool(self.looks.of(cell).verse), note=False)
                self._flush(verse=bool(self.looks.of(cell).verse), note=False)
        said = items[before:]
        body = [item.text for item in said if item.kind in ("paragraph", "verse", "direction")]
        if not said or not label or any(item.kind not in ("paragraph", "verse", "direction", "note") for item in said):
            return
        notes = [item for item in said if item.kind == "note"]
        items[before:] = [
            Item("speech", plays.speech(label, body), said[0].place, speaker=plays.speaker_of(label)),
            *notes,
        ]

    def _pre(self, element: Element, note: bool) -> None:
        """Preformatted text is read as plain lines."""
        from quire.books.plain.txt import read_lines

        text = "".join(map(str, element.itertext())).replace("\r", "")
        if note:
            self._add("paragraph", squeeze(text), note)
        elif text.strip():
            self._open()
            read_lines(self.draft, text, inside=self.inside)

    def _gone(self, element: Element, look: Look) -> None:
        text = plain_text(element) if look.name else squeeze(element.text or "").strip()
        if look.name in ("script", "style") and len(text) > _LONGEST_SCRIPT:
            text = f"{text[:_LONGEST_SCRIPT]} …"
        reason = "unknown entity" if look.gone == "comment" and _ENTITY.fullmatch(text) else look.gone
        if text:
            self.draft.drop(reason or "hidden text", text, self.place())

    def _drop(self, reason: str, element: Element) -> None:
        self.draft.drop(reason, plain_text(element), self.place())

    def _open(self) -> None:
        """What follows a part with a role of its own belongs to a chapter of its own."""
        if self._closed:
            self._closed = False
            self.draft.items.append(Item("chapter", "", self.place(), matter=self.side))

    def _add(self, kind: ItemKind, text: str, note: bool) -> None:
        if not text:
            return
        if note:
            if kind != "break":
                self.draft.add("note", _LABEL.sub("", text), self.place())
        else:
            if self._closed:
                self._open()
            if kind == "paragraph" and len(text) <= 40 and is_scene_break(text):
                kind = "break"
            self.draft.items.append(Item(kind, text, self.place()))
        self.count += 1


def _short(lines: list[str]) -> bool:
    """Whether lines parted by `<br>` were meant as lines: an address or verse, not a paragraph broken by a
    converter.
    """
    low = sum(line[:1].islower() for line in lines[1:])
    return sum(map(len, lines)) / len(lines) <= 90 and low <= 0.5 * (len(lines) - 1) or len(lines) == 2


def _alt(element: Element) -> str:
    """What the pictures in a heading say instead of words."""
    alts = [str(inner.get("alt") or "") for inner in element.iter("{http://www.w3.org/1999/xhtml}img", "img")]
    return " ".join(" ".join(alts).split())[:_LONGEST_TITLE]


def _holds_image_letter(element: Element) -> bool:
    return bool(_alt(element)) and len(_alt(element)) <= 2
