"""EPUB 2 and 3: the spine's pages in order, without navigation and imprint, notes aside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from quire.books.archive import Archive, resolve
from quire.books.book import Book, Place
from quire.books.draft import Draft, Item, finish
from quire.books.headings import is_title_line, recognise
from quire.books.limits import PLAIN, ReadOptions
from quire.books.markup import Element, Skip, Walk, classes, parse_page, parse_xml, plain_text, tag, types
from quire.errors import BookError

_SKIPPED_TYPES = {
    "toc": "contents",
    "landmarks": "contents",
    "page-list": "contents",
    "loi": "list of illustrations",
    "lot": "list of tables",
    "index": "index",
    "colophon": "colophon",
    "imprint": "imprint",
    "copyright-page": "copyright page",
    "titlepage": "title page",
    "halftitlepage": "title page",
    "fulltitle": "title page",
    "halftitle": "title page",
    "cover": "cover",
    "other-credits": "credits",
    "contributors": "credits",
}
_GUIDE = {
    "cover": "cover",
    "title-page": "title page",
    "toc": "contents",
    "index": "index",
    "colophon": "colophon",
    "copyright-page": "copyright page",
    "loi": "list of illustrations",
    "lot": "list of tables",
}
_NAMES = (
    (re.compile(r"(?:^|[/_.-])(?:cover|couverture)(?:page)?(?:[_.-]|\d*\.)", re.IGNORECASE), "cover"),
    (re.compile(r"(?:^|[/_.-])(?:half-?)?title-?_?page(?:[_.-]|\d*\.)", re.IGNORECASE), "title page"),
    (re.compile(r"(?:^|[/_.-])(?:toc|contents|nav|sommaire|inhalt)(?:[_.-]|\d*\.)", re.IGNORECASE), "contents"),
    (
        re.compile(r"(?:^|[/_.-])(?:copyright|uncopyright|legal|mentions)(?:[_.-]|\d*\.)", re.IGNORECASE),
        "copyright page",
    ),
    (re.compile(r"(?:^|[/_.-])imprint(?:[_.-]|\d*\.)", re.IGNORECASE), "imprint"),
    (re.compile(r"(?:^|[/_.-])colophon(?:[_.-]|\d*\.)", re.IGNORECASE), "colophon"),
)
_LEGAL = re.compile(
    r"\ball rights reserved\b|\bISBN[ :\d-]|©|\bcopyright\b|tous droits réservés|dépôt légal", re.IGNORECASE
)
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")


@dataclass
class Package:
    """What the OPF file says: metadata, the spine's entries in order, what each is, and what the contents call it."""

    title: str
    author: str
    language: str
    spine: list[str]
    missing: list[str]
    roles: dict[str, str]
    labels: dict[str, list[tuple[str, str]]]


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of an EPUB.  Raises BookError when it is damaged, protected (DRM) or holds no text."""
    archive = Archive(path)
    _refuse_protected(path, archive)
    package = _read_package(path, archive)
    draft = Draft(str(path), title=package.title or path.stem, author=package.author, language=package.language)
    for name in package.missing:
        draft.warnings.append(f"{name} is named in the book's order of reading but missing")
    targets: set[str] = set()
    for number, name in enumerate(package.spine, start=1):
        root = parse_page(archive.read(name))
        if root is None:
            draft.warnings.append(f"{name} cannot be read")
            continue
        _read_page(draft, package, name, (number, root), targets)
    return [finish(draft, options)]


def _refuse_protected(path: Path, archive: Archive) -> None:
    """Fonts may be obfuscated; encrypted text cannot be read."""
    if "META-INF/encryption.xml" not in archive:
        return
    try:
        root = parse_xml(archive.read("META-INF/encryption.xml"))
    except etree.XMLSyntaxError:
        return
    for data in (element for element in root.iter() if tag(element) == "encrypteddata"):
        method = next((e.get("Algorithm") or "" for e in data.iter() if tag(e) == "encryptionmethod"), "")
        fonts = "obfuscation" in method.lower() or "#RC" in method
        names = [e.get("URI") or "" for e in data.iter() if tag(e) == "cipherreference"]
        if not fonts and any(re.search(r"\.(?:x?html?|xml|opf|ncx)$", name, re.IGNORECASE) for name in names):
            raise BookError(
                f"{path} is protected (DRM): its text is encrypted",
                then="use a copy without protection, from a shop that sells them or the author's own",
            )


def _read_package(path: Path, archive: Archive) -> Package:
    name = _find_opf(path, archive)
    try:
        root = parse_xml(archive.read(name))
    except etree.XMLSyntaxError:
        parsed = parse_page(archive.read(name))
        if parsed is None:
            raise BookError(f"{path} is a damaged EPUB: {name} cannot be read", then="get the file again") from None
        root = parsed
    manifest = {
        item.get("id") or "": (resolve(name, item.get("href") or ""), item)
        for item in root.iter()
        if tag(item) == "item"
    }
    spine: list[str] = []
    missing: list[str] = []
    for reference in (element for element in root.iter() if tag(element) == "itemref"):
        target, item = manifest.get(reference.get("idref") or "", ("", None))
        if item is None or target not in archive:
            missing.append(target or (reference.get("idref") or "an unnamed page"))
        elif (item.get("media-type") or _PAGES[0]) in _PAGES:
            spine.append(target)
    if not spine:
        spine = sorted(entry for entry in archive.names if re.search(r"\.x?html?$", entry, re.IGNORECASE))
    roles = {
        target: "contents" for target, item in manifest.values() if "nav" in (item.get("properties") or "").split()
    }
    for element in root.iter():
        if tag(element) == "reference" and (element.get("type") or "").lower() in _GUIDE:
            roles.setdefault(resolve(name, element.get("href") or ""), _GUIDE[(element.get("type") or "").lower()])
    return Package(
        title=_main_title(root),
        author=_authors(root),
        language=_first(root, "language"),
        spine=list(dict.fromkeys(spine)),
        missing=missing,
        roles=roles,
        labels=_labels(archive, manifest),
    )


def _find_opf(path: Path, archive: Archive) -> str:
    """The package file: as the container says, or the only one there is."""
    if "META-INF/container.xml" in archive:
        try:
            for element in parse_xml(archive.read("META-INF/container.xml")).iter():
                if tag(element) == "rootfile" and element.get("full-path") in archive:
                    return str(element.get("full-path"))
        except etree.XMLSyntaxError:
            pass
    found = sorted(name for name in archive.names if name.lower().endswith(".opf"))
    if not found:
        raise BookError(f"{path} is no EPUB: it has no package file", then="check that it is the file you meant")
    return found[0]


def _first(root: Element, name: str) -> str:
    return next((plain_text(element) for element in root.iter() if tag(element) == name and plain_text(element)), "")


def _main_title(root: Element) -> str:
    """The title marked as the main one, else the first."""
    marked = {
        (meta.get("refines") or "").lstrip("#")
        for meta in root.iter()
        if tag(meta) == "meta" and meta.get("property") == "title-type" and plain_text(meta) == "main"
    }
    titles = [element for element in root.iter() if tag(element) == "title" and plain_text(element)]
    for element in titles:
        if element.get("id") in marked:
            return plain_text(element)
    return plain_text(titles[0]) if titles else ""


def _authors(root: Element) -> str:
    """The creators that are authors; all creators where none says what they did."""
    roles: dict[str, set[str]] = {}
    for meta in root.iter():
        if tag(meta) == "meta" and meta.get("property") == "role":
            roles.setdefault((meta.get("refines") or "").lstrip("#"), set()).add(plain_text(meta))
    people = []
    for element in root.iter():
        if tag(element) == "creator" and plain_text(element):
            said = next((value for key, value in element.attrib.items() if str(key).rsplit("}", 1)[-1] == "role"), "")
            kinds = {str(said)} if said else roles.get(element.get("id") or "", set())
            people.append((plain_text(element), not kinds or "aut" in kinds))
    authors = [name for name, wrote in people if wrote] or [name for name, _ in people]
    return ", ".join(dict.fromkeys(authors))


def _labels(archive: Archive, manifest: dict[str, tuple[str, Element]]) -> dict[str, list[tuple[str, str]]]:
    """For each page the (fragment, label) pairs that the book's contents have for it, from the nav or the NCX."""
    labels: dict[str, list[tuple[str, str]]] = {}
    sources = [t for t, item in manifest.values() if "nav" in (item.get("properties") or "").split()]
    sources += [t for t, item in manifest.values() if item.get("media-type") == "application/x-dtbncx+xml"]
    for source in sources:
        page = parse_page(archive.read(source)) if source in archive else None
        if page is None:
            continue
        for label, href in _entries(page):
            target = resolve(source, href)
            if target and label:
                labels.setdefault(target, []).append((href.partition("#")[2], label))
        if labels:
            break
    return labels


