"""Word documents: the text as it stands after all changes are accepted, headings by style, notes aside."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from quire.books.archive import Archive
from quire.books.book import Book, Place
from quire.books.draft import Draft, finish, is_scene_break
from quire.books.limits import PLAIN, ReadOptions
from quire.books.markup import Element, parse_xml, tag
from quire.errors import BookError

_DELETED = frozenset(("del", "movefrom"))
_SILENT = frozenset(
    ("instrtext", "deltext", "delinstrtext", "fallback", "ppr", "rpr", "sectpr", "comment", "pict", "object")
)
_TITLES = {"title": "title", "titel": "title", "titre": "title", "título": "title", "titolo": "title"}
_HEADING_NAME = re.compile(r"(?:heading|überschrift|titre|título|titolo|kop)\s*([1-9])", re.IGNORECASE)
_VERSE_NAME = re.compile(r"verse|vers|poem|poetry|poésie|gedicht|stanza", re.IGNORECASE)
_PLACEHOLDERS = frozenset(("python-docx", "word document", "microsoft office user"))
# Where at most this share of the paragraphs is empty, an empty one is a scene break and not spacing.
_RARE_EMPTY = 0.08


@dataclass(frozen=True, slots=True)
class Style:
    """What a paragraph style means: its name in lower case and its rank as a heading (0: none)."""

    name: str
    level: int


@dataclass
class Paragraph:
    """A paragraph with its line breaks as \\n, the texts that tracked changes deleted from it, and how it is set:
    `bold` when all of it is, `size` in points where it is given, `new_page` when a page begins with it."""

    text: str
    style: Style
    deleted: list[str] = field(default_factory=list)
    contents: bool = False
    centred: bool = False
    bold: bool = False
    size: float = 0.0
    new_page: bool = False


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of a Word document.  Raises BookError when it is damaged or holds no text."""
    archive = Archive(path)
    root = _part(path, archive, "word/document.xml")
    draft = Draft(str(path))
    _read_properties(draft, archive)
    styles = _styles(path, archive)
    paragraphs = [_paragraph(element, styles) for element in _paragraphs(root)]
    if sum(paragraph.style.level > 0 for paragraph in paragraphs) < 2:
        paragraphs = _by_looks(draft, paragraphs)
    empty = sum(not paragraph.text.strip() for paragraph in paragraphs)
    breaks = 0 < empty <= _RARE_EMPTY * len(paragraphs)
    for number, paragraph in enumerate(paragraphs, start=1):
        _add(draft, paragraph, Place(str(path), "paragraph", number), breaks)
    _read_notes(draft, path, archive)
    _drop_heads(draft, path, archive)
    if not draft.title:
        draft.title = path.stem
    return [finish(draft, options)]


def _by_looks(draft: Draft, paragraphs: list[Paragraph]) -> list[Paragraph]:
    """Headings of those who use no styles: short centred lines, bold or larger than the text, several of one look."""
    sizes = Counter(paragraph.size for paragraph in paragraphs if len(paragraph.text) > 100)
    usual = sizes.most_common(1)[0][0] if sizes else 0.0

    def look(paragraph: Paragraph) -> tuple[float, bool] | None:
        text = paragraph.text.strip()
        stands_out = paragraph.bold or (paragraph.size > usual > 0) or (usual == 0 < paragraph.size)
        plain = len(text) <= 120 and any(char.isalnum() for char in text) and not is_scene_break(text)
        set_apart = paragraph.centred or paragraph.new_page
        return (paragraph.size, paragraph.bold) if plain and stands_out and set_apart else None

    looks = Counter(found for paragraph in paragraphs if (found := look(paragraph)))
    kept: list[Paragraph] = []
    for paragraph in paragraphs:
        found = look(paragraph)
        if found and looks[found] >= 2:
            paragraph.style = Style(paragraph.style.name, 2)
        elif found and not draft.title and not any(len(other.text) > 100 for other in kept):
            draft.title = " ".join(paragraph.text.split())
        kept.append(paragraph)
    return kept


def _part(path: Path, archive: Archive, name: str) -> Element:
    try:
        return parse_xml(archive.read(name))
    except KeyError:
        raise BookError(
            f"{path} is no Word document: it has no {name}", then="check that it is the file you meant"
        ) from None
    except etree.XMLSyntaxError as error:
        raise BookError(
            f"{path} is a damaged Word document ({error})", then="open it in a word processor and save it"
        ) from None


