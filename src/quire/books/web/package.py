"""What an EPUB's package file says: metadata, the order of reading, what each page is and what the contents call it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from quire.books.archive import Archive, resolve
from quire.books.finishing.matter import role_of_type
from quire.books.markup import Element, parse_page, parse_xml, plain_text, tag, types, xml_parser
from quire.errors import BookError

_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document", "image/svg+xml")
_PAGE_NAME = re.compile(r"\.(?:x?html?|xml|svg)$", re.IGNORECASE)
_NCX = "application/x-dtbncx+xml"
_GUIDE_EXTRA = {"other.colophon": "colophon", "other.copyright": "copyright page", "copyright": "copyright page"}
_MOST_STYLES = 20
# Each is tried only where one can begin, or a sheet without braces would take the square of its length.
_RULE = re.compile(r"(?<![^{}])([^{}]*)\{([^{}]*)\}")
_AT_BLOCK = re.compile(r"@(?:media|supports)[^{}@]*\{(?:[^{}]*\{[^{}]*\})*\s*\}")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_UNSHOWN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")
_CLASS_SELECTOR = re.compile(r"[a-z]*\.([\w-]+)", re.IGNORECASE)


Parts = dict[str, list[Element]]


@dataclass(frozen=True, slots=True)
class Label:
    """An entry of the contents: the fragment of its link, its words, its rank (1 the highest)."""

    fragment: str
    text: str
    level: int


@dataclass
class Package:
    """`spine` are the pages in order, `aside` those outside of it (`linear="no"`), `missing` those that are named but
    absent, `pictures` counts pages that are nothing but an image."""

    title: str
    author: str
    language: str
    spine: list[str]
    aside: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    pictures: int = 0
    roles: dict[str, str] = field(default_factory=dict)
    labels: dict[str, list[Label]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()


def read_package(path: Path, archive: Archive) -> Package:
    """The package of an EPUB.  Raises BookError where there is none that can be read."""
    names = _Names(archive)
    name = _find_opf(path, archive, names)
    root = _parse(archive.read(name))
    if root is None:
        raise BookError(f"{path} is a damaged EPUB: {name} cannot be read", then="get the file again", code="damaged")
    parts = _by_name(root)
    manifest = {
        item.get("id") or "": (names.find(name, item.get("href") or ""), item) for item in parts.get("item", ())
    }
    language = next((words for element in parts.get("language", ()) if (words := plain_text(element))), "")
    package = Package(title=_main_title(parts), author=_authors(parts), language=language, spine=[])
    _read_spine(package, parts, manifest, archive)
    navs = [target for target, item in manifest.values() if _is_nav(item)]
    ncx = [target for target, item in manifest.values() if item.get("media-type") == _NCX]
    pages = {source: _page(archive, source) for source in [nav for nav in navs if nav in archive][:1]}
    package.roles = dict.fromkeys(navs, "contents")
    _add_roles(package.roles, name, parts, pages, names)
    package.labels = _labels(archive, [*navs, *ncx], pages, names)
    package.hidden = _hidden_classes(archive, manifest)
    return package


def _by_name(root: Element) -> Parts:
    """The elements of a document by their names, in order."""
    found: Parts = {}
    for element in root.iter():
        found.setdefault(tag(element), []).append(element)
    return found


def _page(archive: Archive, name: str) -> Parts:
    page = parse_page(archive.read(name))
    return {} if page is None else _by_name(page)


class _Names:
    """Entries as references name them: exactly, else without regard to the case of letters."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._folded = {name.lower(): name for name in reversed(archive.names)}

    def find(self, base: str, reference: str) -> str:
        name = resolve(base, reference)
        if not name or name in self.archive:
            return name
        raw = resolve(base, reference.replace("%", "%25"))
        if raw in self.archive:
            return raw
        return self._folded.get(name.lower(), name)


def _parse(data: bytes) -> Element | None:
    try:
        return parse_xml(data)
    except etree.XMLSyntaxError:
        pass
    try:
        return etree.fromstring(data.lstrip(), xml_parser(recover=True))
    except (etree.XMLSyntaxError, ValueError):
        return None


def _find_opf(path: Path, archive: Archive, names: _Names) -> str:
    """The package file: the first one that the container names and that is there, or the only one there is."""
    container = names.find("", "META-INF/container.xml")
    root = _parse(archive.read(container)) if container in archive else None
    if root is not None:
        for element in root.iter():
            if tag(element) == "rootfile":
                found = names.find("", element.get("full-path") or "")
                if found in archive:
                    return found
    opfs = sorted((name for name in archive.names if name.lower().endswith(".opf")), key=lambda n: (n.count("/"), n))
    if not opfs:
        raise BookError(
            f"{path} is no EPUB: it has no package file",
            then="check that it is the file you meant",
            code="damaged" if container in archive else "wrong-kind",
        )
    return opfs[0]


