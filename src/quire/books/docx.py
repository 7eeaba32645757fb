"""Word documents: the text as it stands after all changes are accepted, headings by style or by look, notes aside."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from quire.books import pulse
from quire.books.book import Book, Place
from quire.books.docx_package import Package, attribute
from quire.books.docx_styles import SUBTITLES, TITLES, VERSE, Style, read_styles
from quire.books.docx_text import Paragraph, Walker
from quire.books.draft import Draft, finish, is_scene_break
from quire.books.headings import is_numbered
from quire.books.limits import PLAIN, ReadOptions
from quire.books.markup import Element, tag
from quire.books.soft_lines import split_soft_lines

_PLACEHOLDERS = re.compile(
    r"python-docx|word document|microsoft office user|untitled\d*|sans titre|document\s?\d*|microsoft word - .*|"
    r"user|admin|author|title|.*\.dot[mx]?",
    re.IGNORECASE,
)
# Where at most this share of the paragraphs is empty, an empty one is a scene break and not spacing.
_RARE_EMPTY = 0.08
# So many paragraphs in the style for a book's title are chapters.
_MANY_TITLES = 3
_BEAT = 200


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of a Word document.  Raises BookError when it is damaged or holds no text."""
    package = Package(path)
    draft = Draft(str(path))
    _read_properties(draft, package)
    walker = Walker(read_styles(package))
    paragraphs: list[Paragraph] = []
    for number, paragraph in enumerate(walker.paragraphs(package.document())):
        if number % _BEAT == 0:
            pulse.beat()
        paragraphs.append(paragraph)
    paragraphs = _ranked(draft, _joined(paragraphs))
    empty = sum(not paragraph.text.strip() for paragraph in paragraphs)
    breaks = 0 < empty <= _RARE_EMPTY * len(paragraphs)
    pages = _pages_are_chapters(paragraphs)
    after = False
    for number, paragraph in enumerate(paragraphs, start=1):
        place = Place(str(path), "paragraph", number)
        if pages and (after or paragraph.new_page) and paragraph.text.strip():
            draft.add("chapter", "", place, 1)
        after = paragraph.page_after or (after and not paragraph.text.strip())
        _add(draft, paragraph, place, breaks)
    _read_notes(draft, package, walker.styles)
    _drop_aside(draft, package)
    draft.warnings += package.warnings
    if not draft.title:
        draft.title = path.stem
    return [finish(draft, options)]


def _joined(paragraphs: list[Paragraph]) -> list[Paragraph]:
    """Paragraphs whose end was deleted go on in the next one; so do large initials."""
    kept: list[Paragraph] = []
    for paragraph in paragraphs:
        last = kept[-1] if kept else None
        if last is not None and (last.joins or (last.drop_cap and last.text.strip())):
            text = last.text.strip() + paragraph.text if last.drop_cap else last.text + paragraph.text
            style = paragraph.style if last.drop_cap else last.style
            kept[-1] = replace(
                paragraph,
                text=text,
                style=style,
                deleted=last.deleted + paragraph.deleted,
                hidden=last.hidden + paragraph.hidden,
            )
        else:
            kept.append(paragraph)
    return kept


def _ranked(draft: Draft, paragraphs: list[Paragraph]) -> list[Paragraph]:
    """The paragraphs with the ranks of headings: by style; titles that come again and again; or by their looks."""
    titles = [one for one in paragraphs if one.style.name in TITLES and one.text.strip()]
    if len(titles) >= _MANY_TITLES:
        for one in titles:
            one.style = Style("", 1)
    headings = [one for one in paragraphs if one.style.level and one.text.strip()]
    many = len(headings) > 40 and len(headings) > 0.5 * sum(bool(one.text.strip()) for one in paragraphs)
    if many and sum(map(len, (one.text for one in headings))) > 80 * len(headings):
        # Whole paragraphs were given a rank: it says nothing.
        for one in headings:
            one.style = replace(one.style, level=0)
        headings = []
    return _by_looks(draft, paragraphs) if len(headings) < 2 else paragraphs


def _by_looks(draft: Draft, paragraphs: list[Paragraph]) -> list[Paragraph]:
    """Headings of those who use no styles: short centred lines, bold or larger than the text, several of one look."""
    sizes = Counter(paragraph.size for paragraph in paragraphs if len(paragraph.text) > 100)
    usual = sizes.most_common(1)[0][0] if sizes else 0.0

    def look(paragraph: Paragraph) -> tuple[float, bool, bool] | None:
        text = paragraph.text.strip()
        stands_out = paragraph.bold or (paragraph.size > usual > 0) or (usual == 0 < paragraph.size)
        plain = len(text) <= 120 and any(char.isalnum() for char in text) and not is_scene_break(text)
        numbered = is_numbered(text)
        set_apart = paragraph.centred or paragraph.new_page or numbered
        found = plain and not paragraph.contents and set_apart and (stands_out or (numbered and paragraph.centred))
        return (paragraph.size, paragraph.bold, paragraph.centred) if found else None

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


def _pages_are_chapters(paragraphs: list[Paragraph]) -> bool:
    """Whether nothing but new pages parts the chapters."""
    if any(one.style.level and one.text.strip() for one in paragraphs):
        return False
    if sum(len(one.text) <= 120 and is_numbered(one.text) for one in paragraphs) >= 2:
        return False
    starts = sum(one.new_page or one.page_after for one in paragraphs)
    return starts >= 2 and len(paragraphs) >= 6 * starts


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


def _add(draft: Draft, paragraph: Paragraph, place: Place, breaks: bool) -> None:
    for text in (*paragraph.deleted, *paragraph.hidden):
        draft.drop("tracked deletion or hidden text", text, place)
    text, name = paragraph.text.strip(), paragraph.style.name
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines:
        if paragraph.style.level and paragraph.numbered:
            # A heading that is only the number that Word counts by itself.
            draft.add("chapter", "", place, paragraph.style.level)
        elif breaks and draft.items and draft.items[-1].kind in ("paragraph", "verse"):
            draft.add("break", "* * *", place)
    elif paragraph.contents and len(text) <= 300:
        draft.drop("contents", text, place)
    elif name in TITLES or name in SUBTITLES:
        if name in TITLES and not draft.title:
            draft.title = " ".join(lines)
        draft.drop("title page", text, place)
    elif paragraph.style.level and len(text) <= 400:
        draft.add("heading", "\n".join(lines), place, paragraph.style.level)
    elif VERSE.search(name):
        _add_verse(draft, lines, place)
    else:
        for kind, part in split_soft_lines(text):
            draft.add(kind, part, place)


def _add_verse(draft: Draft, lines: list[str], place: Place) -> None:
    """Lines in a style for verse; single ones, a paragraph each, are gathered into a stanza."""
    last = draft.items[-1] if draft.items else None
    if len(lines) == 1 and last is not None and last.kind == "verse" and last.place.number == place.number - 1:
        draft.items[-1] = replace(last, text=f"{last.text}\n{lines[0]}", place=place)
    else:
        draft.add("verse", "\n".join(lines), place)


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
