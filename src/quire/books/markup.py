"""Trees of HTML and XHTML: parsing without outside help, and the walk that turns elements into a book's items."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from lxml import etree
from lxml import html as lxml_html

from quire.books.book import Place
from quire.books.draft import Draft, is_scene_break

# lxml brings no types; what is meant is etree._Element.
Element = Any
EPUB = "{http://www.idpf.org/2007/ops}"
_ENTITY_NAME = re.compile(rb"&([A-Za-z][A-Za-z0-9]*);")
_DOCTYPE = re.compile(rb"<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", re.IGNORECASE | re.DOTALL)
_XML_ENTITIES = {b"amp", b"lt", b"gt", b"quot", b"apos"}


def xml_parser(recover: bool = False) -> etree.XMLParser:
    """A parser that expands no entity, opens no address and stops at libxml2's own bounds of depth and size."""
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=recover, remove_pis=True
    )


def parse_xml(data: bytes) -> Element:
    """The root of an XML document.  Raises etree.XMLSyntaxError."""
    return etree.fromstring(_named_entities(data), xml_parser())


def parse_page(data: bytes, encoding: str | None = None) -> Element | None:
    """The root of a page that may be XHTML or only nearly so; None when nothing can be made of it."""
    try:
        return parse_xml(data)
    except etree.XMLSyntaxError:
        data = _DOCTYPE.sub(b"", data, count=1)
    parser = lxml_html.HTMLParser(encoding=encoding, no_network=True, huge_tree=False, remove_pis=True)
    try:
        return lxml_html.document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None


def _named_entities(data: bytes) -> bytes:
    """`&nbsp;` as a character: XHTML without its DTD does not know HTML's names."""
    from html.entities import html5

    def character(match: re.Match[bytes]) -> bytes:
        name = match[1]
        value = html5.get(name.decode("ascii") + ";")
        return match[0] if name in _XML_ENTITIES or value is None else "".join(f"&#{ord(c)};" for c in value).encode()

    return _ENTITY_NAME.sub(character, data) if b"&" in data and b"<!ENTITY" not in data[:20_000] else data


def tag(element: Element) -> str:
    """The element's name without its namespace, in lower case; `""` for comments and the like."""
    name = element.tag
    return name.rsplit("}", 1)[-1].lower() if isinstance(name, str) else ""


def types(element: Element) -> frozenset[str]:
    """What `epub:type` and `role` say an element is, without prefixes."""
    said = f"{element.get(EPUB + 'type') or element.get('epub:type') or ''} {element.get('role') or ''}".lower()
    return frozenset(word.rsplit(":", 1)[-1].removeprefix("doc-") for word in said.split())


def classes(element: Element) -> frozenset[str]:
    return frozenset((element.get("class") or "").lower().split())


