"""OpenDocument texts: what stands in them once changes are accepted, headings by rank or by look, notes aside."""

from __future__ import annotations

from pathlib import Path

from quire.books import pulse
from quire.books.archive import Archive
from quire.books.book import Book, Place
from quire.books.cut_zip import CUT
from quire.books.draft import Draft
from quire.books.finishing.finish import finish
from quire.books.limits import PLAIN, ReadOptions
from quire.books.markup import Element, tag
from quire.books.office.elements import optional_part, parse_part
from quire.books.office.flow import lay_out
from quire.books.office.odt_styles import read_styles
from quire.books.office.odt_text import Walker
from quire.errors import BookError

_BEAT = 200
_CONTENT, _STYLES, _META, _MANIFEST = "content.xml", "styles.xml", "meta.xml", "META-INF/manifest.xml"


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of an OpenDocument text.  Raises BookError when it is damaged, locked or holds no text."""
    archive = Archive(path)
    draft = Draft(str(path), warnings=[CUT] if archive.is_cut else [])
    if _MANIFEST in archive and b"encryption-data" in archive.read(_MANIFEST):
        then = "open it in a word processor and save it without one"
        raise BookError(f"{path} is locked with a password", then=then, code="protected")
    root = _content(draft, archive)
    _read_meta(draft, archive)
    styles = optional_part(archive, _STYLES, draft.warnings)
    roots = [root] if styles is None else [root, styles]
    walker = Walker(draft, read_styles(reversed(roots)))
    lay_out(draft, list(pulse.each(walker.paragraphs(_body(root)), _BEAT)), options.matter == "all")
    _drop_running(draft, roots[1:])
    if not draft.title:
        draft.title = path.stem
    return [finish(draft, options)]


def _content(draft: Draft, archive: Archive) -> Element:
    """The root of the text.  One that breaks off is read as far as it goes."""
    if _CONTENT not in archive:
        what = f"{draft.path} is no OpenDocument text: it has no {_CONTENT}"
        raise BookError(what, then="check that it is the file you meant", code="wrong-kind")
    root, wrong = parse_part(archive.read(_CONTENT), "p", "h")
    if root is None:
        what = f"{draft.path} is a damaged OpenDocument text ({wrong})"
        raise BookError(what, then="open it in a word processor and save it", code="damaged")
    if wrong:
        draft.warnings.append(f"{_CONTENT} is damaged ({wrong}): read as far as it could be")
    return root


def _body(root: Element) -> Element:
    return next((one for one in root.iter() if tag(one) == "text" and tag(one.getparent()) == "body"), root)


def _read_meta(draft: Draft, archive: Archive) -> None:
    root = optional_part(archive, _META, draft.warnings)
    if root is None:
        return
    found = {tag(element): (element.text or "").strip() for element in root.iter() if tag(element)}
    draft.title = found.get("title", "")
    draft.author = found.get("initial-creator", "") or found.get("creator", "")
    draft.language = found.get("language", "")


def _drop_running(draft: Draft, roots: list[Element]) -> None:
    """Running heads and feet, counted."""
    for root in roots:
        for element in root.iter():
            name = tag(element)
            if name.startswith(("header", "footer")) and tag(element.getparent()) == "master-page":
                reason = "running head" if name.startswith("header") else "running foot"
                text = " ".join("".join(element.itertext()).split())
                draft.drop(reason, text, Place(draft.path, "page part", 1, _STYLES))
