"""Datelines of letters and diaries, in English and French: is this line one?"""

from __future__ import annotations

import re
from dataclasses import replace

from quire.books.plain.lines import Lines, indent_of

_MONTHS = (
    r"(?:jan(?:uary|u?ry|y)?[.:]?|feb(?:ruary|r?y|r)?[.:]?|mar(?:ch|[.:])|apr(?:il|l|[.:])|may|june?|july?|jun[.:]|"
    r"jul[.:]|aug(?:ust|t)?[.:]?|sept?(?:ember|emb|r)?[.:]?|oct(?:ober|ob|r)?[.:]?|nov(?:ember|emb|r)?[.:]?|"
    r"dec(?:ember|emb|r)?[.:]?|"
    r"janvier|janv\.|f[ée]vrier|f[ée]vr?\.|mars|avril|avr\.|mai|juin|juillet|juil\.|ao[uû]t|septembre|octobre|novembre|"
    r"d[ée]cembre|d[ée]c\.|vend[ée]miaire|brumaire|frimaire|niv[oô]se|pluvi[oô]se|vent[oô]se|germinal|flor[ée]al|prairial|"
    r"messidor|thermidor|fructidor|7bre|8bre|9bre|10bre)"
)
_DAYS = (
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|"
    r"(?:mon|tue|tues|wed|thu|thurs|fri|sat|sun|lun|mar|mer|jeu|ven|sam|dim)\.)"
)
# `17—`, `17**`, `18..`, `1812`, `'98`: what a printer leaves of a year.
_YEAR = r"(?:1[0-9]{3}|20[0-9]{2}|1[5-9](?:[*.…·]{1,4}|[—–-]{1,3}|\d?[—*-]+)|[’'`]\d{2})"
_NUMBER = r"(?:\d{1,2}(?:st|nd|rd|th|d|er|e|°|º)?\.?(?:\s+or\s+\d{1,2})?|premier|first|\d{1,2}\s?(?:st|nd|rd|th))"
_PARTS = r"morn(?:ing|g)?\.?|even(?:ing|g)?\.?|eve|evg\.?|evn[’']g|night"
_FEASTS = (
    r"(?:le\s+)?même jour|(?:the\s+)?same day|"
    r"(?:le\s+)?(?:jour|veille|lendemain) de (?:la\s+)?(?:saint|noël|pâques|toussaint)"
    r"[\w-]*|christmas (?:day|eve|night)|new year[’']s (?:day|eve)|good friday|"
    r"easter (?:sunday|monday|day)|whit ?sunday|boxing day"
)
_DATE = (
    rf"(?:(?:{_DAYS}[,.]?\s+)?(?:about\s+|vers\s+)?(?:the\s+|le\s+|ce\s+|du\s+)?"
    rf"(?:{_NUMBER}(?:\s+(?:of|de|day of|jour de))?\s+{_MONTHS}|"
    rf"{_MONTHS}[.,]?\s+(?:the\s+)?{_NUMBER}\b)"
    rf"(?:\s*[,.]?\s*(?:{_YEAR}|(?:(?:in the year|l[’']an|an)\s+)(?:{_YEAR}|[IVXL]{{1,4}}|\d{{1,2}})|[IVXL]{{1,4}}))?|"
    rf"{_MONTHS}\s*[,.]?\s+{_YEAR}|{_NUMBER}\s+{_MONTHS}|"
    rf"(?:(?:ce|le|this)\s+)?{_DAYS}\s+(?:au\s+)?(?:soir|matin|{_PARTS})?\s*{_NUMBER}"
    r"(?:\s+(?:le|au)\s+(?:soir|matin))?|"
    rf"(?:ce|le|this)\s+{_DAYS}(?:\s+(?:soir|matin|{_PARTS}))?(?:\s*,?\s*\d+\s*(?:heures?|h))?|{_FEASTS}|"
    rf"\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}|\d{{4}}-\d{{2}}-\d{{2}})"
)
# Day, month and year: so much that a place before it needs no comma.
_WHOLE = (
    rf"(?:{_DAYS}[,.]?\s+)?(?:{_NUMBER}(?:\s+(?:of|de))?\s+{_MONTHS}|{_MONTHS}[.,]?\s+(?:the\s+|ye\s+)?{_NUMBER})"
    rf"\s*[,.]?\s*{_YEAR}"
)
_WEEKDAY = (
    rf"(?:{_DAYS})(?:\s*,?\s*(?:(?:in the\s+)?(?:{_PARTS}|afternoon|noon|midnight)|(?:au\s+)?soir|matin|"
    r"minuit|midi|(?:half[- ]past |at )?[\w ]{0,20}o[’']clock|\d{1,2}\s*(?:a\.?m\.?|p\.?m\.?|heures?|h)[\w ]{0,12}))?"
)
_TIME = (
    r"(?:\s*[,.;:—–-]*\s*(?:(?:at\s+|à\s+)?(?:\d{1,2}(?:[.:h]\d{2})?\s*(?:a\.?\s?m\.?|p\.?\s?m\.?|h(?:eures)?\.?)|"
    r"(?:[a-z-]+\s+){0,3}o[’']clock(?: [a-z]+){0,4}|midnight|noon|minuit|midi|(?:in the\s+)?(?:early |late )?"
    rf"(?:{_PARTS}|afternoon)|later|same day|(?:au\s+)?(?:soir|matin)|au château|onze heures|[a-zé]+ heures"
    r"(?: d[ue] \w+)?)))?"
)
# What stands before a date on its line: a place, or `From the inn`.  Case is ignored, so that any word will do here;
# `_is_place` looks at the capitals.  Stops and strokes are inside of a word or part two, never either: else there are
# endless ways to read a line of them.
_PLACE_WORD = r"(?:[A-ZÀ-Þ](?:[\w’'&*]|[.—-]+(?=[\w’'&*]))*+|\d{1,4})"
_PLACE = (
    rf"(?:(?:From|De|Du|Des|À|A|At|In|Au|(?:Written|Given|Done|Dated) (?:at|from|in)|(?:Fait|Donné|Écrit) (?:à|de|au)|"
    rf"Château)\s+)?{_PLACE_WORD}"
    rf"(?:[\s,.;:—–-]+{_PLACE_WORD}){{0,9}}"
)
_LINE = re.compile(
    rf"[\[(_*\s]*(?:(?:(?P<place>{_PLACE})\s*[,.;:—–-]+\s*|(?P<from>(?:From|De|Du|À|A|At)\s+[A-ZÀ-Þ][\w’'-]*\s+))"
    rf"(?:ce\s+|le\s+|this\s+|the\s+)?)?(?P<date>{_DATE}|{_WEEKDAY}){_TIME}"
    rf"(?:\s*[,.;:—–-]+\s*(?P<after>{_PLACE}))?\s*[.,:;!—–\])_*-]*",
    re.IGNORECASE,
)
# What is no letter's date: when someone was born, when a book was printed.
_DEED = r"(?:born|died|né|née|mort|morte|printed|published|imprimé|publié|exporté|achevé)\b"
# A line without a number or one of these says no date.
_HINT = re.compile(rf"\d|\b(?:{_DAYS}|{_MONTHS}|{_FEASTS})", re.IGNORECASE)
_UNPARTED = re.compile(
    rf"[\[(_*\s]*(?!{_DEED})(?P<place>{_PLACE})\s+(?:(?:ce|le|this|the)\s+)?{_WHOLE}{_TIME}\s*[.,:;—–\])_*-]*",
    re.IGNORECASE,
)
# `5 thermidor an XI (24 juillet 1803)`, `Astura (26 March)`
_SECOND = re.compile(rf"(?P<first>\S.*?)\s*\((?:{_DATE}|{_WEEKDAY})\)[.,]?", re.IGNORECASE)
_OPENING = re.compile(
    rf"(?P<date>{_DATE}|{_DAYS}){_TIME}\s*(?:\.\s*[—–-]*|[—–:]|,\s*[—–]|—)\s*(?P<rest>\S.*)", re.IGNORECASE
)
_SALUTE = re.compile(
    r"(?:(?:my|our)\s+)?(?:dear(?:est)?|beloved|honou?red|most|madam|sir|sirs|gentlemen|monsieur|madame|mademoiselle|"
    r"mon|ma|mes|cher|chère|chers|chères|très)\b(?:[^.!?;:]|(?<=Mr)\.|(?<=Dr)\.|(?<=Mrs)\.|(?<=Mme)\.|(?<=M)\.){0,60}[,:;.!—–-]*",
    re.IGNORECASE,
)
_CAPITAL = re.compile(r"[A-ZÀ-Þ0-9]")
LONGEST = 100
# A signature stands this far to the right.
_CLOSING = 16


