"""EPUB 2 and 3: the spine's pages in order, notes aside, each page known for what it is."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from quire.books.archive import Archive
from quire.books.book import Book, Place
from quire.books.cut_zip import CUT
from quire.books.draft import Draft, Item
from quire.books.finishing import matter
from quire.books.finishing.finish import finish
from quire.books.headings import is_title_line, recognise
from quire.books.limits import MIB, PLAIN, ReadOptions
from quire.books.markup import Element, parse_page, parse_xml, plain_text, tag
from quire.books.pulse import beat
from quire.books.web.looks import Look, Looks
from quire.books.web.note_links import NoteLinks, find_notes
from quire.books.web.package import Label, Package, read_package
from quire.books.web.walk import Reason, Walk
from quire.errors import BookError

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
# Most pages are none of these.
_NAMED = re.compile("cover|couv|title|toc|cont|nav|somm|inh|copy|legal|menti|impr|colo", re.IGNORECASE)
# What has no heading in print, though the list of contents must call it something.
_UNNAMED = frozenset(("dedication", "epigraph"))
# What programs call pages that have no title, and pages whose kind is no title.
_MADE_UP = re.compile(
    r"(?:section|page|untitled|split|content)[ _-]?\d*(?:\.x?html?)?|unknown|(?:begin|start)(?: reading)?|"
    r"commencer la lecture|(?:main |body )?text|body",
    re.IGNORECASE,
)
_SMALL_PAGE = 5_000
# Where calibre cuts a long page in two it says so in the name.
_SPLIT = re.compile(r"_split_0*[1-9]\d*\.")
_LONGEST_NAMED = 1200
_LONGEST_CAPTION = 300
_SPACES = re.compile("  +")
_MOST_WORDS = {"cover": 150, "title page": 400}
# Pages are parsed together so that links between them can be followed; more than any novel holds goes in batches.
_BATCH = 24 * MIB
_GUTENBERG = {"pg-boilerplate", "pgheader", "pgfooter"}
Page = tuple[int, str, Element]
"""Number in the spine, name, root."""


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of an EPUB.  Raises BookError when it is damaged, protected (DRM) or holds no text."""
    # Nothing here goes in circles: a tenth of the time went into looking for it.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return [_read(path, options)]
    finally:
        if collecting:
            gc.enable()


def _read(path: Path, options: ReadOptions) -> Book:
    archive = Archive(path)
    _refuse_protected(path, archive)
    package = read_package(path, archive)
    draft = Draft(str(path), title=package.title or path.stem, author=package.author, language=package.language)
    if archive.is_cut:
        draft.warnings.append(CUT)
    for name in package.missing:
        draft.warnings.append(f"{name} is named in the book's order of reading but missing")
    reader = _Reader(draft, package, options)
    for batch in _batches(archive, package, draft):
        links = find_notes([(name, root) for _, name, root in batch], reader.looks)
        for page in batch:
            beat()
            reader.read_page(page, links)
    reader.mark_blanks()
    speeches = sum(item.kind == "speech" for item in draft.items)
    if speeches >= 10 and speeches > 0.4 * sum(item.kind != "note" for item in draft.items):
        draft.kind = "plays"
    if not any(item.kind not in ("chapter", "break") for item in draft.items) and reader.pictures:
        raise BookError(
            f"{path} has only pictures of pages: no text in {reader.pictures} of them",
            then="recognise its text with an OCR program and read that",
            code="image-only",
        )
    return finish(draft, options)


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
        if not fonts and any(_is_unreadable(archive, unquote(name)) for name in names):
            raise BookError(
                f"{path} is protected (DRM): its text is encrypted",
                then="use a copy without protection, from a shop that sells them or the author's own",
                code="protected",
            )


def _is_unreadable(archive: Archive, name: str) -> bool:
    """Whether an entry that is said to be encrypted is a page and really no mark-up: where a lock was taken off, what
    said so often stays.
    """
    if not re.search(r"\.(?:x?html?|xml|opf|ncx)$", name, re.IGNORECASE):
        return False
    if name not in archive:
        return True
    data = archive.read(name).lstrip(b"\xef\xbb\xbf \t\r\n")
    # Some program may have taken the cipher for text: then it is full of U+FFFD.
    return not data.startswith(b"<") or 6 * data.count(b"\xef\xbf\xbd") > len(data)


def _batches(archive: Archive, package: Package, draft: Draft) -> Iterator[list[Page]]:
    """The pages of the spine and those aside of it, parsed."""
    batch: list[Page] = []
    size = 0
    for number, name in enumerate([*package.spine, *package.aside], start=1):
        try:
            data = archive.read(name)
        except BookError as error:
            # One spoilt page of many is no reason to give up the others.
            if error.code != "damaged" or len(package.spine) == 1:
                raise
            draft.warnings.append(f"{name} is damaged and left out")
            continue
        root = parse_page(data)
        if root is None:
            draft.warnings.append(f"{name} cannot be read")
            continue
        if b"<html" in data[:2000] and b"</html" not in data[-2000:].lower():
            draft.warnings.append(f"{name} is cut short: what is there was read")
        batch.append((number, name, root))
        size += len(data)
        beat()
        if size > _BATCH:
            yield batch
            batch, size = [], 0
    yield batch


