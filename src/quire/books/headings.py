"""Recognising chapter headings where the source has no markup: numbers, Roman numerals and words, in several
languages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from quire.books.numerals import NumberStyle, plain, read_number

HeadingKind = Literal["part", "chapter", "named", "bare"]

_PART = (
    r"part|book|volume|vol\.?|partie|livre|tome|teil|buch|band|parte|libro|livro|deel|boek|period|époque|epoque|epoch|"
    r"cycle"
)
_CHAPTER = (
    r"chapter|chap\.?|ch\.|chapitre|kapitel|capítulo|capitulo|capitolo|hoofdstuk|caput|letter|lettre|let\.|brief|carta|"
    r"lettera|stave|canto|chant|act|acte|scene|scène|sonnet|adventure|episode|épisode|fable|nuit|night|journ[ée]e|"
    r"veill[ée]e|section|tale|conte|story|lecture|narrative|fit|tableau|entretien|récit"
)
_NAMED = (
    r"prologue?|epilogue|épilogue|préface|preface|foreword|avant-propos|introduction|introductory|afterword|postface|"
    r"postscript|post-scriptum|conclusion|interlude|interm[eè]de|entr[’']acte|appendix|appendice|dedication|dédicace|"
    r"envoi|finale|vorwort|nachwort|einleitung|prolog|epilog|prólogo|prefacio|epílogo|introducción|conclusión|"
    r"prefazione|prologo|epilogo|introduzione|conclusione|prefácio|introdução|conclusão|author[’']s note|"
    r"note de l[’']auteur|to the reader|au lecteur|notice|pr[ée]ambule|preamble|prelude|prélude|avertissement|"
    r"avis au lecteur|acknowledge?ments?|remerciements"
)
_KIND = re.compile(
    rf"(?:the\s+)?(?:(?P<part>{_PART})|(?P<chapter>{_CHAPTER}))(?:\s+the|\s+n[°ºo]\.?|\s+number)?\s+(?=[^\W_])",
    re.IGNORECASE,
)
_KIND_AFTER = re.compile(rf"[.]?\s+(?:(?P<part>{_PART})|(?P<chapter>{_CHAPTER}))(?![\w'’-])", re.IGNORECASE)
_NAME = re.compile(
    rf"(?:the\s+|l[’'])?(?:{_NAMED})(?![\w'’-])(?:\s+(?:to|of|by|de|du|à)\b.{{0,60}}|\s*[:—–-]+\s*[^a-z].{{0,60}})?\.?$",
    re.IGNORECASE,
)
_SPACED = re.compile(r"(?:[^\W\d_] ){3,}[^\W\d_]")
_BRACKETED = re.compile(r"[\[(|{]\s*(.*?)\s*[\])|}]\.?")
_SEPARATOR = re.compile(r"\s*(?:[.:;,)\]|]+\s*[—–-]*|[—–-]+)\s*")
LONGEST = 160
_CARDINALS = frozenset(
    (
        "one two three four five six seven eight nine ten eleven twelve un une deux trois quatre cinq sept huit neuf "
        "dix ein zwei drei vier funf sechs sieben acht neun zehn uno una dos tres cuatro cinco due tre quattro een twee"
    ).split()
)
_SENTENCE_END = re.compile(r"[a-zà-ÿ][.!?…;,][”’»\"')]*$")


@dataclass(frozen=True, slots=True)
class Heading:
    """What a line says of itself: its kind, its number where it has one, whether a title of its own follows, and how
    the number is written."""

    kind: HeadingKind
    number: int | None
    titled: bool
    style: NumberStyle | None = None


def recognise(text: str) -> Heading | None:
    """The heading that a short text is, or None.  Bare numbers and numerals come as `bare`: only their order
    decides.
    """
    if len(text) > 2 * LONGEST:
        return None
    line = " ".join(text.split())
    return _recognise(line) if 0 < len(line) <= LONGEST else None


@lru_cache(maxsize=16_384)
def _recognise(line: str) -> Heading | None:
    """A text is asked about several times: as an entry of a list, as a heading, as a chapter's title."""
    line = line.strip("*_=~#–— -").strip()
    if match := _BRACKETED.fullmatch(line):
        line = match[1].strip("*_=~#–— ")
    if not line or not line[0].isalnum() and line[0] != "§":
        return None
    if _SPACED.fullmatch(line):
        line = line.replace(" ", "")
    if heading := _with_kind(line) or _kind_after(line):
        return heading
    if _NAME.match(line) and not _reads_on(line):
        return Heading("named", None, False)
    return _bare(line)