def _read_spine(package: Package, parts: Parts, manifest: dict[str, tuple[str, Element]], archive: Archive) -> None:
    for reference in parts.get("itemref", ()):
        target, item = manifest.get(reference.get("idref") or "", ("", None))
        seen: set[str] = set()
        while item is not None and (item.get("media-type") or _PAGES[0]).lower() not in _PAGES:
            # What a reader does not know has a fallback that it may.
            following = item.get("fallback") or ""
            if following in seen or following not in manifest:
                break
            seen.add(following)
            target, item = manifest[following]
        if item is None or target not in archive:
            package.missing.append(target or reference.get("idref") or "an unnamed page")
        elif (item.get("media-type") or _PAGES[0]).lower() in _PAGES or _PAGE_NAME.search(target):
            (package.aside if reference.get("linear") == "no" else package.spine).append(target)
        elif (item.get("media-type") or "").lower().startswith("image/"):
            package.pictures += 1
    if not package.spine:
        package.spine, package.aside = package.aside, []
    if not package.spine:
        listed = [target for target, _ in manifest.values() if _PAGE_NAME.search(target) and target in archive]
        loose = sorted(entry for entry in archive.names if re.search(r"\.x?html?$", entry, re.IGNORECASE))
        package.spine = [target for target in listed if not target.lower().endswith(".svg")] or loose
    package.spine = list(dict.fromkeys(package.spine))
    package.aside = [name for name in dict.fromkeys(package.aside) if name not in package.spine]


def _main_title(parts: Parts) -> str:
    """The title marked as the main one, else the first."""
    marked = {
        (meta.get("refines") or "").lstrip("#")
        for meta in parts.get("meta", ())
        if meta.get("property") == "title-type" and plain_text(meta) == "main"
    }
    titles = [element for element in parts.get("title", ()) if plain_text(element)]
    for element in titles:
        if element.get("id") in marked:
            return plain_text(element)
    return plain_text(titles[0]) if titles else ""


def _authors(parts: Parts) -> str:
    """The creators that are authors; all creators where none says what they did."""
    roles: dict[str, set[str]] = {}
    for meta in parts.get("meta", ()):
        if meta.get("property") == "role":
            roles.setdefault((meta.get("refines") or "").lstrip("#"), set()).add(plain_text(meta))
    people = []
    for element in parts.get("creator", ()):
        if plain_text(element):
            said = next((value for key, value in element.attrib.items() if str(key).rsplit("}", 1)[-1] == "role"), "")
            kinds = {str(said)} if said else roles.get(element.get("id") or "", set())
            people.append((plain_text(element), not kinds or "aut" in kinds))
    authors = [name for name, wrote in people if wrote] or [name for name, _ in people]
    return ", ".join(dict.fromkeys(authors))


def _is_nav(item: Element) -> bool:
    return "nav" in (item.get("properties") or "").split()


def _add_roles(roles: dict[str, str], name: str, parts: Parts, navs: dict[str, Parts], names: _Names) -> None:
    """What pages are, by the package's guide and the nav's landmarks."""
    for element in parts.get("reference", ()):
        kind = (element.get("type") or "").lower()
        role = _GUIDE_EXTRA.get(kind) or role_of_type(frozenset((kind,)))
        if role:
            roles.setdefault(names.find(name, element.get("href") or ""), role)
    for source, page in navs.items():
        landmarks = [element for element in page.get("nav", ()) if "landmarks" in types(element)]
        for link in (a for element in landmarks for a in element.iter() if tag(a) == "a"):
            href = link.get("href") or ""
            role = role_of_type(types(link))
            if role and "#" not in href:
                roles.setdefault(names.find(source, href), role)


def _labels(archive: Archive, sources: list[str], known: dict[str, Parts], names: _Names) -> dict[str, list[Label]]:
    """For each page the labels that the book's contents have for it, from the nav or else the NCX."""
    labels: dict[str, list[Label]] = {}
    for source in sources:
        page = known.get(source) or (_page(archive, source) if source in archive else {})
        for text, href, depth in _entries(page):
            target = names.find(source, href)
            if target and text:
                labels.setdefault(target, []).append(Label(unquote(href.partition("#")[2]), text, depth))
        if labels:
            break
    return labels


def _entries(page: Parts) -> list[tuple[str, str, int]]:
    """Label, link and rank of each entry.  Contents of one rank are chapters: their rank is 2."""
    found: list[tuple[str, str, int]] = []
    navs = [element for element in page.get("nav", ()) if "toc" in types(element)]
    for nav in navs[:1]:
        for link in (a for a in nav.iter() if tag(a) == "a"):
            depth = sum(tag(above) == "ol" for above in link.iterancestors())
            found.append((plain_text(link), link.get("href") or "", depth))
    for point in page.get("navpoint", ()):
        label = next((plain_text(child) for child in point if tag(child) == "navlabel"), "")
        href = next((child.get("src") or "" for child in point if tag(child) == "content"), "")
        depth = 1 + sum(tag(above) == "navpoint" for above in point.iterancestors())
        found.append((label, href, depth))
    if len({depth for *_, depth in found}) == 1:
        found = [(text, href, 2) for text, href, _ in found]
    return found


def hidden_classes(sheet: str) -> set[str]:
    """The classes that a style sheet does not show, where a rule says so of the class alone."""
    if "none" not in sheet and "hidden" not in sheet:
        return set()
    plain = _AT_BLOCK.sub("", _COMMENT.sub("", sheet))
    selectors = [
        part.strip() for rule in _RULE.finditer(plain) if _UNSHOWN.search(rule[2]) for part in rule[1].split(",")
    ]
    return {match[1].lower() for selector in selectors if (match := _CLASS_SELECTOR.fullmatch(selector))}


def _hidden_classes(archive: Archive, manifest: dict[str, tuple[str, Element]]) -> frozenset[str]:
    sheets = [target for target, item in manifest.values() if item.get("media-type") == "text/css"]
    found: set[str] = set()
    for target in sheets[:_MOST_STYLES]:
        if target in archive:
            found |= hidden_classes(archive.read(target).decode("utf-8", "replace"))
    return frozenset(found)
