"""The parts of a Word document: found by their relations, wherever the program that wrote it put them."""

from __future__ import annotations

import posixpath
from pathlib import Path

from quire.books.archive import Archive
from quire.books.cut_zip import CUT
from quire.books.markup import Element, tag
from quire.books.office.elements import attribute, optional_part, parse_part
from quire.errors import BookError


def is_on(mark: Element | None) -> bool:
    """Whether a property that is either on or off is there and not switched off."""
    return mark is not None and attribute(mark, "val") not in ("0", "false", "off")


class Package:
    """The main part and those that it relates to, by the last word of the relation's type (`styles`, `footnotes`)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.archive = Archive(path)
        self.warnings: list[str] = [CUT] if self.archive.is_cut else []
        top = self._relations("_rels/.rels")
        names = [target for kind, target in top if kind == "officeDocument"]
        self.main = next((name for name in [*names, "word/document.xml"] if name in self.archive), "")
        if not self.main:
            what = f"{path} is no Word document: it has no word/document.xml"
            raise BookError(what, then="check that it is the file you meant", code="wrong-kind")
        self.core = next((target for kind, target in top if kind == "core-properties"), "docProps/core.xml")
        folder, name = posixpath.split(self.main)
        related = self._relations(f"{folder}/_rels/{name}.rels", folder)
        self._related: dict[str, list[str]] = {}
        for kind, target in related:
            if target in self.archive and target not in self._related.setdefault(kind, []):
                self._related[kind].append(target)
        for kind in ("styles", "footnotes", "endnotes", "comments"):
            if kind not in self._related and f"{folder}/{kind}.xml" in self.archive:
                self._related[kind] = [f"{folder}/{kind}.xml"]

    def document(self) -> Element:
        """The root of the main part.  One that breaks off is read as far as it goes."""
        root, wrong = parse_part(self.archive.read(self.main), "t")
        if root is None:
            what = f"{self.path} is a damaged Word document ({wrong})"
            raise BookError(what, then="open it in a word processor and save it", code="damaged")
        if wrong:
            self.warnings.append(f"{self.main} is damaged ({wrong}): read as far as it could be")
        return root

    def parts(self, kind: str) -> list[tuple[str, Element]]:
        """The names and roots of the related parts of a kind; one that is broken is left out and named."""
        read = ((name, self.optional(name)) for name in self._related.get(kind, []))
        return [(name, root) for name, root in read if root is not None]

    def optional(self, name: str) -> Element | None:
        """The root of a part that a book can do without."""
        return optional_part(self.archive, name, self.warnings)

    def _relations(self, name: str, folder: str = "") -> list[tuple[str, str]]:
        """Kind and target of each relation to a part of this file."""
        root = self.optional(name)
        if root is None:
            return []
        found = []
        for element in root:
            if tag(element) == "relationship" and attribute(element, "TargetMode") != "External":
                target = attribute(element, "Target")
                joined = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"{folder}/{target}")
                found.append((attribute(element, "Type").rsplit("/", 1)[-1], joined.lstrip("/")))
        return found
