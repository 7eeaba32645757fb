"""The text of a TEI work as a book's items: divisions, paragraphs, verse, speeches; notes and formework aside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5

from quire.books.book import Matter, Place
from quire.books.draft import Draft
from quire.books.plays import parts as plays
from quire.books.tei.header import Header, flat
from quire.books.walls import pulse
from quire.books.web.markup import Element, tag

_WHITE = re.compile(r"[ \t\r\n]+")
_DIVS = re.compile(r"div\d?")
_DROPPED = {
    "fw": "running head",
    "figdesc": "caption",
    "titlepage": "title page",
    "doctitle": "title page",
    "docauthor": "title page",
    "docdate": "imprint",
    "docimprint": "imprint",
    "docedition": "imprint",
    "imprimatur": "imprint",
    "teiheader": "",
    "index": "index",
    "del": "deletion",
    "rdg": "variant reading",
    "facsimile": "",
    "standoff": "",
    "spangrp": "",
    "linkgrp": "",
}
_DROPPED_TYPES = {
    "titlepage": "title page",
    "title": "title page",
    "halftitle": "title page",
    "toc": "contents",
    "contents": "contents",
    "tableofcontents": "contents",
    "listofillustrations": "list of illustrations",
    "index": "index",
    "imprint": "imprint",
    "publisher": "imprint",
    "printer": "imprint",
    "colophon": "colophon",
    "license": "imprint",
    "licence": "imprint",
    "copyright": "imprint",
    "privilege": "imprint",
    "approbation": "imprint",
    "acheveimprime": "imprint",
    "achevéimprimé": "imprint",
    "acheveimprimer": "imprint",
    "errata": "errata",
    "advert": "advertisement",
    "adverts": "advertisement",
    "advertisement": "advertisement",
    "publishersadvertisement": "advertisement",
    "ad": "advertisement",
}
# What goes where it is on the page of a title, and is text elsewhere: a letter's date, a byline.
_IN_FRONT = frozenset(("docauthor", "docdate", "docimprint", "doctitle", "docedition", "imprimatur"))
# The reading that goes, where a choice holds its partner too.
_SECOND = {"sic": ("corr",), "orig": ("reg",), "expan": ("abbr",), "am": ("ex",)}
_PARAGRAPHS = frozenset(
    "p ab salute signed dateline byline trailer item row castitem titlepart label line docauthor docdate".split()
)
_HARD = _PARAGRAPHS | frozenset(
    "head lg l sp list listbibl table castlist castgroup floatingtext opener closer postscript argument epigraph "
    "letter set prologue epilogue performance body front back group text titlepage doctitle docimprint spgrp".split()
)
# Parts of a paragraph inside one, blocks of their own outside of it.
_SOFT = frozenset("q quote said cit figure stage bibl".split())
_RUNNING = frozenset("p ab item l row cell head salute signed dateline byline trailer label castitem note".split())
_BREAKS = frozenset(("lb", "pb", "cb", "gb", "milestone"))
_CHAPTERS = frozenset(
    "chapter letter poem act acte acto atto akt scene scène prologue epilogue epistle sonnet canto story diary "
    "entry".split()
)
_ACTS = {"act": "Act", "acte": "Acte"}
_JOINED = re.compile("[-\u00ad\u2010¬∣]?\\s*\x03\\s*")
_AROUND = re.compile(r"(?P<before>(?<=[^\s(\[]))?\x01|\x02(?P<after>(?=[\w“‘«\"'(]))?")
_MARK = re.compile(r"[\[(]?(?:\d{1,4}|[*†‡]+)[\])]?")
_RENDERED = re.compile(r"\b(PRE|POST)\((.{1,3}?)\)")


class Walk:
    """The walk over a text, from the outer division to the inner ones."""

    def __init__(self, draft: Draft, header: Header, everything: bool = False) -> None:
        self.draft = draft
        self.header = header
        self.people = dict(header.people)
        self.everything = everything
        self.matter: Matter | None = None
        self.marks = ("« ", " »") if header.language.startswith("fr") else ("“", "”")

    def _place(self, element: Element) -> Place:
        return Place(self.draft.path, "line", int(element.sourceline or 0))

    def block(self, element: Element, depth: int) -> None:
        """`depth` counts divisions, so that it ranks headings."""
        pulse.beat()
        name = tag(element)
        if not name:
            return
        division = bool(_DIVS.fullmatch(name))
        reason = self._reason(element)
        if reason is not None and not (self.everything and reason):
            self.draft.drop(reason, flat(element), self._place(element))
        elif name == "note":
            self._note(element)
        elif name == "head":
            self._head(element, depth)
        elif name == "lg":
            self._stanza(element, depth)
        elif name == "sp":
            self._speech(element)
        elif name == "stage":
            self.draft.add("direction", plays.direction(self._line(element)), self._place(element))
        elif name == "castlist":
            self._cast(element, depth)
        elif name == "milestone":
            if element.get("rend") or element.get("unit") in ("subchapter", "section", "scene", "break"):
                self.draft.add("break", "* * *", self._place(element))
        elif name in ("front", "back", "body"):
            self._part(element, depth)
        elif name in _PARAGRAPHS and not _has_blocks(element):
            self._add("".join(self._contents(element)), element)
        else:
            self._flow(element, depth + 1 if division else depth)

    def _reason(self, element: Element) -> str | None:
        """Why an element is left out: `""` for what is no text at all, None for what stays."""
        name = tag(element)
        if name in _IN_FRONT and self.matter != "front":
            return None
        if name in _DROPPED:
            return _DROPPED[name] if name != "rdg" or _has_reading(element) else None
        if _DIVS.fullmatch(name):
            kind = re.sub(r"[\s_-]", "", (element.get("type") or "").lower())
            return _DROPPED_TYPES.get(kind)
        return None

    def _part(self, element: Element, depth: int) -> None:
        """Front, body and back; those of a text inside a text stay where they are."""
        name = tag(element)
        inner = self.matter is not None and name != "body" and depth > 0
        before = self.matter
        if not inner:
            self.matter = "front" if name == "front" else "back" if name == "back" else "body"
            self.draft.add("chapter", "", self._place(element), matter=self.matter)
        self._flow(element, depth)
        if not inner and before is not None:
            self.matter = before

    def _flow(self, element: Element, depth: int) -> None:
        """Blocks in order; text between them becomes paragraphs, verse lines that follow each other one stanza."""
        if _DIVS.fullmatch(tag(element)):
            self._open(element, depth)
        run: list[str] = [element.text or ""]
        lines: list[str] = []
        for child in element:
            name = tag(child)
            if name == "l" and not _has_blocks(child):
                self._add("".join(run), element)
                run = []
                lines.append(self._line(child))
            elif name in ("pb", "cb", "lb", "gb", "fw", "note", "anchor") or not name:
                run.extend(self._inline(child, "".join(run)))
            elif self._stands_alone(child, element):
                self._add("".join(run), element)
                self._verse(lines, element)
                run, lines = [], []
                self.block(child, depth)
            else:
                run.extend(self._inline(child, ""))
            run.append(child.tail or "")
            if lines and "".join(run).strip():
                self._verse(lines, element)
                lines = []
        self._add("".join(run), element)
        self._verse(lines, element)

    def _stands_alone(self, child: Element, parent: Element) -> bool:
        name = tag(child)
        if name in _HARD or _DIVS.fullmatch(name) or name == "milestone":
            return True
        if name in _DROPPED:
            return tag(parent) not in _RUNNING
        return name in _SOFT and tag(parent) not in _RUNNING or _has_blocks(child)

    def _open(self, element: Element, depth: int) -> None:
        """A division without a heading: a chapter where its type or its rank says so, an act by its number."""
        if any(tag(child) == "head" for child in element):
            return
        kind = (element.get("type") or "").lower()
        number = (element.get("n") or "").strip()
        if kind in _ACTS and number and len(number) <= 4:
            self.draft.add("heading", f"{_ACTS[kind]} {number}", self._place(element), depth, matter=self.matter)
        elif kind in _CHAPTERS or tag(element.getparent()) in ("body", "front", "back"):
            self.draft.add("chapter", "", self._place(element), matter=self.matter)

    def _head(self, element: Element, depth: int) -> None:
        """The heading of a division; one of a list, a letter or an argument opens no chapter."""
        lines = [self._tidy(line) for line in "".join(self._contents(element)).split("\v")]
        text = "\n".join(line for line in lines if line)
        parent = tag(element.getparent())
        if parent == "figure":
            self.draft.drop("caption", flat(element), self._place(element))
        elif _DIVS.fullmatch(parent) or parent in (
            "body",
            "front",
            "back",
            "text",
            "group",
            "lg",
            "prologue",
            "epilogue",
        ):
            level = max(1, depth + 1 if parent == "lg" else depth)
            self.draft.add("heading", text, self._place(element), level, matter=self.matter)
        else:
            self.draft.add("paragraph", text.replace("\n", " "), self._place(element))

    def _add(self, raw: str, element: Element) -> None:
        self.draft.add("paragraph", self._tidy(raw), self._place(element))

    def _tidy(self, raw: str) -> str:
        raw = _JOINED.sub("", raw) if "\x03" in raw else raw
        raw = _AROUND.sub(lambda match: " " if match["before"] is not None or match["after"] is not None else "", raw)
        return _WHITE.sub(" ", raw.replace("\v", " ")).strip()

    def _line(self, element: Element) -> str:
        return self._tidy("".join(self._contents(element)))

    def _verse(self, lines: list[str], element: Element) -> None:
        self.draft.add("verse", "\n".join(line for line in lines if line), self._place(element))

    def _stanza(self, element: Element, depth: int) -> None:
        """One block for the lines of a group; groups inside are stanzas of their own."""
        lines = [self._tidy(element.text or "")]
        for child in element:
            name = tag(child)
            if name == "l" and not _has_blocks(child):
                lines.append(self._line(child))
            elif name == "l" or name not in _BREAKS | {"note", "fw", ""}:
                self._verse(lines, element)
                lines = []
                self.block(child, depth)
            else:
                lines.append(self._tidy("".join(self._inline(child, ""))))
            if (child.tail or "").strip():
                lines.append(self._tidy(child.tail))
        self._verse(lines, element)

    def _cast(self, element: Element, depth: int) -> None:
        """Who is in a play: a line each under the list's heading, which opens a part of the front matter."""
        for child in element:
            if tag(child) == "head":
                self.draft.add("heading", self._line(child), self._place(child), max(1, depth), matter=self.matter)
        self._verse(list(self._said(element, "")), element)

    def _speech(self, element: Element) -> None:
        """The speaker's name on a line of its own, then what is said: lines of verse, or a line a paragraph."""
        label = ""
        for child in element:
            if tag(child) == "speaker" and not label:
                label = self._line(child)
        if not label:
            names = [self.people.get(who.lstrip("#"), "") for who in (element.get("who") or "").split()]
            label = ", ".join(name for name in names if name)
        lines = list(self._said(element, label))
        text = plays.speech(label, lines)
        self.draft.add("speech", text, self._place(element), speaker=plays.speaker_of(label))

    def _said(self, element: Element, label: str) -> Iterator[str]:
        """The lines of a speech, however deep they stand."""
        run: list[str] = [element.text or ""]
        for child in element:
            name = tag(child)
            if name == "speaker" and label and self._line(child) == label:
                label = ""
            elif name == "head" and tag(element) == "castlist":
                # Told already: it opens the list.
                yield self._tidy("".join(run))
                run = []
            elif name in ("l", "p", "ab", "stage", "speaker") and not _has_blocks(child):
                yield self._tidy("".join(run))
                run = []
                line = self._line(child)
                yield plays.direction(line) if name == "stage" else line
            elif name in _HARD or _DIVS.fullmatch(name) or name in _SOFT and _has_blocks(child):
                yield self._tidy("".join(run))
                run = []
                yield from self._said(child, "")
            else:
                run.extend(self._inline(child, "".join(run)))
            run.append(child.tail or "")
        yield self._tidy("".join(run))

    def _note(self, element: Element) -> None:
        pulse.beat()
        self.draft.add("note", self._line(element), self._place(element))

    def _contents(self, element: Element) -> Iterator[str]:
        before = element.text or ""
        yield before
        for child in element:
            for part in self._inline(child, before):
                before = part or before
                yield part
            if child.tail:
                before = child.tail
                yield child.tail

    def _inline(self, element: Element, before: str) -> Iterator[str]:
        """The text of an inline element: one reading of each choice, notes put aside, gaps shown.

        `before` is what stands before it.  `\\x01` and `\\x02` want a space where a word touches them; `\\x03` joins.
        """
        name = tag(element)
        if not name:
            yield from self._entity(element)
        elif _is_second(element):
            return
        elif name == "note":
            self._note(element)
        elif name == "gap":
            yield _gap(element)
        elif name in _BREAKS:
            yield from _break(element, before)
        elif (reason := self._reason(element)) is not None:
            self.draft.drop(reason, flat(element), self._place(element))
        elif name == "stage" and tag(element.getparent()) != "stage":
            yield "\x01" + plays.direction(self._line(element)) + "\x02"
        elif name in _HARD or name in ("cell", "desc") and tag(element.getparent()) != "gap":
            yield " "
            yield from self._contents(element)
            yield " "
        elif name in ("q", "quote", "said", "socalled") and (marks := self._quotes(element)):
            yield marks[0]
            yield from self._contents(element)
            yield marks[1]
        elif name not in ("figure", "graphic", "ref") or name == "figure" or not _MARK.fullmatch(flat(element)):
            yield from self._contents(element)

    def _entity(self, element: Element) -> Iterator[str]:
        """A character that HTML names; any other entity stays closed."""
        text = element.text or ""
        if text.startswith("&") and text.endswith(";"):
            if text[1:] in html5:
                yield html5[text[1:]]
            else:
                self.draft.drop("entity", text, self._place(element))

    def _quotes(self, element: Element) -> tuple[str, str] | None:
        """The marks of quotation that the encoder took away: those of `rend`, or the language's."""
        rendered = dict(_RENDERED.findall(element.get("rend") or ""))
        if rendered:
            return rendered.get("PRE", ""), rendered.get("POST", "")
        return self.marks if self.header.quotes and tag(element) != "quote" else None


def _break(element: Element, before: str) -> Iterator[str]:
    """A line ends here; `break="no"`, or a soft hyphen before it: the word goes on."""
    if element.get("break") == "no" or before.endswith(("\u00ad", "¬", "∣")):
        yield "\x03"
    elif tag(element) == "lb":
        yield "\v"


def _gap(element: Element) -> str:
    """`[…]`, or what a transcriber put for letters that cannot be read."""
    sign = flat(element)
    return sign if sign and len(sign) <= 6 and " " not in sign else "[…]"


def _is_second(element: Element) -> bool:
    partners = _SECOND.get(tag(element))
    parent = element.getparent()
    if partners is None or parent is None or tag(parent) != "choice":
        return False
    return any(tag(child) in partners for child in parent)


def _has_reading(element: Element) -> bool:
    """Whether a variant stands beside the reading that was chosen: a lemma, or an earlier variant."""
    siblings = [child for child in element.getparent() if tag(child) in ("lem", "rdg")]
    return siblings[0] is not element


def _has_blocks(element: Element) -> bool:
    return any(
        tag(inner) in ("p", "lg", "l", "sp", "ab", "head", "item", "row", "castitem") or _DIVS.fullmatch(tag(inner))
        for inner in element.iterdescendants()
    )
