"""Recognising chapter headings where the source has no markup: numbers, Roman numerals and words, in several
languages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

HeadingKind = Literal["part", "chapter", "named", "bare"]

_PART = r"part|book|volume|partie|livre|tome|teil|buch|band|parte|libro|livro|deel|boek|period|époque|epoque|cycle"
_CHAPTER = (
    r"chapter|chap\.?|chapitre|kapitel|capítulo|capitulo|capitolo|hoofdstuk|caput|letter|lettre|brief|carta|lettera|"
    r"stave|canto|chant|act|acte|scene|scène|sonnet|adventure|episode|épisode|fable|nuit|night|journ[ée]e|veill[ée]e"
)
_NAMED = (
    r"prologue?|epilogue|épilogue|préface|preface|foreword|avant-propos|introduction|introductory|afterword|postface|"
    r"postscript|post-scriptum|conclusion|interlude|interm[eè]de|entr[’']acte|appendix|appendice|dedication|dédicace|"
    r"envoi|finale|vorwort|nachwort|einleitung|prolog|epilog|prólogo|prefacio|epílogo|introducción|conclusión|"
    r"prefazione|prologo|epilogo|introduzione|conclusione|prefácio|introdução|conclusão|author[’']s note|"
    r"note de l[’']auteur|to the reader|au lecteur|notice|pr[ée]ambule|preamble"
)
_ORDINALS = (
    r"first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|last|"
    r"premi(?:er|[eè]re)|second[e]?|deuxi[eè]me|troisi[eè]me|quatri[eè]me|cinqui[eè]me|"
    r"sixi[eè]me|septi[eè]me|huiti[eè]me|"
    r"neuvi[eè]me|dixi[eè]me|onzi[eè]me|douzi[eè]me|derni(?:er|[eè]re)|"
    r"erste[rs]?|zweite[rs]?|dritte[rs]?|vierte[rs]?|fünfte[rs]?|sechste[rs]?|siebte[rs]?|"
    r"achte[rs]?|neunte[rs]?|zehnte[rs]?|"
    r"primer[oa]?|segund[oa]|tercer[oa]?|cuart[oa]|quint[oa]|prim[oa]|second[oa]|terz[oa]|quart[oa]|terceir[oa]"
)
_UNITS = (
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    r"eighteen|nineteen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:one|two|three|four|five|six|"
    r"seven|eight|nine))?|(?:a |one )?hundred|un|une|deux|trois|quatre|cinq|sept|huit|neuf|dix|"
    r"onze|douze|treize|quatorze|"
    r"quinze|seize|dix-(?:sept|huit|neuf)|(?:vingt|trente|quarante|cinquante|soixante)(?:[- "
    r"](?:et[- ])?(?:un|deux|trois|"
    r"quatre|cinq|six|sept|huit|neuf|dix|onze|douze))?|eins|zwei|drei|vier|fünf|sechs|sieben|"
    r"acht|neun|zehn|uno|dos|tres|"
    r"cuatro|cinco|seis|siete|ocho|nueve|diez"
)
_ROMAN = r"(?=[mdclxvi])m{0,3}(?:c[md]|d?c{0,4})(?:x[cl]|l?x{0,4})(?:i[xv]|v?i{0,4})"
_NUMBER = rf"(?:{_ROMAN}|\d{{1,3}}(?:er|re|[eè]me|e|st|nd|rd|th)?|{_ORDINALS}|{_UNITS})"
# What may follow the number: the end, or a stop, a dash or a space and then the chapter's own title.
_TAIL = r"(?P<tail>\s*[.:;,—–-]+\s*(?P<title>\S.*)|\s+(?P<loose>\S.*))?"

_NUMBERED = re.compile(
    rf"(?:the\s+)?(?:(?P<part>{_PART})|(?P<chapter>{_CHAPTER}))\s+(?:the\s+|"
    rf"n[°o]\.?\s*)?(?P<number>{_NUMBER})\b\.?{_TAIL}$",
    re.IGNORECASE | re.DOTALL,
)
_ORDINAL_FIRST = re.compile(
    rf"(?:the\s+)?(?P<number>{_ORDINALS}|{_ROMAN}\.?|\d{{1,2}}(?:[eè]re?|[eè]me|\.)?)\s+"
    rf"(?:(?P<part>{_PART})|(?P<chapter>{_CHAPTER}))\b\.?{_TAIL}$",
    re.IGNORECASE | re.DOTALL,
)
_NAME = re.compile(rf"(?:the\s+)?(?:{_NAMED})\b(?:\s+(?:to|of|by|de|du|à)\b.{{0,60}})?\.?$", re.IGNORECASE)
_BARE_ROMAN = re.compile(r"(?:§\s*)?([MDCLXVI]+)[.)]?")
_CARDINALS = {
    word: number
    for words in (
        (
            "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen twenty"
        ),
        (
            "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept "
            "dix-huit dix-neuf vingt"
        ),
        "eins zwei drei vier fünf sechs sieben acht neun zehn",
    )
    for number, word in enumerate(words.split(), start=1)
}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "vingt": 20, "trente": 30, "quarante": 40}
_BARE_DIGITS = re.compile(r"(?:§\s*)?(\d{1,3})[.)]?")
_TITLED_ROMAN = re.compile(r"([MDCLXVI]+)\s*(?:[.:)]|\s[—–-])\s*(\S.{0,120})", re.DOTALL)
_TITLED_DIGITS = re.compile(r"(\d{1,3})\s*[.:)]\s*(\S.{0,120})", re.DOTALL)
_ROMAN_ONLY = re.compile(_ROMAN, re.IGNORECASE)
_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
LONGEST = 160
_SENTENCE_END = re.compile(r"[a-zà-ÿ][.!?…;,][”’»\"')]*$")


@dataclass(frozen=True, slots=True)
class Heading:
    """What a line says of itself: its kind, its number where it has one, and whether a title of its own follows."""

    kind: HeadingKind
    number: int | None
    titled: bool


def recognise(text: str) -> Heading | None:
    """The heading that a short text is, or None.  Bare numbers and numerals come as `bare`: only their order
    decides.
    """
    line = " ".join(text.split())
    if not line or len(line) > LONGEST:
        return None
    line = line.strip("*_=~#–— ").strip()
    if not line:
        return None
    for pattern in (_NUMBERED, _ORDINAL_FIRST):
        match = pattern.match(line)
        if match and _plausible(line, match):
            kind: HeadingKind = "part" if match["part"] else "chapter"
            return Heading(kind, _value(match["number"]), bool(match["title"] or match["loose"]))
    if _NAME.match(line) and not _reads_on(line):
        return Heading("named", None, False)
    if match := _BARE_ROMAN.fullmatch(line) or _BARE_DIGITS.fullmatch(line):
        number = _value(match[1])
        return Heading("bare", number, False) if number else None
    if line[0].isupper() and (number := _in_words(line)):
        return Heading("bare", number, False)
    if match := _TITLED_ROMAN.fullmatch(line) or _TITLED_DIGITS.fullmatch(line):
        number = _value(match[1])
        if number and _title_like(match[2]):
            return Heading("bare", number, True)
    return None


def _in_words(line: str) -> int | None:
    """The number that a line of one or two words writes out, up to sixty-nine."""
    word = line.rstrip(".").lower()
    if word in _CARDINALS or word in _TENS:
        return _CARDINALS.get(word) or _TENS[word]
    ten, _, unit = word.replace(" et ", "-").replace(" ", "-").partition("-")
    if ten in _TENS and _CARDINALS.get(unit, 10) < 10:
        return _TENS[ten] + _CARDINALS[unit]
    return None


def _plausible(line: str, match: re.Match[str]) -> bool:
    """`Part two of the plan was worse.` is a sentence; `PART TWO`, `Chapter 3. A storm` and `Book IV` are not."""
    loose = match["loose"]
    word = match["part"] or match["chapter"]
    if line[0].islower() or (word.islower() and line[0].islower()):
        return False
    if loose is None:
        return not (match["title"] and len(match["title"]) > 60 and _SENTENCE_END.search(match["title"]))
    first = loose[0]
    return (loose.isupper() or first.isupper() or first in "«“\"'‘(") and not _SENTENCE_END.search(loose)


def _reads_on(line: str) -> bool:
    return line[-1] in ",;:" or line[0].islower()


def _title_like(title: str) -> bool:
    """Whether the words after a number may be a chapter's title and not a list's item or a sentence."""
    if title.isupper():
        return True
    return title[0].isupper() and len(title.split()) <= 14 and not _SENTENCE_END.search(title)


def is_title_line(text: str) -> bool:
    """Whether a short text after `CHAPTER I` may be that chapter's title: it is no sentence and opens no speech."""
    line = " ".join(text.split())
    if not line or len(line) > LONGEST or line[0] in "“\"«—–-‘'[(*" or line[0].islower():
        return False
    if line.isupper():
        return True
    return len(line) <= 100 and not re.search(r"[.!?…;,:][”’»\"')]*$", line.rstrip(".") if _title_case(line) else line)


