"""Sentences of prose with much dialogue, as spans into the text."""

from __future__ import annotations

import re

# Before a capital these never end a sentence: a name follows.
_TITLES = (
    "mr mrs ms dr prof rev hon messrs mme mlle mm capt col gen lieut lt sergt sgt maj adm gov cf viz vs al ibid op cit "
    "mt st sr sra"
)
# These may end one; the word after them tells.
_COMMON = "esq jr no nos vol vols p pp l ch chap fig figs ed eds approx dept univ inc ltd co bros ft sq ave blvd rd"
_ABBREVIATIONS: dict[str, frozenset[str]] = {
    "": frozenset((_TITLES + " " + _COMMON).split()),
    "en": frozenset(
        (
            f"{_TITLES} {_COMMON} jan feb mar apr jun jul aug sept oct nov dec anon comdr cpl pvt supt pres sen rep "
            "i.e e.g a.m p.m b.c a.d"
        ).split()
    ),
    "fr": frozenset(
        (
            f"{_TITLES} {_COMMON} m mgr pr ste mmes mlles me vve av apr env éd ex art t liv hab janv févr avr juill "
            "déc bd faub c.-à-d"
        ).split()
    ),
    "de": frozenset(
        (
            f"{_TITLES} {_COMMON} hr fr frl bzw usw ca nr str bd hrsg geb gest abb vgl z.b d.h u.a s.o z o b d h u a"
        ).split()
    ),
    "es": frozenset(
        f"{_TITLES} {_COMMON} sr sra srta sres d dª dña ud uds vd vds núm pág págs cap art etc ee.uu".split()
    ),
    "it": frozenset(f"{_TITLES} {_COMMON} sig sigg sig.ra dott avv ing on pag cap art ecc s".split()),
    "pt": frozenset(f"{_TITLES} {_COMMON} sr sra srta dr dra d v exa exmo núm pág cap art".split()),
    "nl": frozenset(f"{_TITLES} {_COMMON} dhr mevr mw jhr drs ir mr bijv enz blz nr o.a d.w.z".split()),
    "la": frozenset(f"{_TITLES} {_COMMON}".split()),
}
_NO_END = frozenset(
    f"{_TITLES} m mgr pr ste mmes mlles me sen rep pres supt cpl pvt comdr dhr mevr sig dott".split()
) - {"st", "mt"}
# Written small they are words.
_WORDS = frozenset("no fig art op col gen hon adm gov mt rep sen pres sept mar on ed in an".split())
# After these a capital may well begin the next sentence: they only hold before a name's capital or a figure.
_NUMBER_ONLY = frozenset("no nos nr núm n° p pp pag pág págs vol vols ch chap cap fig figs art t liv op bd l".split())
# Words that begin a sentence and no name: after `U.S.`, `p.m.`, `Ltd.`, `St.`, `Mr. K.` they say that it has ended.
_STARTS: dict[str, frozenset[str]] = {
    "en": frozenset(
        (
            "The He She It They We You There This That These Those But And Or So Then When Where What Who Why How If "
            "In At As For From With Not Nor Yes His Her Its Their My Our Your After Before Now Here Nobody Nothing "
            "Once All Some Such Perhaps Oh Was Were Had Is Are Do Did Have Has Would Could No"
        ).split()
    ),
    "fr": frozenset(
        (
            "Il Elle On Ils Elles Je Tu Nous Vous Ce Cette Ces Cet Mais Et Ou Or Donc Puis Alors Quand Lorsque Comme "
            "Si Dans Sur À Au Aux En Un Une Mon Ma Mes Son Sa Ses Leur Notre Votre Qui Que Quoi Où Pourquoi Comment "
            "Voilà Voici Rien Personne Tout Enfin Non Oui Ah Oh Était Avait C’ J’ Qu’ N’ S’ C' J' Qu' N' S'"
        ).split()
    ),
}
# No family is called so: even a single initial stands at the end before these.
_PRONOUN = re.compile(r"(?:He|She|They|It|We|You|Il|Elle|On|Ils|Elles|Je|Nous|Vous)\b")
_ALL_STARTS = frozenset().union(*_STARTS.values())
# After a shout or a question in quotation marks: `“Who?” Mrs. Oakley asked.` is one sentence.
_SAID = re.compile(
    r"(?!(?:Nobody|None|No|He|She|They|It|We|You|There)\b)"
    r"(?:I|[A-Z][\w’'-]*\.?(?: (?:de|la|le|du|von|of|the|[A-Z][\w’'-]*\.?)){0,4}) "
    r"(?:(?:said|asked|cried|shouted|replied|whispered|murmured|muttered|exclaimed|thundered|roared|demanded|inquired|"
    r"enquired|repeated|added|snapped|growled|gasped|screamed|yelled|answered|urged|protested|insisted|bellowed|"
    r"shrieked|stammered|ordered|wondered|breathed|hissed)(?! (?:nothing|no |not |for |after |that ))|"
    r"(?:called|returned|began|continued|observed|remarked|declared|put in|went on|called out|cried out)(?=[.,;:—]))"
)
# Points with spaces between them are one mark: `. . .`
_END = re.compile(r"(?:\.(?:[ \u00a0]\.)+|[.!?…‽。！？])+")
# An interrupted speech and the next speaker's: `“But I—” “No buts.”`
_CUT_OFF = re.compile(r"""(?:[—–]|--)[”’»"](?=\s+[“‘«"])""")
_CLOSERS = "\"”’»›)]}“‟'*_"
_SPACE = " \t\n\r\u00a0\u202f\u2009"
_OPENERS = "\"“„‘«‹([{'¿¡*_—–-"
_GUILLEMET = re.compile(rf"[{_SPACE}]*[»›]")
_ROMAN = re.compile(r"[IVXLCDM]{1,6}\b")
_UNIT = re.compile(r"\d+[a-zà-ÿ]{1,2}|[a-zà-ÿ]")
_INITIALS = re.compile(r"(?:[^\W\d_]{1,2}\.-?)*[^\W\d_]")
_BEFORE = re.compile(r"[^\s\"“”‘«»()\[\]—–]+$")
# `I saw her… Mary… at the window.`
_TRAILING = re.compile(r"\w+(?:…|\.\.\.)\s+[a-zà-ÿ]")
_FIRST_WORD = re.compile(r"(?:C|J|Qu|N|S)[’']|\w+")


