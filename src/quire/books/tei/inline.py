"""The text inside of a block: one reading of each choice, notes aside, gaps shown, cut words whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5

from quire.books import pulse
from quire.books.book import Place
from quire.books.draft import Draft
from quire.books.markup import Element, tag
from quire.books.plays import parts as plays
from quire.books.tei import elements
from quire.books.tei.header import Header, flat

_WHITE = re.compile(r"[ \t\r\n\v]+")
_JOINED = re.compile("(?:[-\u00ad\u2010¬∣]|(?<!\\s))\\s*\x03\\s*")
_AROUND = re.compile(r"(?P<before>(?<=[^\s(\[]))?\x01|\x02(?P<after>(?=[\w“‘«\"'(]))?")
_MARK = re.compile(r"[\[(]?(?:\d{1,4}|[*†‡]+)[\])]?")
_RENDERED = re.compile(r"\b(PRE|POST)\((.{1,3}?)\)")
_QUOTED = frozenset(("q", "quote", "said", "socalled"))
# Set apart by the page, not always by the file: a person and what he is, a quotation and its source.
_APART = frozenset(("role", "roledesc", "actor", "cell", "bibl"))
# What HTML has no name for and old encodings are full of.
_CHARACTERS = {"longs;": "ſ"}


class Inline:
    """Reads inline text for one draft, which takes the notes and what is left out."""

    def __init__(self, draft: Draft, header: Header) -> None:
        self.draft = draft
        self.header = header
        self.in_front = False
        self.marks = ("« ", " »") if header.language.startswith("fr") else ("“", "”")

    def place(self, element: Element) -> Place:
        """Where an element stands in the file."""
        return Place(self.draft.path, "line", int(element.sourceline or 0))

    def line(self, element: Element) -> str:
        """The text of an element on one line."""
        return tidy("".join(self.contents(element)))

    def note(self, element: Element) -> None:
        """A note goes aside."""
        pulse.beat()
        self.draft.add("note", self.line(element), self.place(element))

    def contents(self, element: Element) -> Iterator[str]:
        """The pieces of an element's text, to be joined and made tidy."""
        bare = tag(element) in elements.ELEMENTS_ONLY
        before = element.text or ""
        if not bare or before.strip():
            yield before
        for child in element:
            for part in self.inline(child, before):
                before = part or before
                yield part
            tail = child.tail
            if tail and not (bare and not tail.strip()):
                before = tail
                yield tail

    def inline(self, element: Element, before: str) -> Iterator[str]:
        """The text of an inline element: one reading of each choice, notes put aside, gaps shown.

        `before` is what stands before it.  `\\x01` and `\\x02` want a space where a word touches them; `\\x03` joins.
        """
        name = tag(element)
        if not name:
            yield from self._entity(element)
        elif elements.is_second(element):
            return
        elif name == "note":
            self.note(element)
        elif name == "gap":
            yield _gap(element)
        elif name == "space":
            yield " "
        elif name in elements.BREAKS:
            yield from _break(element, before)
        elif (reason := elements.why_dropped(element, self.in_front)) is not None:
            self.draft.drop(reason or "annotation", flat(element), self.place(element))
        elif name == "stage" and tag(element.getparent()) != "stage":
            yield "\x01" + plays.direction(self.line(element)) + "\x02"
        elif name in elements.HARD or name == "desc":
            yield " "
            yield from self.contents(element)
            yield " "
        elif name in _APART:
            yield "\x01"
            yield from self.contents(element)
            yield "\x02"
        elif name in _QUOTED and (marks := self._quotes(element)):
            yield marks[0]
            yield from self.contents(element)
            yield marks[1]
        elif name not in ("graphic", "ref") or not _MARK.fullmatch(flat(element)):
            yield from self.contents(element)

    def _entity(self, element: Element) -> Iterator[str]:
        """A character that has a name; any other entity stays closed."""
        text = element.text or ""
        if text.startswith("&") and text.endswith(";"):
            character = html5.get(text[1:]) or _CHARACTERS.get(text[1:])
            if character is None:
                self.draft.drop("entity", text, self.place(element))
            else:
                yield character

    def _quotes(self, element: Element) -> tuple[str, str] | None:
        """The marks of quotation that the encoder took away: those of `rend`, or the language's."""
        rendered = dict(_RENDERED.findall(element.get("rend") or ""))
        if rendered:
            return rendered.get("PRE", ""), rendered.get("POST", "")
        return self.marks if self.header.quotes and tag(element) != "quote" else None


def tidy(raw: str) -> str:
    """Pieces of inline text as they are read: cut words joined, white space that only lays out the file undone."""
    if "\x03" in raw:
        raw = _JOINED.sub("", raw)
    if "\x01" in raw:
        raw = _AROUND.sub(lambda match: " " if match["before"] is not None or match["after"] is not None else "", raw)
    if "\n" in raw or "\v" in raw or "  " in raw or "\t" in raw or "\r" in raw:
        raw = _WHITE.sub(" ", raw)
    return raw.strip()


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
