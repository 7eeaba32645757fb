"""Paragraphs of a word processor, in whatever format, as a book's items: ranks by style or by look, verse, breaks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from quire.books.book import Place
from quire.books.draft import Draft, is_scene_break
from quire.books.headings import is_numbered
from quire.books.office.soft_lines import split_soft_lines
from quire.books.office.styles import SUBTITLES, TITLES, VERSE, Style

# Where at most this share of the paragraphs is empty, an empty one is a scene break and not spacing.
_RARE_EMPTY = 0.08
_SHORT = 200
_LONGEST_ENTRY = 300
# So many paragraphs in the style for a book's title are chapters.
_MANY_TITLES = 3

_LONGEST_NAME = 120
# A title page has so many lines at most, with a writer's address.
_MOST_LINES = 14
_ADDRESS = re.compile(
    r"\S@\S+\.\w|(?:\+?\(?\d[\d ().-]{7,}\d)|\b\d[\d,. ]*(?:words|mots)\b|\bword count\b|©|copyright", re.IGNORECASE
)
_DEDICATION = re.compile(r"\W*(?:for|to|in memory|à|pour|en mémoire)\b", re.IGNORECASE)
_BY = re.compile(r"(?:by|par|von|di|por)\s+((?:[^\W\d_][\w.’'-]*\s?){1,6})", re.IGNORECASE)

Piece = tuple[bool, float, int]
"""How a run of letters is set: bold or not, its size in points (0: not said), how many they are."""


@dataclass
class Paragraph:
    """A paragraph with its line breaks as \\n, and how it is set: `bold` when all of it is, `size` in points where it
    is given, `new_page` when a page begins with it.

    `deleted` are the texts that changes took away, `hidden` those that are not shown; `joins`: the paragraph's end was
    itself deleted; `drop_cap`: it is only the large initial of the next one.
    """

    text: str
    style: Style
    deleted: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    contents: bool = False
    centred: bool = False
    bold: bool = False
    size: float = 0.0
    new_page: bool = False
    page_after: bool = False
    joins: bool = False
    drop_cap: bool = False
    numbered: bool = False


def set_looks(paragraph: Paragraph, pieces: Sequence[Piece]) -> None:
    """Bold when all of it is; of the size that its largest letters have, or in a long one most of them."""
    paragraph.bold = bool(pieces) and all(bold for bold, _, _ in pieces)
    if len(paragraph.text) <= _SHORT:
        paragraph.size = max((size for _, size, _ in pieces), default=0.0)
        return
    letters: Counter[float] = Counter()
    for _, size, length in pieces:
        letters[size] += length
    paragraph.size = max(letters, key=lambda size: letters[size], default=0.0)


def lay_out(draft: Draft, found: Sequence[Paragraph], whole: bool = False) -> None:
    """Put the paragraphs of a document into a draft; `whole` keeps its title page and its lists of contents as text.

    So does a document that has nothing else.
    """
    paragraphs = _ranked(draft, _joined(found))
    empty = sum(not paragraph.text.strip() for paragraph in paragraphs)
    breaks = 0 < empty <= _RARE_EMPTY * len(paragraphs)
    pages = _pages_are_chapters(paragraphs)
    after = False
    for number, paragraph in enumerate(paragraphs, start=1):
        place = Place(draft.path, "paragraph", number)
        if pages and (after or paragraph.new_page) and paragraph.text.strip():
            draft.add("chapter", "", place, 1)
        after = paragraph.page_after or (after and not paragraph.text.strip())
        _add(draft, paragraph, place, breaks, whole)
    if not any(item.kind in ("paragraph", "verse") for item in draft.items):
        # Nothing but a title, a list of contents, or headings: that is the text.
        draft.items = [item for item in draft.items if item.kind == "note"]
        draft.dropped = [drop for drop in draft.dropped if drop.reason not in ("title page", "contents")]
        for number, paragraph in enumerate(paragraphs, start=1):
            draft.add("paragraph", paragraph.text.strip(), Place(draft.path, "paragraph", number))


def _joined(paragraphs: Sequence[Paragraph]) -> list[Paragraph]:
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
    _take_title_page(draft, paragraphs)
    headings = [one for one in paragraphs if one.style.level and one.text.strip()]
    many = len(headings) > 40 and len(headings) > 0.5 * sum(bool(one.text.strip()) for one in paragraphs)
    if many and sum(map(len, (one.text for one in headings))) > 80 * len(headings):
        # Whole paragraphs were given a rank: it says nothing.
        for one in headings:
            one.style = replace(one.style, level=0)
        headings = []
    return _by_looks(draft, paragraphs) if len(headings) < 2 else paragraphs


def _take_title_page(draft: Draft, paragraphs: list[Paragraph]) -> None:
    """Short centred lines that open a manuscript, the first one larger or bold, and the writer's address above them."""
    opening: list[Paragraph] = []
    for paragraph in paragraphs:
        text = paragraph.text.strip()
        if text and (paragraph.style.level or len(text) > _LONGEST_NAME or is_numbered(text) or paragraph.contents):
            break
        if opening and (paragraph.new_page or opening[-1].page_after):
            break
        if text:
            opening.append(paragraph)
    centred = [one for one in opening if one.centred]
    sizes = _sizes(paragraphs)
    first = next((one for one in centred if one.bold or one.size > sizes or one.text.isupper()), None)
    # What looks like chapters that follow is the first of them.
    again = first is not None and any(
        one.centred and (one.bold, one.size) == (first.bold, first.size) and len(one.text) <= _LONGEST_NAME
        for one in paragraphs
        if one.text.strip() and not one.style.level and not any(one is other for other in opening)
    )
    rest = [one for one in opening if not one.centred]
    addressed = any(_ADDRESS.search(one.text) for one in rest)
    if (
        first is None
        or again
        or len(opening) > _MOST_LINES
        or (rest and not addressed)
        or len(opening) == len(paragraphs)
    ):
        return
    for one in opening:
        if one.style.name in TITLES or one.style.name in SUBTITLES or _DEDICATION.match(one.text):
            continue
        by = _BY.fullmatch(one.text.strip())
        draft.author = draft.author or (by[1] if by else "")
        one.style = Style("title" if one is first else "subtitle")


def _sizes(paragraphs: list[Paragraph]) -> float:
    """The size that the text is set in."""
    sizes = Counter(paragraph.size for paragraph in paragraphs if len(paragraph.text) > 100)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _by_looks(draft: Draft, paragraphs: list[Paragraph]) -> list[Paragraph]:
    """Headings of those who use no styles: short centred lines, bold or larger than the text, several of one look."""
    usual = _sizes(paragraphs)

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


def _add(draft: Draft, paragraph: Paragraph, place: Place, breaks: bool, whole: bool) -> None:
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
    elif paragraph.contents and len(text) <= _LONGEST_ENTRY and not whole:
        draft.drop("contents", text, place)
    elif name in TITLES or name in SUBTITLES:
        if name in TITLES and not draft.title:
            draft.title = " ".join(lines)
        if whole:
            draft.add("paragraph", text, place)
        else:
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
