"""OpenDocument texts: headings by outline level, notes aside, deleted text left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lxml import etree

from quire.books.archive import Archive
from quire.books.book import Book, Place
from quire.books.draft import Draft, finish
from quire.books.limits import PLAIN, ReadOptions
from quire.books.web.markup import Element, parse_xml, tag
from quire.errors import BookError

_SKIPPED = {
    "tracked-changes": "tracked deletion or hidden text",
    "table-of-content": "contents",
    "alphabetical-index": "index",
    "illustration-index": "list of illustrations",
    "annotation": "comment",
    "hidden-paragraph": "tracked deletion or hidden text",
    "forms": "form",
    "sequence-decls": "",
}


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of an OpenDocument text.  Raises BookError when it is damaged, locked or holds no text."""
    archive = Archive(path)
    draft = Draft(str(path))
    if "META-INF/manifest.xml" in archive and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise BookError(f"{path} is locked with a password", then="save it without a password")
    try:
        root = parse_xml(archive.read("content.xml"))
    except KeyError:
        raise BookError(f"{path} has no content.xml", then="check that it is the file you meant") from None
    except etree.XMLSyntaxError as error:
        raise BookError(f"{path} is a damaged OpenDocument text ({error})", then="open and save it again") from None
    _read_meta(draft, archive)
    reader = _Reader(draft, _parents(root, archive))
    body = next(
        (element for element in root.iter() if tag(element) == "text" and tag(element.getparent()) == "body"), root
    )
    reader.walk(body)
    if not draft.title:
        draft.title = path.stem
    return [finish(draft, options)]


def _attribute(element: Element, name: str) -> str:
    return next((str(value) for key, value in element.attrib.items() if str(key).rsplit("}", 1)[-1] == name), "")


def _read_meta(draft: Draft, archive: Archive) -> None:
    if "meta.xml" not in archive:
        return
    try:
        root = parse_xml(archive.read("meta.xml"))
    except etree.XMLSyntaxError:
        return
    found = {tag(element): (element.text or "").strip() for element in root.iter() if tag(element)}
    draft.title = found.get("title", "")
    draft.author = found.get("initial-creator", "") or found.get("creator", "")
    draft.language = found.get("language", "")


def _parents(root: Element, archive: Archive) -> dict[str, str]:
    """For each style the one it comes from, automatic styles of the text and named ones alike."""
    roots = [root]
    if "styles.xml" in archive:
        with suppress(etree.XMLSyntaxError):
            roots.append(parse_xml(archive.read("styles.xml")))
    return {
        _attribute(element, "name"): _attribute(element, "parent-style-name")
        for tree in roots
        for element in tree.iter()
        if tag(element) == "style"
    }


class _Reader:
    """The walk over the text of a document."""

    def __init__(self, draft: Draft, parents: dict[str, str]) -> None:
        self.draft = draft
        self.parents = parents
        self.count = 0

    def walk(self, element: Element) -> None:
        for child in element:
            name = tag(child)
            if name in _SKIPPED:
                self.draft.drop(_SKIPPED[name], " ".join(child.itertext()), self._place())
            elif name == "h":
                self.count += 1
                level = _attribute(child, "outline-level")
                self.draft.add("heading", self._text(child), self._place(), int(level) if level.isdigit() else 1)
            elif name == "p":
                self.count += 1
                self._paragraph(child)
            elif name:
                self.walk(child)

    def _place(self) -> Place:
        return Place(self.draft.path, "paragraph", self.count)

    def _styles(self, element: Element) -> list[str]:
        """The names of a paragraph's style and of those that it comes from, in lower case."""
        found: list[str] = []
        name = _attribute(element, "style-name")
        while name and name not in found:
            found.append(name)
            name = self.parents.get(name, "")
        return [style.replace("_20_", " ").lower() for style in found]

    def _paragraph(self, element: Element) -> None:
        lines = [line.strip() for line in self._text(element).split("\n") if line.strip()]
        styles = self._styles(element)
        if not lines:
            return
        if "title" in styles or "subtitle" in styles:
            if "title" in styles and not self.draft.title:
                self.draft.title = " ".join(lines)
            self.draft.drop("title page", "\n".join(lines), self._place())
        elif any(style.startswith("heading ") and style[8:].isdigit() for style in styles):
            level = next(int(style[8:]) for style in styles if style.startswith("heading ") and style[8:].isdigit())
            self.draft.add("heading", "\n".join(lines), self._place(), level)
        else:
            self.draft.add("verse" if len(lines) > 1 else "paragraph", "\n".join(lines), self._place())

    def _text(self, element: Element) -> str:
        return "".join(self._parts(element))

    def _parts(self, element: Element) -> Iterator[str]:
        yield _collapse(element.text)
        for child in element:
            name = tag(child)
            if name == "line-break":
                yield "\n"
            elif name == "s":
                count = _attribute(child, "c")
                yield " " * min(int(count), 100) if count.isdigit() else " "
            elif name == "tab":
                yield " "
            elif name == "note":
                self._note(child)
            elif name == "p":
                # A text box inside a paragraph: its own paragraphs follow on their own lines.
                yield "\n" + self._text(child) + "\n"
            elif name in _SKIPPED:
                self.draft.drop(_SKIPPED[name], " ".join(child.itertext()), self._place())
            elif name not in ("ruby-text", "bookmark", "soft-page-break", "title", "desc"):
                yield from self._parts(child)
            yield _collapse(child.tail)

    def _note(self, element: Element) -> None:
        body = next((child for child in element if tag(child) == "note-body"), None)
        if body is not None:
            texts = [self._text(inner).strip() for inner in body.iter() if tag(inner) == "p"]
            self.draft.add("note", "\n".join(text for text in texts if text), self._place())


def _collapse(text: str | None) -> str:
    """White space in the file means one space; several are written as elements."""
    if not text:
        return ""
    joined = " ".join(text.split(" ")).replace("\t", " ").replace("\n", " ").replace("\r", "")
    while "  " in joined:
        joined = joined.replace("  ", " ")
    return joined
