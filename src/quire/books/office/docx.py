"""Word documents: the text as it stands after all changes are accepted, headings by style or by look, notes aside."""

from __future__ import annotations

import re
from pathlib import Path

from quire.books import pulse
from quire.books.book import Book, Place
from quire.books.draft import Draft
from quire.books.finishing.finish import finish
from quire.books.limits import PLAIN, ReadOptions
from quire.books.markup import Element, tag
from quire.books.office.docx_package import Package
from quire.books.office.docx_styles import read_styles
from quire.books.office.docx_text import Walker
from quire.books.office.elements import attribute
from quire.books.office.flow import lay_out
from quire.books.office.styles import Style

_PLACEHOLDERS = re.compile(
    r"python-docx|word document|microsoft office user|untitled\d*|sans titre|document\s?\d*|microsoft word - .*|"
    r"user|admin|author|title|.*\.dot[mx]?",
    re.IGNORECASE,
)
_BEAT = 200


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of a Word document.  Raises BookError when it is damaged or holds no text."""
    package = Package(path)
    draft = Draft(str(path))
    _read_properties(draft, package)
    walker = Walker(read_styles(package))
    lay_out(draft, list(pulse.each(walker.paragraphs(package.document()), _BEAT)), options.matter == "all")
    _read_notes(draft, package, walker.styles)
    _drop_aside(draft, package)
    draft.warnings += package.warnings
    if not draft.title:
        draft.title = path.stem
    return [finish(draft, options)]


def _read_properties(draft: Draft, package: Package) -> None:
    root = package.optional(package.core)
    for element in root if root is not None else ():
        text = (element.text or "").strip()
        if _PLACEHOLDERS.fullmatch(text):
            continue
        if tag(element) == "title":
            draft.title = text
        elif tag(element) == "creator":
            draft.author = text
        elif tag(element) == "language":
            draft.language = text


def _read_notes(draft: Draft, package: Package, styles: dict[str, Style]) -> None:
    for kind, unit in (("footnotes", "footnote"), ("endnotes", "endnote")):
        for _, root in package.parts(kind):
            for number, element in enumerate(root):
                # The first two are the lines that Word draws above notes.
                if attribute(element, "type") in ("separator", "continuationSeparator", "continuationNotice"):
                    continue
                draft.add("note", _whole(element, styles), Place(draft.path, unit, number))


def _whole(element: Element, styles: dict[str, Style]) -> str:
    texts = [paragraph.text.strip() for paragraph in Walker(styles).paragraphs(element)]
    return "\n".join(text for text in texts if text)


def _drop_aside(draft: Draft, package: Package) -> None:
    """Running heads and comments, counted."""
    for kind, reason in (("header", "running head"), ("footer", "running foot"), ("comments", "comment")):
        for name, root in package.parts(kind):
            for paragraph in Walker({}).paragraphs(root):
                draft.drop(reason, paragraph.text, Place(draft.path, "page part", 1, name))