class _Reader:
    """What is known while the pages of one book are read."""

    def __init__(self, draft: Draft, package: Package, options: ReadOptions) -> None:
        self.draft = draft
        self.package = package
        self.looks = Looks(package.hidden)
        self.reason = _reason(options)
        self.pictures = package.pictures
        self.blanks: list[Place] = []
        self._closed = False

    def read_page(self, page: Page, links: NoteLinks) -> None:
        """One page: put aside, or walked, and opened with the heading that the contents have for it."""
        number, name, root = page
        draft = self.draft
        body = _body(root)
        place = Place(draft.path, "spine item", number, name)
        before = len(draft.items)
        if tag(body) == "svg":
            self._read_svg(body, place)
        labels = self.package.labels.get(name, [])
        walk = Walk(draft, name, self.reason, self.looks, links, _spots(root, labels))
        walk.run(body)
        added = draft.items[before:]
        if not any(item.kind != "chapter" for item in added) and any(tag(e) in ("img", "image") for e in body.iter()):
            self.pictures += 1
        if name in self.package.aside:
            del draft.items[before:]
            self._put_aside(added)
            return
        role = self._role(name, body, added) if not any(item.role for item in added) else ""
        if role:
            draft.items[before:] = [Item("chapter", "", place, role=role), *added]
            self._closed = True
            return
        whole = next((label for label in labels if not label.fragment), None)
        if whole is None and labels and not walk.labelled:
            whole = labels[0]
        self._blanks(walk, before)
        opened = self._open(added, walk, before, whole, place)
        if self._closed and opened and opened[0].kind != "chapter":
            opened.insert(0, Item("chapter", "", place))
        if opened:
            last = next((item for item in reversed(opened) if item.kind == "chapter"), None)
            self._closed = last is not None and bool(last.role)
        draft.items[before:] = opened

    def _read_svg(self, root: Element, place: Place) -> None:
        """The lines of a page that is a drawing."""
        for element in root.iter("{*}text"):
            self.draft.add("paragraph", plain_text(element), place)

    def _put_aside(self, items: list[Item]) -> None:
        """A page outside of the order of reading gives its notes; the rest is left out."""
        for item in items:
            if item.kind == "note":
                self.draft.items.append(item)
            elif item.kind not in ("break", "chapter"):
                self.draft.drop("outside the order of reading", _SPACES.sub(" ", item.text), item.place)

    def _role(self, name: str, body: Element, added: list[Item]) -> str:
        """What a page is that does not say so in its markup."""
        role = self.package.roles.get(name, "")
        if role in _MOST_WORDS and len(plain_text(body).split()) > _MOST_WORDS[role]:
            role = ""
        size = sum(len(item.text) for item in added)
        if role and (role != "contents" or _is_list_of_links(body, size) or any(tag(e) == "nav" for e in body.iter())):
            return role
        named = [role for pattern, role in _NAMES if pattern.search(name)] if _NAMED.search(name) else []
        if not named and size > _SMALL_PAGE:
            return "contents" if _is_list_of_links(body, size) else ""
        text = plain_text(body)
        for role in named:
            if len(text.split()) < _MOST_WORDS.get(role, _LONGEST_NAMED) and (
                role != "contents" or _is_list_of_links(body, size)
            ):
                return role
        if matter.is_legal(text):
            return "copyright page"
        return "contents" if _is_list_of_links(body, size) else ""

    def _open(self, items: list[Item], walk: Walk, before: int, whole: Label | None, place: Place) -> list[Item]:
        """The items of a page with the headings that the contents have for it and for places in it."""
        for position, text, level in reversed(walk.labelled):
            at = position - before
            if at > 0 or whole is not None:
                items = items[:at] + _as_labelled(items[at:], text, level)
            else:
                whole = Label("", text, level)
        return self._open_chapter(items, whole, place)

    def _open_chapter(self, items: list[Item], label: Label | None, place: Place) -> list[Item]:
        """A page without a heading gets the one that the book's contents have for it.

        Where the label's words are the page's first lines, those lines are the heading.  A page that the contents do
        not name goes on with the chapter before.
        """
        body = [item for item in items if item.kind != "note"]
        first = [item for item in body if item.kind != "chapter"]
        if not first or any(item.kind == "heading" for item in first[:3]):
            return items
        if label is None:
            if (said := recognise(first[0].text)) and len(first[0].text) < 100 and said.kind != "named":
                return _with_heading(items, first[:1], 2)
            goes_on = self.package.labels or _SPLIT.search(place.inside)
            return items if goes_on else [*_opening(items, place), *items]
        role = matter.role_of_title(label.text)
        if _MADE_UP.fullmatch(label.text) or role in _UNNAMED:
            opening = _opening(items, place)
            for item in opening:
                item.role = role
            return [*opening, *items]
        marked = _as_labelled(items, label.text, label.level)
        if marked is not items:
            return marked
        if _letters(label.text) == _letters(self.package.title):
            return [*_opening(items, place), *items]
        if (said := recognise(first[0].text)) and said.kind != "named" and is_title_line(first[0].text):
            return _with_heading(items, first[:1], label.level)
        heading = Item("heading", label.text, place, label.level)
        if items[0].kind == "chapter":
            heading.role, heading.matter = items[0].role, items[0].matter
            items = items[1:]
        return [heading, *items]

    def _blanks(self, walk: Walk, before: int) -> None:
        """Where empty paragraphs stand between two others: perhaps scenes end there."""
        items = self.draft.items
        for position in walk.blanks:
            if before < position < len(items) and items[position - 1].kind == items[position].kind == "paragraph":
                self.blanks.append(items[position].place)

    def mark_blanks(self) -> None:
        """Empty paragraphs part scenes where they are few; where they are many they only part paragraphs."""
        paragraphs = sum(item.kind == "paragraph" for item in self.draft.items)
        if not self.blanks or len(self.blanks) > 0.15 * paragraphs:
            return
        places = set(self.blanks)
        items: list[Item] = []
        for item in self.draft.items:
            if item.kind == "paragraph" and item.place in places:
                items.append(Item("break", "* * *", item.place))
            items.append(item)
        self.draft.items = items


