"""Front and back matter: what stands around a story, who put it there, and which of it is kept.

Three tiers: the story itself (chapters, parts, prologue and epilogue); the text that its author wrote around it
(dedication, epigraph, preface, afterword, appendix); and the book's machinery (title page, imprint, contents, index,
advertisements).  A source may say what a text is (`epub:type`, TEI's front and back); otherwise its heading does, and
where it stands: only what comes before the first chapter or after the last one is matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from quire.books.book import Chapter, Matter
from quire.books.finishing.matter_words import PRICES, RIGHTS, TITLES
from quire.books.headings import recognise

if TYPE_CHECKING:
    from quire.books.draft import Draft, Item
    from quire.books.finishing.chapters import Opened
    from quire.recipe.schema import KeptMatter

MACHINERY = frozenset(
    (
        "cover",
        "title page",
        "imprint",
        "copyright page",
        "contents",
        "colophon",
        "licence",
        "index",
        "list of illustrations",
        "list of tables",
        "credits",
        "advertisement",
        "other books",
        "about the author",
        "about the publisher",
        "praise",
        "newsletter",
        "transcriber's note",
        "errata",
    )
)
AROUND = frozenset(
    (
        "dedication",
        "epigraph",
        "preface",
        "foreword",
        "introduction",
        "note",
        "afterword",
        "acknowledgements",
        "appendix",
        "glossary",
        "bibliography",
        "chronology",
    )
)
# What follows a story: nothing behind it that is short and has no number belongs to the story.
_AFTER = frozenset(
    "afterword acknowledgements newsletter advertisement praise colophon licence index".split()
    + ["about the author", "about the publisher", "other books", "copyright page"]
)
# EPUB's structural semantics, and the words of EPUB 2's guide.
_OF_TYPE = {
    "cover": "cover",
    "titlepage": "title page",
    "title-page": "title page",
    "halftitlepage": "title page",
    "halftitle": "title page",
    "fulltitle": "title page",
    "imprint": "imprint",
    "imprimatur": "imprint",
    "copyright-page": "copyright page",
    "toc": "contents",
    "toc-brief": "contents",
    "landmarks": "contents",
    "page-list": "contents",
    "loi": "list of illustrations",
    "loa": "list of illustrations",
    "lov": "list of illustrations",
    "lot": "list of tables",
    "index": "index",
    "colophon": "colophon",
    "other-credits": "credits",
    "contributors": "credits",
    "seriespage": "other books",
    "errata": "errata",
    "dedication": "dedication",
    "epigraph": "epigraph",
    "preface": "preface",
    "foreword": "foreword",
    "introduction": "introduction",
    "preamble": "introduction",
    "afterword": "afterword",
    "conclusion": "",
    "acknowledgments": "acknowledgements",
    "acknowledgements": "acknowledgements",
    "appendix": "appendix",
    "glossary": "glossary",
    "bibliography": "bibliography",
}


def _patterns(lines: str) -> str:
    return "|".join(line.strip() for line in lines.strip().splitlines())


_OF_TITLE = tuple((re.compile(_patterns(lines), re.IGNORECASE), role) for role, lines in TITLES.items())
_PRICED = re.compile(_patterns(PRICES), re.IGNORECASE)
_LEGAL = re.compile(_patterns(RIGHTS), re.IGNORECASE)
# One of these stands in whatever is legal; to look for them takes a hundredth of the time.
LEGAL_SIGNS = (
    *("©", "(c)", "isbn", "copyright", "reserved", "published", "printed", "congress", "british", "no part of"),
    *("droits", "légal", "legal", "vorbehalten", "reservados", "riservati", "imprimer"),
)
_STOPS = " .:;,!*_=~#–—-[]()"
# A page of machinery is short beside the book; an index, a catalogue or a sample of another novel need not be.
_LONG_ONES = frozenset(("index", "advertisement", "other books", "licence", "contents", "list of illustrations"))
_MOST_WORDS = 3000
_FEW_WORDS = 400
_FEW_LETTERS = 800
_LEGAL_WORDS = 600
_FEW_HEAD_WORDS = 30
_MOST_ADVERTISED = 0.15


def role_of_type(kinds: frozenset[str]) -> str:
    """The role that words of `epub:type` or of a guide give to a text, or `""`."""
    return next((_OF_TYPE[kind] for kind in sorted(kinds) if _OF_TYPE.get(kind)), "")


def role_of_title(title: str) -> str:
    """The role that a heading's words give to what stands under it, or `""`."""
    for line in (title.split("\n")[0], " ".join(title.split())):
        plain = " ".join(line.split()).strip(_STOPS)
        if plain and len(plain) <= 100:
            for pattern, role in _OF_TITLE:
                if pattern.fullmatch(plain):
                    return role
    return ""


def is_legal(text: str) -> bool:
    """Whether a short text is what stands on the back of a title page: rights, numbers, printers."""
    if len(text) >= 6 * _LEGAL_WORDS or not any(map(text.lower().__contains__, LEGAL_SIGNS)):
        return False
    return len(_LEGAL.findall(text)) >= 2 and len(text.split()) < _LEGAL_WORDS


def is_dropped(role: str, kept: KeptMatter) -> bool:
    """Whether a text of this role is left out."""
    return (role in MACHINERY and kept != "all") or (role in AROUND and kept == "chapters")


