"""Sentences of prose with much dialogue, as spans into the text."""

from __future__ import annotations

import re

_COMMON = (
    "mr mrs ms dr st prof rev hon messrs mme mlle mm capt col gen lieut lt sergt sgt maj adm gov esq jr sr vs viz cf "
    "no nos vol vols pp ch chap fig figs ed eds op cit al ibid approx dept univ inc ltd co bros mt ft sq ave blvd rd"
)
_ABBREVIATIONS: dict[str, frozenset[str]] = {
    "": frozenset(_COMMON.split()),
    "en": frozenset(
        (
            _COMMON + " jan feb mar apr jun jul aug sept oct nov dec anon comdr cpl pvt supt pres sen rep i.e "
            "e.g a.m p.m b.c a.d"
        ).split()
    ),
    "fr": frozenset(
        (_COMMON + " m mgr ste mmes mlles me av apr env éd ex p art t liv hab janv févr avr juill déc c.-à-d").split()
    ),
    "de": frozenset(
        (_COMMON + " hr fr frl bzw usw ca nr str bd hrsg geb gest abb vgl z.b d.h u.a s.o z o b d h u a").split()
    ),
    "es": frozenset((_COMMON + " sr sra srta sres d dª dña ud uds vd vds núm pág págs cap art etc ee.uu").split()),
    "it": frozenset((_COMMON + " sig sigg sig.ra dott avv ing on pag cap art ecc s").split()),
    "pt": frozenset((_COMMON + " sr sra srta dr dra d v exa exmo núm pág cap art").split()),
    "nl": frozenset((_COMMON + " dhr mevr mw jhr drs ir mr bijv enz blz nr o.a d.w.z").split()),
    "la": frozenset(_COMMON.split()),
}
# After these a capital may well begin the next sentence: they only hold before a name's capital or a figure.
_NUMBER_ONLY = frozenset("no nos nr núm n° p pp pag pág págs vol vols ch chap cap fig figs art t liv op bd".split())
_END = re.compile(r"[.!?…‽。！？]+")
_CLOSERS = "\"”’»›)]}“‟'*_"
_SPACE = " \t\n\r\u00a0\u202f\u2009"
_OPENERS = "\"“„‘«‹([{'¿¡*_—–-"
_GUILLEMET = re.compile(rf"[{_SPACE}]*[»›]")
_ROMAN = re.compile(r"[IVXLCDM]{1,6}")


def split_sentences(text: str, language: str = "") -> list[tuple[int, int]]:
    """Spans (start, stop) of the sentences; together they hold every character that is not white space.

    A sentence ends at `. ! ? …` with the closing marks after it, unless the point belongs to an abbreviation, an
    initial or a number, or a lower-case word follows (`« Allez ! » cria-t-il`).  A blank line ends one too.
    """
    spans: list[tuple[int, int]] = []
    for start, stop in _paragraphs(text):
        spans.extend(_split_paragraph(text, start, stop, _ABBREVIATIONS.get(language, _ABBREVIATIONS[""]), language))
    return spans


def _paragraphs(text: str) -> list[tuple[int, int]]:
    """Spans between blank lines, without white space at either end."""
    found = []
    position = 0
    for gap in [*re.finditer(r"\n\s*\n", text), None]:
        stop = gap.start() if gap else len(text)
        piece = text[position:stop]
        lead = len(piece) - len(piece.lstrip())
        if piece.strip():
            found.append((position + lead, position + len(piece.rstrip())))
        position = gap.end() if gap else stop
    return found


def _split_paragraph(text: str, start: int, stop: int, short: frozenset[str], language: str) -> list[tuple[int, int]]:
    spans = []
    begin = start
    for match in _END.finditer(text, start, stop):
        if match.start() < begin:
            continue
        end = _close(text, match.end(), stop)
        after = _skip(text, end, stop)
        if after >= stop or after == end:
            continue
        if _ends(text, match, end, after, stop, short, language):
            spans.append((begin, end))
            begin = after
    if begin < stop:
        spans.append((begin, stop))
    return spans


def _close(text: str, position: int, stop: int) -> int:
    """Past the closing marks: quotation marks and brackets, and a guillemet after its space."""
    while position < stop:
        if text[position] in _CLOSERS and not _opens(text, position, stop):
            position += 1
        elif (match := _GUILLEMET.match(text, position, stop)) is not None:
            position = match.end()
        else:
            break
    return position


def _opens(text: str, position: int, stop: int) -> bool:
    """Whether a mark that may open or close stands before a word and after white space: then it opens."""
    before = text[position - 1] if position else " "
    after = text[position + 1] if position + 1 < stop else " "
    return before in _SPACE and after not in _SPACE


def _skip(text: str, position: int, stop: int) -> int:
    while position < stop and text[position] in _SPACE:
        position += 1
    return position


def _ends(
    text: str, match: re.Match[str], end: int, after: int, stop: int, short: frozenset[str], language: str
) -> bool:
    mark = match[0]
    first = _first_letter(text, after, stop)
    dash = text[after] in "—–" or text.startswith("--", after)
    closed = end > match.end()
    # `! ? …` and lower case: the speaker goes on, or the narrator says who spoke.
    if first and first.islower():
        return False
    if dash and not closed:
        # `Yes! — No!` parts two speakers; `Ah ! — dit-il` was caught above.
        return mark[0] != "." or first.isupper()
    if mark != ".":
        return True
    word = re.search(r"[^\s\"“”‘«»()\[\]—–]+$", text[max(0, match.start() - 20) : match.start()])
    if word is None or closed:
        return True
    plain = word[0].lower()
    if plain in _NUMBER_ONLY and plain in short:
        return not (first.isdigit() or bool(_ROMAN.match(text, after, stop)) or plain in ("p", "t") and first.isdigit())
    if plain in short or plain.rsplit("’", 1)[-1] in short or plain.rsplit("'", 1)[-1] in short:
        return False
    if re.fullmatch(r"(?:[^\W\d_]\.)*[^\W\d_]", word[0]) and word[0] != "I" and word[0][-1].isupper():
        # An initial (`J. R. Smith`); a single `I` is more often the pronoun, in English.
        return False
    if word[0] == "I" and language not in ("en", ""):
        return True
    return not (plain == "etc" and not first.isupper())


def _first_letter(text: str, position: int, stop: int) -> str:
    """The first letter or figure after opening marks and dashes; `""` when other signs come first."""
    while position < stop and (text[position] in _OPENERS or text[position] in _SPACE):
        position += 1
    return text[position] if position < stop and text[position].isalnum() else ""
