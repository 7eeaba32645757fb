"""What a paragraph's style means, in whatever word processor: heading, title, verse, contents; and how it looks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_HEADING = re.compile(
    r"(?:heading|überschrift|titre|t[ií]?tulo|titolo|intestazione|kop|rubrik|overskrift|otsikko|nagłówek|заголовок|"
    r"nadpis|encabezado|cabeçalho|títol|标题|標題|見出し|제목)[\s_-]*([1-9])",
    re.IGNORECASE,
)
_CHAPTER = re.compile(
    r"(?:.*\b)?(?:chapter|chap|chapitre|kapitel|cap[ií]tulo|capitolo)[\s_-]*(?:title|titles|heading|head|number|num|name|"
    r"opener|titel|titre|überschrift|nummer)?|titre[\s_-]*(?:de|du)[\s_-]*chapitre|kapitelüberschrift",
    re.IGNORECASE,
)
_PART = re.compile(r"(?:.*\b)?(?:part|partie|teil)[\s_-]*(?:title|heading|head|number|titre|titel)", re.IGNORECASE)
TITLES = frozenset("title titel titre título titulo titolo tittel otsikko название naslov tytuł".split()) | {
    "book title",
    "titre du livre",
}
SUBTITLES = frozenset("subtitle untertitel sous-titre subtítulo subtitulo sottotitolo ondertitel author auteur".split())
VERSE = re.compile(
    r"\b(?:verse|vers|poem|poetry|poésie|poeme|poème|gedicht|stanza|lyrics?|strophe|versi)\b", re.IGNORECASE
)
LISTS = frozenset(("toc", "index", "toa", "rd"))
"""Fields whose result is a list of the whole book's headings, words or sources."""
PAGE_NUMBERS = frozenset(("page", "numpages", "sectionpages", "section", "pageref"))
"""Fields whose result is the number of a page."""
CONTENTS = ("toc ", "toc1", "toc2", "toc3", "table of contents", "table of figures", "contents heading", "toc heading")


@dataclass(frozen=True, slots=True)
class Style:
    """What a style means: its name in lower case, its rank as a heading (0: none), whether it hides its text; and how
    it sets a paragraph: `size` in points (0: not said), `new_page` when a page begins with it."""

    name: str = ""
    level: int = 0
    hidden: bool = False
    numbered: bool = False
    bold: bool = False
    size: float = 0.0
    centred: bool = False
    new_page: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What a style says itself; None where it leaves that to the one it is based on."""

    name: str
    base: str = ""
    level: int | None = None
    hidden: bool | None = None
    numbered: bool | None = None
    bold: bool | None = None
    size: float | None = None
    centred: bool | None = None
    new_page: bool | None = None


def heading_level(name: str) -> int | None:
    """The rank that a style's name says, None where it says none."""
    plain = name.strip()
    if match := _HEADING.fullmatch(plain):
        return int(match[1])
    if _PART.fullmatch(plain):
        return 1
    return 2 if _CHAPTER.fullmatch(plain) else None


def resolve_styles(said: Mapping[str, Said]) -> dict[str, Style]:
    """All styles by id.  What a style does not say it has from the one that it is based on."""
    return {identity: _resolved(said, identity) for identity in said}


def _resolved(said: Mapping[str, Said], identity: str) -> Style:
    chain: list[Said] = []
    seen: set[str] = set()
    while identity in said and identity not in seen:
        seen.add(identity)
        chain.append(said[identity])
        identity = said[identity].base
    return Style(
        # Styles that a program makes for one paragraph have no name of their own.
        name=next((style.name for style in chain if style.name), ""),
        level=next((style.level for style in chain if style.level is not None), 0),
        hidden=next((style.hidden for style in chain if style.hidden is not None), False),
        numbered=next((style.numbered for style in chain if style.numbered is not None), False),
        bold=next((style.bold for style in chain if style.bold is not None), False),
        size=next((style.size for style in chain if style.size is not None), 0.0),
        centred=next((style.centred for style in chain if style.centred is not None), False),
        new_page=next((style.new_page for style in chain if style.new_page is not None), False),
    )