def _entries(page: Element) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    navs = [element for element in page.iter() if tag(element) == "nav" and "toc" in types(element)]
    for nav in navs[:1]:
        found += [(plain_text(a), a.get("href") or "") for a in nav.iter() if tag(a) == "a"]
    for point in page.iter():
        if tag(point) == "navpoint":
            label = next((plain_text(child) for child in point if tag(child) == "navlabel"), "")
            href = next((child.get("src") or "" for child in point if tag(child) == "content"), "")
            found.append((label, href))
    return found


def _read_page(draft: Draft, package: Package, name: str, page: tuple[int, Element], targets: set[str]) -> None:
    """One page of the spine: left out as a whole, put among the notes, or walked.

    `page` is its number and its root; `targets` gathers what marks of notes point to, over all pages.
    """
    number, root = page
    place = Place(draft.path, "spine item", number, name)
    body = next((element for element in root.iter() if tag(element) == "body"), root)
    reason = _page_reason(package, name, body)
    if reason:
        draft.drop(reason, plain_text(body), place)
        return
    before = len(draft.items)
    Walk(draft, inside=name, skip=Skip(_element_reason), targets=targets).run(body)
    added = draft.items[before:]
    draft.items[before:] = _open_chapter(package, name, added, place)


def _page_reason(package: Package, name: str, body: Element) -> str | None:
    if reason := package.roles.get(name):
        return (
            reason
            if reason != "contents" or _is_list_of_links(body) or "nav" in {tag(e) for e in body.iter()}
            else None
        )
    words = len(plain_text(body).split())
    for pattern, reason in _NAMES:
        if pattern.search(name) and words < 1200 and (reason != "contents" or _is_list_of_links(body)):
            return reason
    if words < 600 and len(_LEGAL.findall(plain_text(body))) >= 2:
        return "copyright page"
    return "contents" if _is_list_of_links(body) else None