def _title_case(line: str) -> bool:
    words = [word for word in re.findall(r"[^\W\d_]+", line) if len(word) > 3]
    return bool(words) and sum(word[0].isupper() for word in words) >= 0.8 * len(words) and len(line.split()) <= 14


def is_part(title: str) -> bool:
    """Whether a heading names a part of a work, which holds chapters."""
    heading = recognise(title.split("\n")[0])
    return heading is not None and heading.kind == "part"


def is_numbered(title: str) -> bool:
    """Whether a heading opens a chapter by itself: it has a number or a name such as `Prologue`."""
    return recognise(title.split("\n")[0]) is not None


def _value(number: str) -> int | None:
    """The number that digits or Roman numerals say; None for words."""
    plain = number.strip(". ").lower()
    digits = re.match(r"\d+", plain)
    if digits:
        return int(digits[0])
    if not plain or not _ROMAN_ONLY.fullmatch(plain):
        return None
    values = [_VALUES[char] for char in plain]
    return sum(-a if a < b else a for a, b in zip(values, values[1:] + [0], strict=True))


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


_CONTENTS = re.compile(
    r"(?:table of )?contents\.?|table des mati[eè]res\.?|table\.?|table des chapitres\.?|"
    r"inhalt(?:sverzeichnis)?\.?|índice\.?|"
    r"indice\.?|sommaire\.?|list of illustrations\.?|illustrations\.?",
    re.IGNORECASE,
)


def is_contents_label(text: str) -> bool:
    """Whether a line announces a list of chapters or illustrations."""
    return bool(_CONTENTS.fullmatch(" ".join(text.split()).strip("*_=~#–— ")))