def is_dateline(text: str) -> bool:
    """Whether a line only says when, and perhaps where: `St. Petersburgh, Dec. 11th, 17—.`, `Paris, ce 3 août 17**.`"""
    line = " ".join(text.split())
    if not line or len(line) > LONGEST or line[-1] in '?”»"’':
        return False
    if _HINT.search(line) is None:
        return False
    if "[" not in line[1:] and (line[0] != "[" or line.rstrip(".,").endswith("]")):
        return _says_when(line)
    # What an editor supplied is read, or left out where it corrects.
    supplied = re.sub(r"(?:,\s*){2,}", ", ", re.sub(r"\s*\[", ", ", line).replace("]", "")).strip(" ,")
    return _says_when(supplied) or _says_when(" ".join(re.sub(r"\[[^\]]*\]", " ", line).split()))


def _says_when(line: str) -> bool:
    second = _SECOND.fullmatch(line) if line.rstrip(".,").endswith(")") else None
    if second is not None and _is_alone(second["first"]):
        return True
    match = _LINE.fullmatch(line)
    if match is not None and all(match[name] is None or _is_place(match[name]) for name in ("place", "after")):
        return True
    match = _UNPARTED.fullmatch(line)
    return match is not None and _is_place(match["place"])


def _is_alone(text: str) -> bool:
    """What stands before a date in brackets: another date, or a place in a word or two."""
    return _LINE.fullmatch(text) is not None or (
        len(text.split()) <= 3 and text.replace(" ", "").isalpha() and text.istitle()
    )