def _read_properties(draft: Draft, archive: Archive) -> None:
    if "docProps/core.xml" not in archive:
        return
    try:
        root = parse_xml(archive.read("docProps/core.xml"))
    except etree.XMLSyntaxError:
        return
    for element in root:
        text = (element.text or "").strip()
        if text.lower() in _PLACEHOLDERS:
            continue
        if tag(element) == "title":
            draft.title = text
        elif tag(element) == "creator":
            draft.author = text
        elif tag(element) == "language":
            draft.language = text


def _attribute(element: Element, name: str) -> str:
    """An attribute by its local name, in whatever namespace."""
    return next((str(value) for key, value in element.attrib.items() if str(key).rsplit("}", 1)[-1] == name), "")


def _child(element: Element, *names: str) -> Element | None:
    for name in names:
        element = next((child for child in element if tag(child) == name), None)
        if element is None:
            return None
    return element


def _styles(path: Path, archive: Archive) -> dict[str, Style]:
    """Paragraph styles by id; a style without a rank of its own has that of the style it is based on."""
    if "word/styles.xml" not in archive:
        return {}
    raw: dict[str, tuple[str, int, str]] = {}
    for element in _part(path, archive, "word/styles.xml"):
        if tag(element) != "style":
            continue
        name_element, based, outline = (
            _child(element, "name"),
            _child(element, "basedon"),
            _child(element, "ppr", "outlinelvl"),
        )
        name = _attribute(name_element, "val") if name_element is not None else ""
        level = 0
        if match := _HEADING_NAME.fullmatch(name.strip()):
            level = int(match[1])
        elif outline is not None and _attribute(outline, "val").isdigit():
            level = int(_attribute(outline, "val")) + 1
        base = _attribute(based, "val") if based is not None else ""
        raw[_attribute(element, "styleId")] = (name.lower(), level if level <= 9 else 0, base)
    return {identity: Style(name, _inherited(raw, identity)) for identity, (name, _, _) in raw.items()}


def _inherited(raw: dict[str, tuple[str, int, str]], identity: str) -> int:
    seen: set[str] = set()
    while identity in raw and identity not in seen:
        seen.add(identity)
        _, level, base = raw[identity]
        if level:
            return level
        identity = base
    return 0


def _paragraphs(root: Element) -> Iterator[Element]:
    """All paragraphs in order, those in tables and text boxes too, each drawing once."""
    for element in root.iter():
        if tag(element) == "p" and not any(tag(above) == "fallback" for above in element.iterancestors()):
            yield element


def _paragraph(element: Element, styles: dict[str, Style]) -> Paragraph:
    properties = _child(element, "ppr")
    style, level = Style("", 0), 0
    if properties is not None:
        reference, outline = _child(properties, "pstyle"), _child(properties, "outlinelvl")
        if reference is not None:
            identity = _attribute(reference, "val")
            match = _HEADING_NAME.fullmatch(identity)
            style = styles.get(identity) or Style(identity.lower(), int(match[1]) if match else 0)
        if outline is not None and _attribute(outline, "val").isdigit() and int(_attribute(outline, "val")) < 9:
            level = int(_attribute(outline, "val")) + 1
    paragraph = Paragraph("", Style(style.name, level or style.level))
    paragraph.contents = style.name.startswith(("toc ", "toc1", "toc2", "table of contents", "table of figures"))
    paragraph.text = "".join(_run(element, paragraph))
    _read_looks(element, properties, paragraph)
    return paragraph


def _read_looks(element: Element, properties: Element | None, paragraph: Paragraph) -> None:
    """How a paragraph is set by hand, from its own properties and those of its runs."""
    if len(paragraph.text) > 200 or properties is None and len(paragraph.text) > 120:
        return
    align = _child(properties, "jc") if properties is not None else None
    paragraph.centred = align is not None and _attribute(align, "val") == "center"
    paragraph.new_page = properties is not None and _child(properties, "pagebreakbefore") is not None
    runs = [run for run in element.iter() if tag(run) == "r" and any(tag(child) == "t" for child in run)]
    marks = [_child(run, "rpr", "b") for run in runs]
    paragraph.bold = bool(runs) and all(
        mark is not None and _attribute(mark, "val") not in ("0", "false") for mark in marks
    )
    given = [_child(run, "rpr", "sz") for run in runs]
    halves = [_attribute(size, "val") for size in given if size is not None]
    paragraph.size = max((int(half) / 2 for half in halves if half.isdigit()), default=0.0)