def _with_kind(line: str) -> Heading | None:
    """`Chapter IV`, `Book the Second`, `CHAPITRE PREMIER. — Le retour`."""
    match = _KIND.match(line)
    if match is None or line[0].islower():
        return None
    found = read_number(line[match.end() :])
    if found is None:
        return None
    number, style, end = found
    rest = line[match.end() + end :]
    loud = (match["part"] or match["chapter"]).isupper()
    if not _plausible(rest, loud):
        return None
    return Heading("part" if match["part"] else "chapter", number, _is_titled(rest), style)


def _kind_after(line: str) -> Heading | None:
    """`Première partie`, `THE SECOND BOOK`, `2e Chapitre`."""
    start = 4 if line[:4].lower() == "the " else 0
    found = read_number(line[start:])
    if found is None or line[0].islower():
        return None
    number, style, end = found
    match = _KIND_AFTER.match(line, start + end)
    # `Two parts` and `One night` are no headings; `First Part` and `I. Teil` are.
    if match is None or (style == "words" and plain(line[start : start + end]) in _CARDINALS):
        return None
    rest = line[match.end() :]
    loud = (match["part"] or match["chapter"]).isupper()
    if not _plausible(rest, loud):
        return None
    return Heading("part" if match["part"] else "chapter", number, _is_titled(rest), style)


def _is_titled(rest: str) -> bool:
    return any(char.isalnum() for char in rest)


def _plausible(rest: str, loud: bool) -> bool:
    """`Part two of the plan was worse.` is a sentence; `PART TWO`, `Chapter 3. A storm` and `Book IV` are not.

    `rest` is what follows the number; `loud` says that the word before it stands in capitals, as headings do.
    """
    separator = _SEPARATOR.match(rest)
    title = rest[separator.end() :] if separator else rest.strip()
    if not _is_titled(title):
        return title in ("", ".") or not title.strip('.…!?—–-"”’»)]| ')
    ends = bool(_SENTENCE_END.search(title))
    if separator is None:
        if rest[0] not in " (":
            return False
        opens = title[0].isupper() or title[0].isdigit() or title[0] in "«“\"'‘("
        return title.isupper() or (opens and (not ends or (loud and len(title) <= 60)))
    if separator[0].strip()[0] in ",;":
        return loud or (title[0].isupper() and not ends) or _KIND.match(title) is not None
    return loud or not ends or (len(title) <= 60 and (title[0].isupper() or title[0] in "«“\"'‘("))


def _bare(line: str) -> Heading | None:
    """Nothing but a number, or a number and a title."""
    mark = re.match(r"§\s*|n[°º]\s*|no\.\s*", line, re.IGNORECASE)
    body = line[mark.end() :] if mark else line
    found = read_number(body)
    if found is None:
        return None
    number, style, end = found
    written, rest = body[:end], body[end:]
    if number is None or (style == "roman" and not written.isupper()) or (style == "words" and not line[0].isupper()):
        return None
    if rest in ("", ".", ")", ":", ".)", ".—", ".-"):
        return Heading("bare", number, False, style)
    separator = re.match(r"\s*[.:)]\s*[—–-]*\s*|\s*[—–-]+\s+|\s*--+\s*|\s+[—–]\s*", rest)
    if style == "words":
        return None
    if separator is None:
        shouts = style == "roman" and rest[0] == " " and rest.isupper() and len(rest) >= 6
        return Heading("bare", number, True, style) if shouts else None
    return Heading("bare", number, True, style) if _title_like(rest[separator.end() :]) else None