def split_sentences(text: str, language: str = "") -> list[tuple[int, int]]:
    """Spans (start, stop) of the sentences; together they hold every character that is not white space.

    A sentence ends at `. ! ? …` with the closing marks after it, unless the point belongs to an abbreviation, an
    initial or a number, or a lower-case word follows (`« Allez ! » cria-t-il`), or the name of who spoke and a verb of
    saying (`“Who?” Mrs. Oakley asked.`).  A speech that breaks off (`“But I—” “No.”`) and a blank line end one too.
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
        if _ends(text, begin, match, end, after, stop, short, language):
            spans.append((begin, end))
            begin = after
    if begin < stop:
        spans.append((begin, stop))
    if _CUT_OFF.search(text, start, stop) is None:
        return spans
    return [part for span in spans for part in _cut_off(text, *span)]


def _cut_off(text: str, start: int, stop: int) -> list[tuple[int, int]]:
    """A sentence parted where a speech breaks off and another begins."""
    spans = []
    for match in _CUT_OFF.finditer(text, start, stop):
        spans.append((start, match.end()))
        start = _skip(text, match.end(), stop)
    return [*spans, (start, stop)]


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
    text: str,
    begin: int,
    match: re.Match[str],
    end: int,
    after: int,
    stop: int,
    short: frozenset[str],
    language: str,
) -> bool:
    mark = match[0]
    first = _first_letter(text, after, stop)
    closed = end > match.end()
    # `! ? …` and lower case: the speaker goes on, or the narrator says who spoke.
    if first and first.islower():
        return False
    if (text[after] in "—–" or text.startswith("--", after)) and not closed:
        # `Yes! — No!` parts two speakers; `Ah ! — dit-il` was caught above.
        return mark[0] != "." or first.isupper()
    if mark != ".":
        if closed and mark[-1] in "!?…" and language in ("en", ""):
            return _SAID.match(text, after, stop) is None
        return mark[-1] not in "…." or _TRAILING.match(text, after, stop) is None
    word = _BEFORE.search(text, max(begin, match.start() - 20), match.start())
    if word is None or closed:
        return True
    return _point_ends(text, begin, word, first, after, stop, short, language)


def _point_ends(
    text: str, begin: int, word: re.Match[str], first: str, after: int, stop: int, short: frozenset[str], language: str
) -> bool:
    """Whether a single point after `word` ends the sentence, or shortens the word."""
    shown = word[0]
    plain = shown.lower()
    if shown.isdigit() and word.start() == begin and len(shown) < 4:
        return False  # `1. Bread.  2. Salt.`
    if first.isdigit() and (plain in short or _UNIT.fullmatch(shown)):
        return False  # `6 h. 30`, `6s. 8d.`, `p. 12`
    initial = len(shown) == 1 and shown.isupper() and plain not in _NO_END
    if plain in _NUMBER_ONLY and plain in short and not initial:
        roman = _ROMAN.match(text, after, stop)
        return roman is None or (roman[0] == "I" and plain in _WORDS)
    known = plain in short or re.split("[’']", plain)[-1] in short
    if known and not initial and (plain not in _WORDS or shown[0].isupper()):
        return plain not in _NO_END and _starts(text, after, stop, language)
    if shown != "I" and shown[-1].isupper() and _INITIALS.fullmatch(shown):
        # An initial (`J. R. Smith`); a single `I` is more often the pronoun, in English.
        if len(shown) == 1:
            return _PRONOUN.match(text, after, stop) is not None
        return shown not in ("P.S", "P.-S", "N.B") and _starts(text, after, stop, language)
    if shown == "I" and language not in ("en", ""):
        return True
    return not (plain == "etc" and not first.isupper())


def _starts(text: str, position: int, stop: int, language: str) -> bool:
    """Whether the next word is one that begins sentences, or a quotation begins."""
    if text[position] in "“«‘":
        return True
    word = _FIRST_WORD.match(text, position, stop)
    return word is not None and word[0] in _STARTS.get(language, _ALL_STARTS)


def _first_letter(text: str, position: int, stop: int) -> str:
    """The first letter or figure after opening marks and dashes; `""` when other signs come first."""
    while position < stop and (text[position] in _OPENERS or text[position] in _SPACE):
        position += 1
    return text[position] if position < stop and text[position].isalnum() else ""