def _run(element: Element, paragraph: Paragraph) -> Iterator[str]:
    """The texts under an element; deleted and hidden ones go to the paragraph's list."""
    for child in element:
        name = tag(child)
        if name in _DELETED:
            paragraph.deleted.append("".join(part for part in child.itertext()))
        elif name in _SILENT or name == "txbxcontent":
            continue
        elif name == "t":
            # An entity is never resolved: it leaves a gap between two pieces of text.
            yield (child.text or "") + "".join(entity.tail or "" for entity in child)
        elif name == "tab":
            yield " "
        elif name in ("br", "cr"):
            yield "" if _attribute(child, "type") in ("page", "column") else "\n"
        elif name == "nobreakhyphen":
            yield "-"
        elif name == "sym":
            yield _symbol(child)
        elif name == "r" and _is_hidden(child):
            paragraph.deleted.append("".join(part for part in child.itertext()))
        elif name != "p":
            yield from _run(child, paragraph)


def _symbol(element: Element) -> str:
    """A character of a symbol font: private ones mean nothing outside of it."""
    code = int(_attribute(element, "char") or "0", 16)
    return "" if 0xE000 <= code <= 0xF8FF or not 32 <= code < 0x110000 else chr(code)


def _is_hidden(run: Element) -> bool:
    vanish = _child(run, "rpr", "vanish")
    return vanish is not None and _attribute(vanish, "val") not in ("0", "false")


def _add(draft: Draft, paragraph: Paragraph, place: Place, breaks: bool) -> None:
    for text in paragraph.deleted:
        draft.drop("tracked deletion or hidden text", text, place)
    text, name = paragraph.text.strip(), paragraph.style.name
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines:
        if breaks and draft.items and draft.items[-1].kind in ("paragraph", "verse"):
            draft.add("break", "* * *", place)
    elif paragraph.contents:
        draft.drop("contents", text, place)
    elif name in _TITLES or name == "subtitle":
        if name != "subtitle" and not draft.title:
            draft.title = " ".join(lines)
        draft.drop("title page", text, place)
    elif paragraph.style.level:
        draft.add("heading", "\n".join(lines), place, paragraph.style.level)
    elif len(lines) > 1 or _VERSE_NAME.search(name):
        _add_verse(draft, lines, name, place)
    else:
        draft.add("paragraph", lines[0], place)


def _add_verse(draft: Draft, lines: list[str], name: str, place: Place) -> None:
    """Lines kept; single lines in a style for verse, one paragraph each, are gathered into a stanza."""
    last = draft.items[-1] if draft.items else None
    follows = last is not None and last.kind == "verse" and last.place.number == place.number - 1
    if _VERSE_NAME.search(name) and len(lines) == 1 and last is not None and follows:
        draft.items[-1] = type(last)(last.kind, f"{last.text}\n{lines[0]}", place, last.level)
    else:
        draft.add("verse", "\n".join(lines), place)


def _read_notes(draft: Draft, path: Path, archive: Archive) -> None:
    for part, unit in (("word/footnotes.xml", "footnote"), ("word/endnotes.xml", "endnote")):
        if part not in archive:
            continue
        for number, element in enumerate(_part(path, archive, part)):
            # The first two are the lines that Word draws above notes.
            if _attribute(element, "type") in ("separator", "continuationSeparator", "continuationNotice"):
                continue
            paragraphs = [_paragraph(inner, {}).text.strip() for inner in _paragraphs(element)]
            draft.add("note", "\n".join(text for text in paragraphs if text), Place(str(path), unit, number))


def _drop_heads(draft: Draft, path: Path, archive: Archive) -> None:
    for name in archive.names:
        if match := re.fullmatch(r"word/(header|footer)\d*\.xml", name):
            for element in _paragraphs(_part(path, archive, name)):
                text = _paragraph(element, {}).text
                reason = "running head" if match[1] == "header" else "running foot"
                draft.drop(reason, text, Place(str(path), "page part", 1, name))