def _reads_on(line: str) -> bool:
    return line[-1] in ",;:" or line[0].islower()


def _title_like(title: str) -> bool:
    """Whether the words after a number may be a chapter's title and not a list's item or a sentence."""
    if not _is_titled(title):
        return False
    if title.isupper():
        return True
    return title.lstrip("“\"«‘' ")[0].isupper() and len(title.split()) <= 14 and not _SENTENCE_END.search(title)


def is_title_line(text: str) -> bool:
    """Whether a short text after `CHAPTER I` may be that chapter's title: it is no sentence and opens no speech."""
    line = " ".join(text.split())
    if not line or len(line) > LONGEST or line[0] in "—–-[(*" or line[0].islower():
        return False
    if line.isupper() and (line[0] not in "“\"«‘'" or " " in line):
        return True
    if line[0] in "“\"«‘'" or is_dateline(line):
        return False
    return len(line) <= 100 and not re.search(r"[.!?…;,:][”’»\"')]*$", line.rstrip(".") if _title_case(line) else line)


def _title_case(line: str) -> bool:
    words = [word for word in re.findall(r"[^\W\d_]+", line) if len(word) > 3]
    return bool(words) and sum(word[0].isupper() for word in words) >= 0.8 * len(words) and len(line.split()) <= 14


# Words of two letters with which titles are made: `To M. S.`, `It`; in capitals the sides of a figure look like others.
_SHORT = frozenset(
    (
        "to of my it TO OF MY IT he we me us is no go on in at by up so if or an as be do oh ah le la de du un au ma "
        "je il tu et ou en ce se si sa ta es er im am um ob zu da wo el lo yo io mi ti ne"
    ).split()
)
_FORMULA = re.compile(r"[=≡∠±×÷<>≤≥≠≈∑∏∫√∈∞→⇒∥⊥∂∆]")
_LATIN = 0x590


def has_word(text: str) -> bool:
    """Whether a text says anything: the letters of a figure, the columns of a table and a formula do not."""
    words = re.findall(r"[^\W\d_]+", text)
    if any(ord(char) >= _LATIN for word in words for char in word):
        return True
    formula = bool(_FORMULA.search(text))
    long = (plain(word) for word in words if len(word) >= 3 and not (formula and (word.isupper() or len(word) < 5)))
    return any(set(word) & set("aeiouyœæøαεηιουωаеёиоуыэюяіїє") for word in long) or (
        not formula and any(word in _SHORT or (word[1:].islower() and word.lower() in _SHORT) for word in words)
    )


def is_part(title: str) -> bool:
    """Whether a heading names a part of a work, which holds chapters."""
    heading = recognise(title.split("\n")[0])
    return heading is not None and heading.kind == "part"


def is_numbered(title: str) -> bool:
    """Whether a heading opens a chapter by itself: it has a number or a name such as `Prologue`."""
    return recognise(title.split("\n")[0]) is not None


def in_order(numbers: list[int | None]) -> list[bool]:
    """Which bare numbers belong to a run that counts up from 1 (again, after a part): the others are page numbers."""
    good = [False] * len(numbers)
    expected: set[int] = {1}
    run: list[int] = []
    for index, number in enumerate(numbers):
        if number is None:
            continue
        if number in expected:
            if number == 1:
                run = []
            run.append(index)
            expected = {number + 1, 1}
            if len(run) >= 2:
                for position in run:
                    good[position] = True
    return good