def _is_place(text: str) -> bool:
    """Names and the little words between them; a sentence has more small words than names."""
    words = [word for word in re.findall(r"[\w’'&.*]+", text) if word.strip(".")]
    named = sum(bool(_CAPITAL.match(word)) for word in words)
    return named >= 1 and named >= 0.4 * len(words)


def entry_date(text: str) -> str | None:
    """The date that a diary's paragraph opens with (`3 May. Bistritz.—Left Munich …`), as it is printed, or None."""
    line = " ".join(text.split())
    match = _OPENING.match(line)
    if match is None or not (match["rest"][0].isupper() or match["rest"][0] in '“"«‘(—–'):
        return None
    return line[: match.start("rest")].strip(" .:—–-,")


def is_salutation(text: str) -> bool:
    """`My dear Sister,`, `Monsieur,`, `Chère amie,`: a short line above a letter."""
    line = " ".join(text.split())
    short = len(line) <= (25 if line.endswith(".") else 70)
    return short and line[-1:] in ",:;!—–-." and bool(_SALUTE.fullmatch(line)) and not line.isupper()


def part_letter(group: Lines) -> list[Lines]:
    """Date and salutation of a letter, and its closing lines, apart from the paragraph that they stand with."""
    lines = group.lines
    start, stop = 0, len(lines)
    while start < stop and (is_dateline(lines[start]) or is_salutation(lines[start]) or start and _is_to(lines[start])):
        start += 1
    if start or indent_of(lines[0]) < _CLOSING:
        while stop > start + 1 and _is_closing(lines[stop - 1]):
            stop -= 1
    elif len(lines) <= 3 and lines[0].endswith(",") and all(map(_is_closing, lines)):
        # `Yours ever,` and the name under it.
        start = stop
    if (start, stop) == (0, len(lines)):
        return [group]
    cuts = sorted({*range(start + (start < stop)), *range(stop, len(lines))})
    parts = []
    for first, last in zip(cuts, [*cuts[1:], len(lines)], strict=True):
        gap = group.gap if first == 0 else 0
        parts.append(replace(group, lines=lines[first:last], number=group.number + first, gap=gap))
    return parts


def _is_to(line: str) -> bool:
    """`To Mrs. Bank, Old Mill.` under a date."""
    return bool(re.match(r"\s*(?:To|À|A)\s+[A-ZÀ-Þ]", line)) and len(line.strip()) <= 45


def _is_closing(line: str) -> bool:
    return indent_of(line) >= _CLOSING and len(line.strip()) <= 45
