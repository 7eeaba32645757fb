"""The paragraphs of a Word document as they read once every change is accepted."""

from __future__ import annotations

from collections.abc import Iterator

from quire.books.office.docx_package import attribute, child, is_on
from quire.books.office.docx_styles import CONTENTS, Style, heading_level
from quire.books.office.flow import Paragraph
from quire.books.office.symbols import symbol
from quire.books.web.markup import Element, tag

_DELETED = frozenset(("del", "movefrom"))
_SILENT = frozenset(
    ("instrtext", "deltext", "delinstrtext", "ppr", "rpr", "sectpr", "comment", "pict", "object", "rt", "txbxcontent")
)
_LISTS = ("toc", "index", "toa", "rd")
_NUMBERS = ("page", "numpages", "sectionpages", "section", "pageref")


class Walker:
    """Reads the paragraphs of one part; fields may go over several of them."""

    def __init__(self, styles: dict[str, Style]) -> None:
        self.styles = styles
        # For each open field: what it is, and whether its result has begun.
        self.fields: list[tuple[str, bool]] = []

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
        paragraph = Paragraph("", self._style(properties))
        paragraph.text = "".join(self._run(element, paragraph))
        # A field that never came to its result would silence all that follows.
        self.fields = [one for one in self.fields if one[1] and one[0] not in _NUMBERS]
        paragraph.contents = paragraph.contents or contents or paragraph.style.name.startswith(CONTENTS)
        if properties is not None:
            paragraph.joins = (
                child(properties, "rpr", "del") is not None or child(properties, "rpr", "movefrom") is not None
            )
            frame = child(properties, "framepr")
            paragraph.drop_cap = frame is not None and attribute(frame, "dropCap") in ("drop", "margin")
            paragraph.numbered = child(properties, "numpr") is not None or paragraph.style.numbered
        _read_looks(element, properties, paragraph)
        return paragraph

    def _style(self, properties: Element | None) -> Style:
        if properties is None:
            return Style()
        style = Style()
        reference, outline = child(properties, "pstyle"), child(properties, "outlinelvl")
        if reference is not None:
            identity = attribute(reference, "val")
            style = self.styles.get(identity) or Style(identity.lower(), heading_level(identity) or 0)
        if outline is not None and attribute(outline, "val").isdigit():
            level = int(attribute(outline, "val")) + 1
            style = Style(style.name, level if level <= 9 else 0, style.hidden, style.numbered)
        return style

    def _listing(self) -> bool:
        """Whether the text is what a field for contents or an index gave."""
        return any(name in _LISTS for name, _ in self.fields)

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
                if not (words and words[0].lower() in _NUMBERS):
                    yield from self._run(inner, paragraph)
            elif name != "p":
                yield from self._piece(inner, name, paragraph)

    def _plain_run(self, run: Element, paragraph: Paragraph) -> Iterator[str]:
        text = "".join(self._run(run, paragraph))
        if not text:
            return
        paragraph.contents = paragraph.contents or self._listing()
        named = child(run, "rpr", "rstyle")
        style = self.styles.get(attribute(named, "val")) if named is not None else None
        vanish = child(run, "rpr", "vanish")
        hidden = is_on(vanish) if vanish is not None else bool(style and style.hidden) or paragraph.style.hidden
        if hidden:
            paragraph.hidden.append(text)
        elif child(run, "footnotereference") is not None or child(run, "endnotereference") is not None:
            # A mark of the author's own choice follows in the same run.
            return
        elif not self._silenced():
            yield _mapped(run, text)

    def _silenced(self) -> bool:
        """Whether the text is a field's code, or a page number that a field gave."""
        return any(not begun or name in _NUMBERS for name, begun in self.fields)

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
    if not any("\uf020" <= char <= "\uf0ff" for char in text):
        return text
    fonts = child(run, "rpr", "rfonts")
    font = attribute(fonts, "ascii") or attribute(fonts, "hAnsi") if fonts is not None else ""
    return "".join(symbol(ord(char), font or "symbol") if "\uf020" <= char <= "\uf0ff" else char for char in text)


def _symbol(element: Element) -> str:
    try:
        code = int(attribute(element, "char") or "0", 16)
    except ValueError:
        return ""
    return symbol(code, attribute(element, "font"))


def _read_looks(element: Element, properties: Element | None, paragraph: Paragraph) -> None:
    """How a paragraph is set by hand, from its own properties and those of its runs."""
    paragraph.new_page = properties is not None and is_on(child(properties, "pagebreakbefore"))
    if len(paragraph.text) > 200:
        return
    align = child(properties, "jc") if properties is not None else None
    paragraph.centred = align is not None and attribute(align, "val") == "center"
    runs = [run for run in element.iter() if tag(run) == "r" and any(tag(inner) == "t" for inner in run)]
    paragraph.bold = bool(runs) and all(is_on(child(run, "rpr", "b")) for run in runs)
    given = [child(run, "rpr", "sz") for run in runs]
    halves = [attribute(size, "val") for size in given if size is not None]
    paragraph.size = max((int(half) / 2 for half in halves if half.isdigit()), default=0.0)
