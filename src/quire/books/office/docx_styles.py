"""What the styles of a Word document mean: headings in any language, titles, verse, hidden text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from quire.books.office.docx_package import Package, attribute, child, is_on
from quire.books.web.markup import tag

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
CONTENTS = ("toc ", "toc1", "toc2", "toc3", "table of contents", "table of figures", "contents heading", "toc heading")
_DEEPEST = 9


@dataclass(frozen=True, slots=True)
class Style:
    """What a style means: its name in lower case, its rank as a heading (0: none), whether it hides its text."""

    name: str = ""
    level: int = 0
    hidden: bool = False
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class _Raw:
    name: str
    level: int | None
    base: str
    hidden: bool
    numbered: bool


def heading_level(name: str) -> int | None:
    """The rank that a style's name says, None where it says none."""
    plain = name.strip()
    if match := _HEADING.fullmatch(plain):
        return int(match[1])
    if _PART.fullmatch(plain):
        return 1
    return 2 if _CHAPTER.fullmatch(plain) else None


def read_styles(package: Package) -> dict[str, Style]:
    """All styles by id.  What a style does not say it has from the one that it is based on."""
    raw: dict[str, _Raw] = {}
    for _, root in package.parts("styles"):
        for element in root:
            if tag(element) != "style":
                continue
            named, based = child(element, "name"), child(element, "basedon")
            outline = child(element, "ppr", "outlinelvl")
            name = attribute(named, "val") if named is not None else ""
            level = heading_level(name) if attribute(element, "type") in ("paragraph", "") else None
            if level is None and outline is not None and attribute(outline, "val").isdigit():
                # 9 is Word's “body text”: a heading above must not be inherited.
                said = int(attribute(outline, "val")) + 1
                level = said if said <= _DEEPEST else 0
            hidden = is_on(child(element, "rpr", "vanish"))
            numbered = child(element, "ppr", "numpr") is not None
            base = attribute(based, "val") if based is not None else ""
            raw[attribute(element, "styleId")] = _Raw(name.lower(), level, base, hidden, numbered)
    return {identity: _resolved(raw, identity) for identity in raw}


def _resolved(raw: dict[str, _Raw], identity: str) -> Style:
    chain: list[_Raw] = []
    seen: set[str] = set()
    while identity in raw and identity not in seen:
        seen.add(identity)
        chain.append(raw[identity])
        identity = raw[identity].base
    level = next((style.level for style in chain if style.level is not None), 0)
    return Style(chain[0].name, level, any(style.hidden for style in chain), any(style.numbered for style in chain))
