"""The paragraphs of an OpenDocument text as they read: deleted and hidden text aside, notes out of the lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from quire.books.book import Place
from quire.books.draft import Draft
from quire.books.markup import Element, plain_text, squeeze, tag
from quire.books.office.elements import attribute, child, number
from quire.books.office.paragraph import UNSEEN, Paragraph, Piece, set_looks
from quire.books.office.styles import CONTENTS, Style

_DROPPED = {
    "tracked-changes": UNSEEN,
    "hidden-paragraph": UNSEEN,
    "hidden-text": UNSEEN,
    "table-of-content": "contents",
    "illustration-index": "list of illustrations",
    "table-index": "list of tables",
    "object-index": "list of illustrations",
    "user-index": "index",
    "alphabetical-index": "index",
    "annotation": "comment",
    "forms": "form",
}
# What shows no text of its author's, or not in the line.
_SILENT = frozenset(
    (
        "ruby-text title desc sequence-decls variable-decls user-field-decls dde-connection-decls note-citation "
        "note-ref page-number page-count object object-ole image event-listeners script binary-data "
        "alphabetical-index-auto-mark-file"
    ).split()
)
_MOST_SPACES = 100


class Walker:
    """Reads the paragraphs of a document; notes and what is dropped go to the draft."""

    def __init__(self, draft: Draft, styles: dict[str, Style]) -> None:
        self.draft = draft
        self.styles = styles
        self.count = 0
        self.pieces: list[Piece] = []
        # Text boxes anchored in the paragraph that is being read.
        self.boxes: list[Element] = []

    def paragraphs(self, root: Element) -> Iterator[Paragraph]:
        """All paragraphs in order, those in lists, tables and text boxes too."""
        waiting: list[Element] = [root]
        while waiting:
            element = waiting.pop()
            name = tag(element)
            if name in _DROPPED:
                self._drop(_DROPPED[name], element)
            elif name == "section" and self._is_hidden(element):
                self._drop(UNSEEN, element)
            elif name in ("p", "h"):
                yield self._paragraph(element, name)
                waiting += reversed(self.boxes)
                self.boxes = []
            elif name and name not in _SILENT:
                waiting += reversed(element)

    def _paragraph(self, element: Element, name: str) -> Paragraph:
        self.count += 1
        style = self._style("paragraph", element)
        if name == "h":
            style = replace(style, level=number(element, "outline-level") or 1)
        paragraph = Paragraph("", style, centred=style.centred, new_page=style.new_page)
        self.pieces = []
        text = "".join(self._parts(element, style, paragraph))
        if style.hidden:
            paragraph.hidden.append(text)
        else:
            paragraph.text = text
        paragraph.contents = style.name.startswith(CONTENTS) or style.name.startswith("contents ")
        set_looks(paragraph, self.pieces)
        return paragraph

    def _style(self, family: str, element: Element) -> Style:
        name = attribute(element, "style-name")
        return (
            self.styles.get(f"{family} {name}") or self.styles.get(family) or Style(name.replace("_20_", " ").lower())
        )

    def _is_hidden(self, element: Element) -> bool:
        return attribute(element, "display") == "none" or self._style("section", element).hidden

    def _place(self) -> Place:
        return Place(self.draft.path, "paragraph", self.count)

    def _drop(self, reason: str, element: Element) -> None:
        """What is left out, its paragraphs without what stands beside them: who wrote a comment, and when."""
        places = [element]
        if tag(element) == "tracked-changes":
            places = [one for one in element.iter() if tag(one) == "deletion"]
        for place in places:
            texts = [plain_text(one) for one in place.iter() if tag(one) in ("p", "h")]
            self.draft.drop(reason, "\n".join(texts) if texts else plain_text(place), self._place())

    def _parts(self, element: Element, style: Style, paragraph: Paragraph) -> Iterator[str]:
        """The pieces of text under an element; `style` is how letters are set there."""
        yield self._set(element.text, style)
        for inner in element:
            name = tag(inner)
            if name == "line-break":
                yield "\n"
            elif name == "s":
                yield " " * min(number(inner, "c") or 1, _MOST_SPACES)
            elif name == "tab":
                yield " "
            elif name == "note":
                self._note(inner)
            elif name in ("text-box", "table", "p", "h", "list"):
                self.boxes.append(inner)
            elif name in _DROPPED:
                self._drop(_DROPPED[name], inner)
            elif name == "span":
                yield from self._span(inner, style, paragraph)
            elif name and name not in _SILENT:
                yield from self._parts(inner, style, paragraph)
            yield self._set(inner.tail, style)

    def _span(self, element: Element, outer: Style, paragraph: Paragraph) -> Iterator[str]:
        style = self._style("text", element)
        if style.hidden:
            paragraph.hidden.append(plain_text(element))
            return
        own = Style(outer.name, bold=style.bold or outer.bold, size=style.size or outer.size)
        yield from self._parts(element, own, paragraph)

    def _set(self, text: str | None, style: Style) -> str:
        text = squeeze(text or "")
        if text.strip():
            self.pieces.append((style.bold, style.size, len(text)))
        return text

    def _note(self, element: Element) -> None:
        body = child(element, "note-body")
        if body is None:
            return
        outer = self.pieces, self.boxes
        self.pieces, self.boxes = [], []
        texts = [
            "".join(self._parts(inner, Style(), Paragraph("", Style()))).strip()
            for inner in body.iter()
            if tag(inner) in ("p", "h")
        ]
        self.pieces, self.boxes = outer
        self.draft.add("note", "\n".join(text for text in texts if text), self._place())