def cut_marked(draft: Draft, items: list[Item], kept: KeptMatter) -> list[Item]:
    """Machinery that the source itself marks, out of the items.

    A `chapter` item with a role holds all up to the next such item; a heading with one holds all up to the next
    heading of its rank or above.  A book that would be empty then keeps what may be read.
    """
    if kept == "all" or not any(item.role for item in items):
        return items
    left: list[Item] = []
    gone: list[tuple[str, Item]] = []
    role, rank = "", 0
    for item in items:
        if item.kind == "chapter" or (item.kind == "heading" and (item.role or (rank and item.level <= rank))):
            role = item.role if item.role in MACHINERY else ""
            rank = item.level
        if role and item.kind != "note":
            gone.append((role, item))
        else:
            left.append(item)
    if not any(item.kind not in ("chapter", "break", "note") for item in left):
        unread = ("cover", "contents", "index", "list of illustrations", "list of tables")
        gone = [(role, item) for role, item in gone if role in unread]
        dropped = {id(item) for _, item in gone}
        left = [replace(item, role="") for item in items if id(item) not in dropped]
    for role, item in gone:
        draft.drop(role, item.text, item.place)
    return left


def settle(draft: Draft, opened: Sequence[Opened], kept: KeptMatter) -> tuple[Chapter, ...]:
    """The chapters that are kept, each told whether it stands before the story, in it or after it."""
    roles = [one.role or _said(one, draft) for one in opened]
    if draft.kind == "poems":
        roles = [one.role for one in opened]
    first = _advertised(opened)
    roles = [role or ("advertisement" if index >= first else "") for index, role in enumerate(roles)]
    lengths = [sum(len(block.text) for block in one.chapter.blocks) for one in opened]
    enough = max(_FEW_LETTERS, 0.03 * sum(lengths))
    story = [index for index, one in enumerate(opened) if _is_story(one, roles[index], lengths[index] >= enough)]
    if sum(lengths[index] for index in story) < 0.2 * sum(lengths):
        # A collection of prefaces, or an introduction that is the book.
        roles = [role if role in MACHINERY else "" for role in roles]
        story = [index for index, role in enumerate(roles) if not role]
    story = _without_tail(opened, roles, story, [length >= enough for length in lengths])
    first, last = (story[0], story[-1]) if story else (0, len(opened) - 1)
    chapters: list[Chapter] = []
    for index, one in enumerate(opened):
        side: Matter = "front" if index < first else "back" if index > last else "body"
        role = roles[index] if side != "body" or one.role else ""
        if not role and side != "body":
            role = "front matter" if side == "front" else "back matter"
        if is_dropped(role, kept) or (kept == "chapters" and side != "body"):
            _drop(draft, role, one.chapter)
        else:
            chapters.append(replace(one.chapter, matter=side))
    if not chapters:
        return tuple(one.chapter for one in opened)
    return tuple(chapters)


def _advertised(opened: Sequence[Opened]) -> int:
    """Where a bookseller's list begins that ends a book: behind its last number several heads or lines under them
    name prices.  The list is short beside the book."""
    numbered = [i for i, one in enumerate(opened) if recognise((one.chapter.title or "").split("\n")[0])]
    last = numbered[-1] if numbered else -1
    priced = [index for index in range(last + 1, len(opened)) if _is_priced(opened[index].chapter)]
    if len(priced) < 2:
        return len(opened)
    first = priced[0]
    while first - 1 > last and opened[first - 1].chapter.words < _FEW_HEAD_WORDS:
        first -= 1
    words = [one.chapter.words for one in opened]
    # The last one may be the publisher's name.
    near = priced[-1] >= len(opened) - 3
    return first if near and sum(words[first:]) < _MOST_ADVERTISED * sum(words) else len(opened)


def _is_priced(chapter: Chapter) -> bool:
    heads = [chapter.title or "", *(block.text for block in chapter.blocks[:3])]
    return any(len(text) <= 200 and _PRICED.search(" ".join(text.split())) for text in heads)


def _without_tail(opened: Sequence[Opened], roles: list[str], story: list[int], long: list[bool]) -> list[int]:
    """The story's chapters without short ones at the end that have no number and stand behind what follows a story."""
    firm = [
        index
        for index in story
        if long[index]
        or opened[index].matter == "body"
        or recognise((opened[index].chapter.title or "").split("\n")[0])
    ]
    after = [index for index, role in enumerate(roles) if role in _AFTER and firm and index > firm[-1]]
    return [index for index in story if index < after[0]] if after else story


def _is_story(one: Opened, role: str, long: bool) -> bool:
    if one.matter == "body" and role not in MACHINERY:
        return True
    if role or one.matter in ("front", "back"):
        return False
    # Words without a heading, before or after chapters that have one: a dedication, a motto, a last line.
    return one.chapter.title is not None or long


def _said(one: Opened, draft: Draft) -> str:
    """The role that a chapter's heading or its words give it."""
    chapter = one.chapter
    if chapter.title is None:
        if len(chapter.blocks) > 40:
            return ""
        if is_legal("\n".join(block.text for block in chapter.blocks)):
            return "copyright page"
        role = role_of_title(chapter.blocks[0].text) if chapter.blocks else ""
        return role if role in MACHINERY and chapter.words < _FEW_WORDS else ""
    numbered = recognise(chapter.title.split("\n")[0])
    role = role_of_title(chapter.title) if numbered is None or numbered.kind == "named" else ""
    if not role:
        return ""
    if role in MACHINERY and chapter.words > _MOST_WORDS and role not in _LONG_ONES:
        return ""
    verse = sum(block.kind == "verse" for block in chapter.blocks)
    if draft.kind == "plays" or (verse > 0.5 * len(chapter.blocks) and role not in MACHINERY and role != "epigraph"):
        return "" if role not in MACHINERY else role
    return role


def _drop(draft: Draft, role: str, chapter: Chapter) -> None:
    if chapter.title is not None and not chapter.blocks:
        return
    if chapter.title:
        draft.drop(role, chapter.title, chapter.blocks[0].place)
    for block in chapter.blocks:
        draft.drop(role, block.text, block.place)
