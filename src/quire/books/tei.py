"""TEI: divisions, verse lines and groups, speeches; notes and formework aside.  As ELTeC and many archives encode."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from quire.books.book import Book, Place
from quire.books.draft import Draft, finish
from quire.books.limits import PLAIN, ReadOptions
from quire.books.markup import Element, tag, xml_parser
from quire.errors import BookError

_XML = "{http://www.w3.org/XML/1998/namespace}"
_WHITE = re.compile(r"[ \t\r\n]+")
_DATES = re.compile(r"\s*[\[(]?\b\d{3,4}\??\s*[-–—]\s*(?:\d{3,4})?\??[\])]?\s*$|\s*[\[(][^)\]]*\d{3,4}[^)\]]*[\])]\s*$")
_EDITION = re.compile(
    r"\s*[:,.\[(]?\s*(?:(?:édition|edition|edição|edición)\s+ELTeC|ELTeC\s+\w+|(?:an? )?(?:TEI|"
    r"electronic|digital|machine[- ]readable)\b.*)[\])]?\s*$",
    re.IGNORECASE,
)
_DIVS = re.compile(r"div\d?")
_DROPPED = {
    "fw": "running head",
    "figdesc": "caption",
    "titlepage": "title page",
    "teiheader": "",
    "index": "index",
    "del": "deletion",
    "facsimile": "",
    "standoff": "",
}
_DROPPED_TYPES = {
    "titlepage": "title page",
    "toc": "contents",
    "contents": "contents",
    "index": "index",
    "imprint": "imprint",
    "publisher": "imprint",
    "colophon": "colophon",
    "advert": "advertisement",
    "ad": "advertisement",
}
# Of two readings in a <choice> one is the text: what was corrected, but not what was modernised.
_SECOND_CHOICE = frozenset(("sic", "reg", "expan", "am"))
_CONTAINERS = frozenset(
    "body front back group text floatingtext epigraph quote q cit opener closer argument list listbibl postscript "
    "castlist castgroup table row figure said letter postscript set prologue epilogue performance tei teicorpus".split()
)
_LEAVES = frozenset(
    "p ab salute signed dateline byline trailer item cell label stage speaker castitem bibl docauthor titlepart "
    "l".split()
)


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The books of a TEI file: one, or those of a corpus.  Raises BookError when it is damaged or holds no text."""
    data = path.read_bytes()
    try:
        root = etree.fromstring(data, xml_parser())
    except etree.XMLSyntaxError as error:
        root = etree.fromstring(data, xml_parser(recover=True))
        if root is None:
            raise BookError(f"{path} is damaged XML ({error})", then="check it with an XML editor") from None
        warning = f"the XML is damaged ({error}); what could be read was"
        books = [_read_work(path, work, [warning], options) for work in _works(root)]
    else:
        books = [_read_work(path, work, [], options) for work in _works(root)]
    if not books:
        raise BookError(f"{path} holds no text", then="check that it is the file you meant")
    return books


def _works(root: Element) -> list[Element]:
    """The TEI elements that have a text of their own."""
    if tag(root) != "teicorpus":
        return [root]
    return [element for element in root.iter() if tag(element) == "tei"]


def _read_work(path: Path, work: Element, warnings: list[str], options: ReadOptions) -> Book:
    draft = Draft(str(path), warnings=list(warnings))
    _read_header(draft, work)
    text = next((child for child in work if tag(child) == "text"), None)
    _Walk(draft).block(text if text is not None else work, 0)
    if not draft.title:
        draft.title = path.stem
    return finish(draft, options)


def _read_header(draft: Draft, work: Element) -> None:
    """Title, author and language; catalogues' dates and names in reverse are set right."""
    header = next((child for child in work if tag(child) == "teiheader"), None)
    draft.language = work.get(_XML + "lang") or ""
    if header is None:
        return
    statement = next((element for element in header.iter() if tag(element) == "titlestmt"), header)
    titles = [element for element in statement.iter() if tag(element) == "title" and _flat(element)]
    main = [element for element in titles if element.get("type") == "main"] or titles
    if main:
        draft.title = _EDITION.sub("", _flat(main[0])).strip()
    authors = [_name(_flat(element)) for element in statement.iter() if tag(element) == "author" and _flat(element)]
    draft.author = ", ".join(dict.fromkeys(authors))
    language = next((element for element in header.iter() if tag(element) == "language" and element.get("ident")), None)
    if language is not None:
        draft.language = language.get("ident") or draft.language


def _name(name: str) -> str:
    """`Flaubert, Gustave (1821-1880)` → `Gustave Flaubert`."""
    plain = _DATES.sub("", name).strip().rstrip(",")
    parts = [part.strip() for part in plain.split(",")]
    return f"{parts[1]} {parts[0]}" if len(parts) == 2 and all(parts) else plain


def _flat(element: Element) -> str:
    return _WHITE.sub(" ", "".join(element.itertext())).strip()