_BLOCKS = frozenset(
    "address article aside blockquote body center dd details dialog div dl dt fieldset "
    "figcaption figure footer form h1 h2 "
    "h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol p pre section summary table tbody "
    "td tfoot th thead tr "
    "ul".split()
)
_SILENT = frozenset(
    "script style head template noscript iframe object embed svg canvas audio video map select button input textarea "
    "link meta title colgroup col datalist param source track img".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_VERSE_TYPES = frozenset(("verse", "poem", "song", "hymn", "lyrics"))
_VERSE_CLASS = re.compile(r"(?:poem|poetry|verse|stanza|lg|linegroup|canto|song|hymn)\d*")
_STANZA_CLASS = re.compile(r"(?:stanza|lg|linegroup|strophe|verse-?group)\d*")
_NOTE_TYPES = frozenset(("footnote", "footnotes", "endnote", "endnotes", "rearnote", "rearnotes", "note", "notes"))
_NOTE_CLASS = re.compile(r"(?:footnotes?|endnotes?|rearnotes?|fnote|notes?-?de-?bas)")
_NOTE_MARK = re.compile(r"[\[({]?\s*(?:\d{1,4}|[*†‡§¶]+|[a-z]|[ivx]+)\s*[\])}]?")
_LABEL = re.compile(r"^(?:[\[(]?(?:\d{1,4}|[*†‡§]{1,3})[\])]?[.:)]?|↑|\^)\s+")
_HEADING_CLASS = re.compile(
    r"(?:chapter|chapitre|chap)(?:-?_?(?:title|titre|head|heading|number|num|no|name))?\d*|(?:ch|chap)-?_?(?:title|head|num)\d*|"
    r"heading\d*|head\d?|h[1-6]|section-?_?title|titre(?:-?chapitre)?\d*"
)
_SUBTITLE_CLASS = re.compile(r"(?:chapter|chap|ch)?-?_?(?:sub-?_?(?:title|head|heading)|sous-?titre|title|titre)\d*")
_WHITE = re.compile(r"[ \t\r\n\f]+")
_PAGE_NUMBER = re.compile(r"(?:pagenum|page-?num(?:ber)?|pb|pagebreak|folio)")


@dataclass(frozen=True, slots=True)
class Skip:
    """Which parts of a page are no text: `reason` gives the words for one that is to be left out, or None."""

    reason: Callable[[Element], str | None]


@dataclass
class Walk:
    """One pass over a page: fills a draft.  `inside` names the file in an archive."""

    draft: Draft
    inside: str = ""
    skip: Skip = field(default_factory=lambda: Skip(lambda _: None))
    unit: str = "paragraph"
    first: int = 1
    count: int = 0
    # The ids that marks of notes point to, as far as the text has been read (those of earlier pages too).
    targets: set[str] = field(default_factory=set)

    def place(self) -> Place:
        return Place(self.draft.path, self.unit, self.first + self.count, self.inside)

    def run(self, root: Element) -> None:
        """All blocks under `root`, in order.  Its depth is bounded by the parser's (256 levels)."""
        for element in root.iter("{*}a", "a"):
            href = element.get("href") or ""
            if "#" in href and is_note_mark(element):
                self.targets.add(href.rpartition("#")[2])
        self._block(root, verse=False, note=False)

    def _block(self, element: Element, verse: bool, note: bool) -> None:
        name = tag(element)
        if not name or name in _SILENT or is_hidden(element):
            return
        if reason := self.skip.reason(element):
            self.draft.drop(reason, plain_text(element), self.place())
            return
        note = note or _is_note(element) or self._is_target(element)
        verse = verse or _is_verse(element)
        if name in _HEADINGS and note:
            self.draft.drop("label of notes", plain_text(element), self.place())
        elif name in _HEADINGS:
            self._heading(element, _HEADINGS[name])
        elif name in ("p", "div") and not note and self._is_heading(element):
            self._heading(element, 2)
        elif name in ("p", "div") and not note and self._is_subtitle(element):
            last = self.draft.items[-1]
            self.draft.items[-1] = replace(last, text=f"{last.text}\n{heading_text(element, self.skip)}")
        elif name == "hgroup" and not note:
            self._hgroup(element)
        elif name == "hr":
            self._add("break", "* * *", note)
        elif name == "pre":
            self._pre(element, note)
        elif verse and (stanza := _stanza(element)):
            self._add("verse", stanza, note)
        elif (
            verse
            and (_is_stanza(element) or name in ("div", "blockquote", "section"))
            and (lines := _line_blocks(element))
        ):
            self._add("verse", "\n".join(lines), note)
        else:
            self._mixed(element, verse, note)

    def _is_heading(self, element: Element) -> bool:
        """Whether a short paragraph is called a chapter's heading by its class."""
        named = any(map(_HEADING_CLASS.fullmatch, classes(element)))
        return named and not _holds_block(element) and 0 < len(plain_text(element)) <= 160

    def _is_subtitle(self, element: Element) -> bool:
        """Whether a short paragraph right under a heading is its second line by its class."""
        last = self.draft.items[-1] if self.draft.items else None
        under = last is not None and last.kind == "heading" and "\n" not in last.text
        named = under and any(map(_SUBTITLE_CLASS.fullmatch, classes(element)))
        return named and not _holds_block(element) and 0 < len(plain_text(element)) <= 160

    def _is_target(self, element: Element) -> bool:
        """Whether a mark in the text points to this block or to the link that it begins with."""
        if not self.targets or tag(element) not in ("p", "li", "div", "dd", "aside", "td"):
            return False
        if element.get("id") in self.targets:
            return not any(tag(inner) in _HEADINGS for inner in element.iter())
        first: Element | None = element
        while first is not None and not (first.text or "").strip() and len(first) and tag(first[0]) not in _BLOCKS:
            first = first[0]
            if first.get("id") in self.targets or first.get("name") in self.targets:
                return True
        return False

    def _mixed(self, element: Element, verse: bool, note: bool) -> None:
        """Inline runs become paragraphs; blocks among them are walked."""
        run: list[str] = [element.text or ""]
        for child in element:
            if tag(child) in _BLOCKS or (tag(child) not in _SILENT and _holds_block(child)):
                self._inline(run, verse, note)
                self._block(child, verse, note)
                run = []
            else:
                run.append(inline_text(child, self.skip))
            run.append(child.tail or "")
        self._inline(run, verse, note)

    def _inline(self, run: list[str], verse: bool, note: bool) -> None:
        """A run of inline text: `\\v` stands for a `<br>`; two of them part paragraphs."""
        text = _WHITE.sub(" ", "".join(run)).strip(" \v")
        if not text:
            return
        for part in re.split(r"(?:\s*\v\s*){2,}", text):
            lines = [line.strip(" ") for line in part.split("\v")]
            lines = [line for line in lines if line]
            if len(lines) > 1 and (verse or _short(lines)):
                self._add("verse", "\n".join(lines), note)
            else:
                self._add("paragraph", " ".join(lines), note)

    def _heading(self, element: Element, level: int) -> None:
        text = heading_text(element, self.skip)
        self.draft.add("heading", text, self.place(), level)
        self.count += 1

    def _hgroup(self, element: Element) -> None:
        """A title and its subtitles are one heading, at the rank of the highest."""
        lines = [heading_text(child, self.skip) for child in element if tag(child)]
        levels = [_HEADINGS[tag(child)] for child in element.iter() if tag(child) in _HEADINGS]
        self.draft.add("heading", "\n".join(line for line in lines if line), self.place(), min(levels, default=2))
        self.count += 1

    def _pre(self, element: Element, note: bool) -> None:
        """Preformatted text is read as plain lines."""
        from quire.books.txt import read_lines

        text = "".join(_texts(element))
        if note:
            self._add("paragraph", _WHITE.sub(" ", text), note)
        else:
            read_lines(self.draft, text.replace("\r", ""), inside=self.inside)

    def _add(self, kind: str, text: str, note: bool) -> None:
        if note:
            if kind != "break":
                self.draft.add("note", _LABEL.sub("", text), self.place())
        elif kind == "verse":
            self.draft.add("verse", text, self.place())
        elif kind == "break" or is_scene_break(text):
            self.draft.add("break", text, self.place())
        else:
            self.draft.add("paragraph", text, self.place())
        self.count += 1


def _short(lines: list[str]) -> bool:
    """Whether lines parted by `<br>` were meant as lines: an address or verse, not a paragraph broken by a
    converter.
    """
    low = sum(line[:1].islower() for line in lines[1:])
    return sum(map(len, lines)) / len(lines) <= 90 and low <= 0.5 * (len(lines) - 1) or len(lines) == 2


def _is_note(element: Element) -> bool:
    if types(element) & _NOTE_TYPES:
        return True
    return tag(element) in ("aside", "div", "section", "p", "li", "ol") and any(
        map(_NOTE_CLASS.fullmatch, classes(element))
    )


def _is_verse(element: Element) -> bool:
    return bool(types(element) & _VERSE_TYPES) or any(map(_VERSE_CLASS.fullmatch, classes(element)))


def _is_stanza(element: Element) -> bool:
    return any(map(_STANZA_CLASS.fullmatch, classes(element)))


def is_hidden(element: Element) -> bool:
    return element.get("hidden") is not None or "display:none" in (element.get("style") or "").replace(" ", "").lower()


def _holds_block(element: Element) -> bool:
    return any(tag(inner) in _BLOCKS for inner in element.iterdescendants())


def _stanza(element: Element) -> str:
    """The lines of a verse paragraph: parted by `<br>`, or one `<span>` each; `""` when it holds other blocks."""
    if tag(element) not in ("p", "div", "li", "dd", "blockquote") or _holds_block(element):
        return ""
    text = _WHITE.sub(" ", "".join(_inline_parts(element, None)))
    lines = [line.strip(" ") for line in text.split("\v")]
    return "\n".join(line for line in lines if line)


def _line_blocks(element: Element) -> list[str]:
    """The lines of a stanza whose every line is a block of its own; [] when one holds more than a line."""
    lines = []
    children = [child for child in element if tag(child)]
    if (element.text or "").strip() or len(children) < 2:
        return []
    for child in children:
        if tag(child) not in ("div", "p", "span", "br") or _holds_block(child) or (child.tail or "").strip():
            return []
        named = any(re.fullmatch(r"(?:line|l|verse|vers|i\d+|indent\d*|ll)\d*", name) for name in classes(child))
        if tag(child) != "br" and not named:
            return []
        text = _WHITE.sub(" ", inline_text(child)).strip(" \v")
        if text:
            lines.append(text.replace("\v", " "))
    return lines


def inline_text(element: Element, skip: Skip | None = None) -> str:
    """The text of an inline element; `<br>` becomes `\\v`; note marks and page numbers are left out."""
    return "".join(_inline_parts(element, skip, own=True))


def _inline_parts(element: Element, skip: Skip | None, own: bool = False) -> Iterator[str]:
    name = tag(element)
    if own and (not name or name in _SILENT or is_hidden(element) or is_note_mark(element) or _is_page_number(element)):
        return
    if own and skip is not None and skip.reason(element):
        return
    if name == "br":
        yield "\v"
        return
    yield element.text or ""
    for child in element:
        yield from _inline_parts(child, skip, own=True)
        yield child.tail or ""


def is_note_mark(element: Element) -> bool:
    """A link or raised figure that only points to a note."""
    kinds = types(element)
    if kinds & {"noteref", "backlink"}:
        return True
    name = tag(element)
    if name not in ("a", "sup", "span"):
        return False
    text = "".join(_texts(element)).strip()
    if name == "a" and (element.get("href") or "").startswith("#") or "#" in (element.get("href") or ""):
        raised = element.getparent() is not None and tag(element.getparent()) == "sup"
        marked = raised or any(tag(child) == "sup" for child in element) or text[:1] in "[*†‡(" or text == "↩"
        return bool(text == "↩" or (marked and _NOTE_MARK.fullmatch(text)))
    if name == "sup":
        links = [child for child in element.iterdescendants() if tag(child) == "a"]
        return bool(links) and bool(_NOTE_MARK.fullmatch(text))
    return any(re.fullmatch(r"(?:fn|note)-?(?:ref|anchor|mark)|fnanchor", one) for one in classes(element))


def _is_page_number(element: Element) -> bool:
    return bool(types(element) & {"pagebreak"}) or (
        tag(element) in ("span", "a", "p", "div") and any(map(_PAGE_NUMBER.fullmatch, classes(element)))
    )


def _texts(element: Element) -> Iterator[str]:
    for text in element.itertext():
        yield str(text)


def plain_text(element: Element) -> str:
    """All text of an element on one line, for what is dropped."""
    return _WHITE.sub(" ", " ".join(_texts(element))).strip()


def heading_text(element: Element, skip: Skip | None = None) -> str:
    """The text of a heading, its `<br>` and inner blocks as line ends."""
    parts = [line.strip(" ") for line in _WHITE.sub(" ", inline_text(element, skip)).split("\v")]
    return "\n".join(part for part in parts if part)
