"""Manuscripts of those who use no styles: their title page and their headings, by how the lines look."""

from __future__ import annotations

import re
from collections import Counter

from quire.books.draft import Draft, is_scene_break
from quire.books.headings import is_numbered, is_title_line
from quire.books.office.paragraph import Paragraph
from quire.books.office.styles import SUBTITLES, TITLES, Style

Look = tuple[float, bool, bool]
"""The size of a line, whether it is bold, whether it is centred."""
# So many lines of one look are headings.
_SEVERAL = 2
_LONGEST_NAME = 120
# A title page has so many lines at most, with a writer's address.
_MOST_LINES = 14
_FEW_LINES = 6
_ADDRESS = re.compile(
    r"\S@\S+\.\w|(?:\+?\(?\d[\d ().-]{7,}\d)|\b\d[\d,. ]*(?:words|mots)\b|\bword count\b|©|copyright", re.IGNORECASE
)
_DEDICATION = re.compile(r"\W*(?:for|to|in memory|à|pour|en mémoire)\b", re.IGNORECASE)
_BY = re.compile(r"(?:by|par|von|di|por)\s+((?:[^\W\d_][\w.’'-]*\s?){1,6})", re.IGNORECASE)


def take_title_page(draft: Draft, paragraphs: list[Paragraph]) -> None:
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
    usual = _usual_size(paragraphs)
    first = next((one for one in centred if one.bold or one.size > usual or one.text.isupper()), None)
    rest = [one for one in opening if not one.centred]
    addressed = any(_ADDRESS.search(one.text) for one in rest)
    if first is None or (rest and not addressed) or len(opening) > (_MOST_LINES if addressed else _FEW_LINES):
        return
    below = paragraphs[paragraphs.index(opening[-1]) + 1 :]
    # Centred lines above nothing but lines are a poem.
    prose = any(one.style.level or len(one.text) > _LONGEST_NAME for one in below)
    if not prose or _comes_again(first, below, usual):
        return
    for one in opening:
        if one.style.name in TITLES or one.style.name in SUBTITLES or _DEDICATION.match(one.text):
            continue
        by = _BY.fullmatch(one.text.strip())
        draft.author = draft.author or (by[1] if by else "")
        one.style = Style("title" if one is first else "subtitle")


def _comes_again(first: Paragraph, below: list[Paragraph], usual: float) -> bool:
    """Whether a line looks like chapters that follow: then it is the first of them.  `THE END` is none."""
    same = sum(
        one.centred and not one.style.level and (one.bold, one.size) == (first.bold, first.size) and _is_plain(one)
        for one in below
    )
    return same >= (1 if first.bold or first.size > usual else _SEVERAL)


def _usual_size(paragraphs: list[Paragraph]) -> float:
    """The size that the text is set in."""
    sizes = Counter(paragraph.size for paragraph in paragraphs if len(paragraph.text) > 100)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def rank_by_looks(draft: Draft, paragraphs: list[Paragraph]) -> None:
    """Headings of those who use no styles: short lines set apart, bold or larger than the text, several of one look.

    A line that stands so only once, before all text, is the title; a centred one under a number is the chapter's.
    """
    usual = _usual_size(paragraphs)
    looks = [_look(paragraph, usual) for paragraph in paragraphs]
    counts = Counter(look for look in looks if look)
    if not any(count >= _SEVERAL for count in counts.values()):
        looks = _bold_lines(paragraphs)
        counts = Counter(look for look in looks if look)
    text = False
    last: Paragraph | None = None
    for paragraph, look in zip(paragraphs, looks, strict=True):
        under = last is not None and last.style.level and is_numbered(last.text) and not is_numbered(paragraph.text)
        if look and counts[look] >= _SEVERAL:
            paragraph.style = Style(paragraph.style.name, 2)
        elif under and paragraph.centred and len(paragraph.text) <= _LONGEST_NAME and is_title_line(paragraph.text):
            paragraph.style = Style(paragraph.style.name, 2)
        elif look and not draft.title and not text:
            draft.title = " ".join(paragraph.text.split())
        text = text or len(paragraph.text) > 100
        last = paragraph if paragraph.text.strip() else last


def _look(paragraph: Paragraph, usual: float) -> Look | None:
    """How a line is set that may be a heading."""
    text = paragraph.text.strip()
    if not _is_plain(paragraph):
        return None
    stands_out = paragraph.bold or (paragraph.size > usual > 0) or (usual == 0 < paragraph.size)
    if not stands_out and not paragraph.centred:
        return None
    numbered = is_numbered(text)
    set_apart = paragraph.centred or paragraph.new_page or numbered
    found = set_apart and (stands_out or (numbered and paragraph.centred))
    return (paragraph.size, paragraph.bold, paragraph.centred) if found else None


def _bold_lines(paragraphs: list[Paragraph]) -> list[Look | None]:
    """Bold lines that are no sentences, where there are several and text follows each: headings at the margin."""
    filled = [index for index, paragraph in enumerate(paragraphs) if paragraph.text.strip()]
    below = {index: paragraphs[after] for index, after in zip(filled, filled[1:], strict=False)}
    found: list[Look | None] = [None] * len(paragraphs)
    for index, after in below.items():
        one = paragraphs[index]
        if one.bold and not after.bold and _is_plain(one) and is_title_line(one.text):
            found[index] = (one.size, True, one.centred)
    many = sum(look is not None for look in found)
    return found if _SEVERAL < many <= 0.2 * len(filled) else [None] * len(paragraphs)


def _is_plain(paragraph: Paragraph) -> bool:
    text = paragraph.text.strip()
    if not text or len(text) > _LONGEST_NAME or paragraph.contents or is_scene_break(text):
        return False
    return any(char.isalnum() for char in text)


def title_above_chapters(draft: Draft) -> str:
    """The short line right above the first chapter, where it is the first of all; `""` where there is none."""
    if len(draft.items) < 3:
        return ""
    first, second = draft.items[:2]
    text = " ".join(first.text.split())
    opens = second.kind == "heading" or (len(second.text) <= _LONGEST_NAME and is_numbered(second.text))
    alone = first.kind == "paragraph" and opens and not is_numbered(text)
    return text if alone and len(text) <= _LONGEST_NAME and is_title_line(text) else ""
