"""Paragraphs of a word processor, in whatever format, as a book's items: ranks by style or by look, verse, breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quire.books.book import Place
from quire.books.draft import SCENE_BREAK, Draft
from quire.books.headings import is_numbered
from quire.books.office.looks import rank_by_looks, take_title_page, title_above_chapters
from quire.books.office.paragraph import UNSEEN, Paragraph
from quire.books.office.soft_lines import split_soft_lines
from quire.books.office.styles import SUBTITLES, TITLES, VERSE, Style

# Where at most this share of the paragraphs is empty, an empty one is a scene break and not spacing.
_RARE_EMPTY = 0.08
_LONGEST_ENTRY = 300
# So many paragraphs in the style for a book's title are chapters.
_MANY_TITLES = 3


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
    draft.title = draft.title or title_above_chapters(draft)
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
    take_title_page(draft, paragraphs)
    headings = [one for one in paragraphs if one.style.level and one.text.strip()]
    many = len(headings) > 40 and len(headings) > 0.5 * sum(bool(one.text.strip()) for one in paragraphs)
    if many and sum(map(len, (one.text for one in headings))) > 80 * len(headings):
        # Whole paragraphs were given a rank: it says nothing.
        for one in headings:
            one.style = replace(one.style, level=0)
        headings = []
    if len(headings) < 2:
        rank_by_looks(draft, paragraphs)
    return paragraphs


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
        draft.drop(UNSEEN, text, place)
    text, name = paragraph.text.strip(), paragraph.style.name
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines:
        if paragraph.style.level and paragraph.numbered:
            # A heading that is only the number that Word counts by itself.
            draft.add("chapter", "", place, paragraph.style.level)
        elif breaks and draft.items and draft.items[-1].kind in ("paragraph", "verse"):
            draft.add("break", SCENE_BREAK, place)
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