def _body(root: Element) -> Element:
    """What a page shows: its body, a drawing, or all of it."""
    first = root[:2]
    if len(first) == 2 and tag(first[0]) == "head" and tag(first[1]) == "body":
        body: Element = first[1]
        return body
    return next(root.iter("{*}body", "{*}BODY", "{*}svg"), root)


def _spots(root: Element, labels: list[Label]) -> dict[Element, tuple[str, int]]:
    """The elements of a page that entries of the contents point to."""
    wanted = {label.fragment: (label.text, label.level) for label in reversed(labels) if label.fragment}
    if not wanted:
        return {}
    found: dict[Element, tuple[str, int]] = {}
    for element in root.xpath("//*[@id or @name]"):
        for name in (element.get("id"), element.get("name")):
            if name in wanted:
                found.setdefault(element, wanted[name])
    return found


def _opening(items: list[Item], place: Place) -> list[Item]:
    return [] if items and items[0].kind == "chapter" else [Item("chapter", "", place)]


def _as_labelled(items: list[Item], label: str, level: int) -> list[Item]:
    """The items with their first lines as a heading, where those are the words of `label`; else the same list."""
    body = [item for item in items if item.kind not in ("note", "chapter")]
    if any(item.kind == "heading" for item in body[:1]):
        return items
    key = _letters(label)
    for count in (1, 2, 3):
        lines = body[:count]
        if all(len(item.text) < 160 for item in lines) and _letters("".join(item.text for item in lines)) == key:
            return _with_heading(items, lines, level)
    return items


def _with_heading(items: list[Item], lines: list[Item], level: int) -> list[Item]:
    heading = Item("heading", "\n".join(item.text for item in lines), lines[0].place, level)
    opening = [item for item in items[:1] if item.kind == "chapter"]
    if opening:
        heading.role, heading.matter = opening[0].role, opening[0].matter
    gone = {id(item) for item in (*lines, *opening)}
    return [heading, *(item for item in items if id(item) not in gone)]


def _letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def _is_list_of_links(body: Element, size: int) -> bool:
    """Whether most of a page, of so many letters, is links."""
    links = [element for element in body.iter("{*}a") if element.get("href")]
    if len(links) < 5:
        return False
    return sum(len(plain_text(link)) for link in links) >= 0.6 * size


def _reason(options: ReadOptions) -> Reason:
    """What pages hold besides text."""

    def reason(element: Element, look: Look) -> str | None:
        if look.name == "nav":
            return None if options.matter == "all" or matter.role_of_type(look.kinds) else "contents"
        if look.caption and is_caption(element):
            return "caption"
        if look.classes & _GUTENBERG and look.name in ("section", "div"):
            return "Gutenberg licence"
        return None

    return reason


def is_caption(element: Element) -> bool:
    """Whether what is marked as a caption is one: short, and beside a picture."""
    parent = element.getparent()
    pictures = () if parent is None else parent.iter("{*}img", "{*}image", "{*}svg", "{*}object")
    return next(iter(pictures), None) is not None and len(plain_text(element)) <= _LONGEST_CAPTION
