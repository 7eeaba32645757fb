"""The paragraphs of a Word document as they read once every change is accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from quire.books.markup import Element, tag
from quire.books.office.docx_package import is_on
from quire.books.office.docx_styles import outline_level, points
from quire.books.office.elements import attribute, child, children
from quire.books.office.paragraph import Paragraph, Piece, set_looks
from quire.books.office.styles import CONTENTS, LISTS, PAGE_NUMBERS, Style, heading_level
from quire.books.office.symbols import symbol

_DELETED = frozenset(("del", "movefrom"))
_SILENT = frozenset(
    ("instrtext", "deltext", "delinstrtext", "ppr", "rpr", "sectpr", "comment", "pict", "object", "rt", "txbxcontent")
)
_PRIVATE = re.compile("[\uf020-\uf0ff]")


class Walker:
    """Reads the paragraphs of one part; fields may go over several of them."""

    def __init__(self, styles: dict[str, Style]) -> None:
        self.styles = styles
        # For each open field: what it is, and whether its result has begun.
        self.fields: list[tuple[str, bool]] = []
        self.pieces: list[Piece] = []

    def paragraphs(self, root: Element) -> Iterator[Paragraph]:
        """All paragraphs in order, those in tables and text boxes too, each drawing once."""
        waiting: list[tuple[Element, bool]] = [(root, False)]
        while waiting:
            element, contents = waiting.pop()
            name = tag(element)
            if name in _DELETED or name == "rt" or (name == "tr" and child(element, "trpr", "del") is not None):
                continue
            contents = contents or _is_contents_control(element)
            if name == "p":
                yield self.paragraph(element, contents)
                if element.find(".//{*}p") is None:
                    continue
            inner = [_choice(element)] if name == "alternatecontent" else list(element)
            waiting += [(one, contents) for one in reversed(inner)]

    def paragraph(self, element: Element, contents: bool = False) -> Paragraph:
        properties = child(element, "ppr")
        set_ = children(properties)
        style = self._style(properties, set_)
        paragraph = Paragraph("", style)
        outer, self.pieces = self.pieces, []
        paragraph.text = "".join(self._run(element, paragraph))
        # A field that never came to its result would silence all that follows.
        self.fields = [one for one in self.fields if one[1] and one[0] not in PAGE_NUMBERS]
        paragraph.contents = paragraph.contents or contents or style.name.startswith(CONTENTS)
        if "rpr" in set_:
            paragraph.joins = not _DELETED.isdisjoint(children(set_["rpr"]))
        if "framepr" in set_:
            paragraph.drop_cap = attribute(set_["framepr"], "dropCap") in ("drop", "margin")
        paragraph.numbered = "numpr" in set_ or style.numbered
        paragraph.centred = attribute(set_["jc"], "val") == "center" if "jc" in set_ else style.centred
        paragraph.new_page = is_on(set_["pagebreakbefore"]) if "pagebreakbefore" in set_ else style.new_page
        set_looks(paragraph, self.pieces)
        self.pieces = outer
        return paragraph

    def _style(self, properties: Element | None, set_: dict[str, Element]) -> Style:
        identity = attribute(set_["pstyle"], "val") if "pstyle" in set_ else ""
        style = self.styles.get(identity) or Style(identity.lower(), heading_level(identity) or 0)
        level = outline_level(properties) if "outlinelvl" in set_ else None
        return style if level is None else replace(style, level=level)

    def _listing(self) -> bool:
        """Whether the text is what a field for contents or an index gave."""
        return any(name in LISTS for name, _ in self.fields)

    def _run(self, element: Element, paragraph: Paragraph) -> Iterator[str]:
        """The texts under an element; deleted and hidden ones go to the paragraph's lists."""
        for inner in element:
            name = tag(inner)
            if name in _DELETED:
                paragraph.deleted.append("".join(inner.itertext()))
            elif name == "alternatecontent":
                yield from self._run(_choice(inner), paragraph)
            elif name == "fldchar":
                self._field(attribute(inner, "fldCharType"))
            elif name == "instrtext":
                self._instruction("".join(inner.itertext()))
            elif name in _SILENT:
                continue
            elif name == "r":
                yield from self._plain_run(inner, paragraph)
            elif name == "fldsimple":
                words = attribute(inner, "instr").split()
                if not (words and words[0].lower() in PAGE_NUMBERS):
                    yield from self._run(inner, paragraph)
            elif name != "p":
                yield from self._piece(inner, name, paragraph)

    def _plain_run(self, run: Element, paragraph: Paragraph) -> Iterator[str]:
        text = "".join(self._run(run, paragraph))
        if not text:
            return
        paragraph.contents = paragraph.contents or self._listing()
        set_ = children(child(run, "rpr"))
        named = set_.get("rstyle")
        style = self.styles.get(attribute(named, "val"), Style()) if named is not None else Style()
        hidden = is_on(set_["vanish"]) if "vanish" in set_ else style.hidden or paragraph.style.hidden
        bold = is_on(set_["b"]) if "b" in set_ else style.bold or paragraph.style.bold
        size = points(set_.get("sz")) or style.size or paragraph.style.size
        if hidden:
            paragraph.hidden.append(text)
        elif child(run, "footnotereference") is not None or child(run, "endnotereference") is not None:
            # A mark of the author's own choice follows in the same run.
            return
        elif not self._silenced():
            if text.strip():
                self.pieces.append((bold, size, len(text)))
            yield _mapped(run, text)

    def _silenced(self) -> bool:
        """Whether the text is a field's code, or a page number that a field gave."""
        return any(not begun or name in PAGE_NUMBERS for name, begun in self.fields)

    def _piece(self, inner: Element, name: str, paragraph: Paragraph) -> Iterator[str]:
        if name == "t":
            # An entity is never resolved: it leaves a gap between two pieces of text.
            yield (inner.text or "") + "".join(entity.tail or "" for entity in inner)
        elif name in ("tab", "ptab"):
            yield " "
        elif name in ("br", "cr"):
            if attribute(inner, "type") in ("page", "column"):
                paragraph.page_after = True
            else:
                yield "\n"
        elif name == "nobreakhyphen":
            yield "-"
        elif name == "sym":
            yield _symbol(inner)
        else:
            yield from self._run(inner, paragraph)

    def _field(self, kind: str) -> None:
        if kind == "begin":
            self.fields.append(("", False))
        elif kind == "separate" and self.fields:
            self.fields[-1] = (self.fields[-1][0], True)
        elif kind == "end" and self.fields:
            self.fields.pop()

    def _instruction(self, text: str) -> None:
        if self.fields and not self.fields[-1][1] and not self.fields[-1][0] and text.split():
            self.fields[-1] = (text.split()[0].lower(), False)


def _choice(element: Element) -> Element:
    """Of two ways of showing something, the first that holds text."""
    ways = [way for way in element if tag(way) in ("choice", "fallback")]
    return next((way for way in ways if any(tag(inner) == "t" for inner in way.iter())), ways[0] if ways else element)


def _is_contents_control(element: Element) -> bool:
    if tag(element) != "sdt":
        return False
    gallery = child(element, "sdtpr", "docpartobj", "docpartgallery")
    return gallery is not None and attribute(gallery, "val").lower() in ("table of contents", "bibliographies")


def _mapped(run: Element, text: str) -> str:
    """Letters typed in a symbol font are stored where the font has them."""
    if not _PRIVATE.search(text):
        return text
    fonts = child(run, "rpr", "rfonts")
    font = attribute(fonts, "ascii") or attribute(fonts, "hAnsi") if fonts is not None else ""
    return _PRIVATE.sub(lambda char: symbol(ord(char[0]), font or "symbol"), text)


def _symbol(element: Element) -> str:
    try:
        code = int(attribute(element, "char") or "0", 16)
    except ValueError:
        return ""
    return symbol(code, attribute(element, "font"))