def bare_in_order(headings: Sequence[Heading]) -> list[bool]:
    """Which headings can be believed: those with a word of their own, and bare numbers that count up.

    Each way of writing counts for itself, so that page numbers do not disturb Roman numerals; a bare number may also
    go on from `Chapter VI`.  Where many have been found in order, one that is missing is forgiven.
    """
    good = [heading.kind != "bare" for heading in headings]
    for style in ("digits", "roman", "words"):
        run: list[int] = []
        last: int | None = None
        for index, heading in enumerate(headings):
            if heading.kind == "chapter":
                last = heading.number
                run = [index]
            if heading.kind != "bare" or heading.style != style or heading.number is None:
                continue
            steps = (1, 2) if len(run) >= 3 else (1,)
            if last is not None and run and heading.number - last in steps:
                run.append(index)
            elif heading.number == 1:
                run = [index]
            else:
                continue
            last = heading.number
            if len(run) >= 2:
                for position in run:
                    good[position] = True
    return good


_MONTH = (
    r"jan(?:uary|\.)|feb(?:ruary|r?\.)|mar(?:ch|\.)|apr(?:il|\.)|may|june|july|aug(?:ust|\.)|sept?(?:ember|\.)|"
    r"oct(?:ober|\.)|nov(?:ember|\.)|dec(?:ember|\.)|janvier|février|fevrier|mars|avril|mai|juin|juillet|août|aoust|"
    r"septembre|octobre|novembre|décembre|decembre|januar|februar|märz|juni|juli|oktober|dezember|vendémiaire|brumaire|"
    r"frimaire|nivôse|pluviôse|ventôse|germinal|floréal|prairial|messidor|thermidor|fructidor"
)
_WEEKDAY = (
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|"
    r"montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag"
)
_YEAR = r"(?:1[0-9]|20)(?:\d\d|\*\*|--|——|[—–]|\.\.)"
_DATE = re.compile(
    rf"\b(?:\d{{1,2}}(?:st|nd|rd|th|er|\.)?\s+(?:of\s+|de\s+)?(?:{_MONTH})|(?:{_MONTH})\s+(?:the\s+)?\d{{1,2}}|"
    rf"(?:{_WEEKDAY})\b(?=[,.\s]*(?:\d|morning|evening|night|noon|afternoon|matin|soir|midi|minuit|$))|"
    rf"(?:{_MONTH}),?\s+{_YEAR})",
    re.IGNORECASE,
)


def is_dateline(text: str) -> bool:
    """Whether a line is the place and date above a letter or an entry of a journal: text, and no heading."""
    line = " ".join(text.split()).strip("_*=() ")
    if not line or len(line) > 90 or len(line.split()) > 14 or not (line[0].isupper() or line[0].isdigit()):
        return False
    date = _DATE.search(line)
    if date is None or recognise_kind(line):
        return False
    # Beside the date only names (of places, of ships) and small words: no verb can be told, but lower case can.
    others = [word for word in re.findall(r"[^\W\d_]+", line[: date.start()] + line[date.end() :]) if len(word) > 3]
    small = [word for word in others if word[0].islower() and word.lower() not in _DATE_WORDS]
    return len(small) <= 1


_DATE_WORDS = frozenset(
    "morning evening night noon afternoon midnight from near this o'clock clock matin soir midi minuit heures heure "
    "dans l'an après avant".split()
)


def recognise_kind(line: str) -> bool:
    """Whether a line begins with a word for a chapter and its number."""
    return bool(_with_kind(line) or _kind_after(line))


_CONTENTS = re.compile(
    r"(?:table of )?contents\.?|table des mati[eè]res\.?|table\.?|table des chapitres\.?|"
    r"inhalt(?:sverzeichnis)?\.?|índice\.?|"
    r"indice\.?|sommaire\.?|list of illustrations\.?|illustrations\.?",
    re.IGNORECASE,
)


def is_contents_label(text: str) -> bool:
    """Whether a line announces a list of chapters or illustrations."""
    return bool(_CONTENTS.fullmatch(" ".join(text.split()).strip("*_=~#–— ")))