def _is_list_of_links(body: Element) -> bool:
    links = [element for element in body.iter() if tag(element) == "a" and element.get("href")]
    linked = sum(len(plain_text(link)) for link in links)
    return len(links) >= 5 and linked >= 0.6 * len(plain_text(body))


def _element_reason(element: Element) -> str | None:
    for kind in types(element):
        if kind in _SKIPPED_TYPES:
            return _SKIPPED_TYPES[kind]
    name = tag(element)
    if name == "nav":
        return "contents"
    if name == "figcaption" or "caption" in classes(element):
        return "caption"
    if name in ("section", "div") and classes(element) & {"pg-boilerplate", "pgheader", "pgfooter"}:
        return "Gutenberg licence"
    return None


def _open_chapter(package: Package, name: str, items: list[Item], place: Place) -> list[Item]:
    """A page without a heading gets the one that the book's contents have for it.

    Where the label's words are the page's first lines, those lines are the heading.  A page that the contents do not
    name goes on with the chapter before.
    """
    body = [item for item in items if item.kind != "note"]
    if not body or any(item.kind == "heading" for item in body[:3]):
        return items
    labels = package.labels.get(name, [])
    label = next((text for fragment, text in labels if not fragment), labels[0][1] if labels else "")
    if not label:
        if (said := recognise(body[0].text)) and len(body[0].text) < 100 and said.kind != "named":
            return _as_heading(items, body[:1])
        return items if package.labels else [Item("chapter", "", place), *items]
    key = _letters(label)
    for count in (1, 2, 3):
        lines = body[:count]
        if all(len(item.text) < 160 for item in lines) and _letters("".join(item.text for item in lines)) == key:
            return _as_heading(items, lines)
    if _letters(label) == _letters(package.title):
        return [Item("chapter", "", place), *items]
    if (said := recognise(body[0].text)) and said.kind != "named" and is_title_line(body[0].text):
        return _as_heading(items, body[:1])
    return [Item("heading", label, place, 2), *items]


def _as_heading(items: list[Item], lines: list[Item]) -> list[Item]:
    heading = Item("heading", "\n".join(item.text for item in lines), lines[0].place, 2)
    return [heading, *(item for item in items if item not in lines)]


def _letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())