class _Walk:
    """The walk over a text, from the outer division to the inner ones."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.count = 0

    def _place(self, element: Element) -> Place:
        return Place(self.draft.path, "line", int(element.sourceline or 0))

    def block(self, element: Element, depth: int) -> None:
        """`depth` counts divisions, so that it ranks headings."""
        name = tag(element)
        if not name:
            return
        if name in _DROPPED or element.get("type") in _DROPPED_TYPES and _DIVS.fullmatch(name):
            reason = _DROPPED_TYPES.get(element.get("type") or "", "") or _DROPPED.get(name, "")
            if reason:
                self.draft.drop(reason, _flat(element), self._place(element))
        elif name == "note":
            self.draft.add("note", _flat(element), self._place(element))
        elif name == "head":
            self._head(element, depth)
        elif name == "lg":
            self._stanza(element)
        elif name == "sp":
            self._speech(element)
        elif name == "milestone":
            if element.get("rend") or element.get("unit") in ("subchapter", "section", "scene", "break"):
                self.draft.add("break", "* * *", self._place(element))
        elif name in _LEAVES and not _has_blocks(element):
            self._paragraph(element)
        elif name in _LEAVES or name in _CONTAINERS or _DIVS.fullmatch(name) or _has_blocks(element):
            self._mixed(element, depth + 1 if _DIVS.fullmatch(name) else depth)
        elif name not in ("pb", "lb", "cb", "gap", "anchor", "graphic"):
            self._paragraph(element)

    def _mixed(self, element: Element, depth: int) -> None:
        """Blocks in order; text between them becomes paragraphs."""
        if _DIVS.fullmatch(tag(element)) and element.get("type") in ("chapter", "letter", "poem", "act", "scene"):
            heads = any(tag(child) == "head" for child in element)
            if not heads:
                self.draft.add("chapter", "", self._place(element))
        run: list[str] = [element.text or ""]
        for child in element:
            if tag(child) in _LEAVES | _CONTAINERS | {"head", "lg", "sp", "note", "milestone"} | set(_DROPPED) or (
                _DIVS.fullmatch(tag(child)) or _has_blocks(child)
            ):
                self._add("".join(run), element)
                run = []
                self.block(child, depth)
            else:
                run.extend(self._inline(child))
            run.append(child.tail or "")
        self._add("".join(run), element)

    def _head(self, element: Element, depth: int) -> None:
        lines = [_WHITE.sub(" ", line).strip() for line in "".join(self._contents(element)).split("\v")]
        self.draft.add("heading", "\n".join(line for line in lines if line), self._place(element), max(1, depth))

    def _paragraph(self, element: Element) -> None:
        self._add("".join(self._contents(element)), element)

    def _add(self, raw: str, element: Element) -> None:
        text = _WHITE.sub(" ", raw.replace("\v", " ")).strip()
        self.draft.add("paragraph", text, self._place(element))

    def _stanza(self, element: Element) -> None:
        """One block for the lines of a group; groups inside are stanzas of their own."""
        lines: list[str] = []
        for child in element:
            name = tag(child)
            if name == "l":
                lines.append(self._line(child))
            elif name:
                self._add_lines(lines, element)
                lines = []
                self.block(child, 9)
        self._add_lines(lines, element)

    def _line(self, element: Element) -> str:
        return _WHITE.sub(" ", "".join(self._contents(element)).replace("\v", " ")).strip()

    def _add_lines(self, lines: list[str], element: Element) -> None:
        self.draft.add("verse", "\n".join(line for line in lines if line), self._place(element))

    def _speech(self, element: Element) -> None:
        """The speaker's name on a line of its own, then what is said: lines of verse, or a line a paragraph."""
        lines: list[str] = []
        for child in element:
            name = tag(child)
            if name == "lg":
                lines += [self._line(line) for line in child.iter() if tag(line) == "l"]
            elif name == "note":
                self.block(child, 9)
            elif name and name not in ("pb", "lb", "cb", "fw"):
                lines.append(self._line(child))
        self._add_lines(lines, element)

    def _contents(self, element: Element) -> Iterator[str]:
        yield element.text or ""
        for child in element:
            yield from self._inline(child)
            yield child.tail or ""

    def _inline(self, element: Element) -> Iterator[str]:
        """The text of an inline element: one reading of each choice, notes put aside, gaps shown."""
        name = tag(element)
        if not name or name in _SECOND_CHOICE and tag(element.getparent()) == "choice":
            return
        if name == "note":
            self.draft.add("note", _flat(element), self._place(element))
        elif name == "gap":
            yield "[…]"
        elif name == "lb":
            # `break="no"`: the word goes on in the next line.
            yield "" if element.get("break") == "no" else "\v"
        elif name in _DROPPED:
            if _DROPPED[name]:
                self.draft.drop(_DROPPED[name], _flat(element), self._place(element))
        elif (
            name not in ("pb", "cb", "milestone", "figure", "graphic", "ref") or name == "ref" and not _is_mark(element)
        ):
            yield from self._contents(element)


def _is_mark(element: Element) -> bool:
    return bool(re.fullmatch(r"[\[(]?(?:\d{1,4}|[*†‡]+)[\])]?", _flat(element)))


def _has_blocks(element: Element) -> bool:
    return any(
        tag(inner) in ("p", "lg", "l", "sp", "ab", "head") or _DIVS.fullmatch(tag(inner))
        for inner in element.iterdescendants()
    )
