"""Numbers as chapter headings write them: digits, Roman numerals, and words of several languages."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

NumberStyle = Literal["digits", "roman", "words"]

_EN_UNITS = "one two three four five six seven eight nine"
_EN_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_EN_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_EN_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth"
)
_FR_SMALL = "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
_FR_TENS = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante", 80: "quatre vingt"}
# Numbers that count chapters in other languages, from one up; alternatives are parted by a stroke.
_OTHERS = (
    (
        "eins|ein zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn "
        "siebzehn achtzehn neunzehn zwanzig"
    ),
    (
        "erste|erster|erstes zweite|zweiter|zweites dritte|dritter|drittes vierte|vierter|viertes "
        "funfte|funfter|funftes sechste|sechster|sechstes siebte|siebter|siebtes|"
        "siebente|siebentes achte|achter|achtes neunte|neunter|neuntes "
        "zehnte|zehnter|zehntes elfte|elfter|elftes zwolfte|zwolfter|zwolftes"
    ),
    "uno|una dos tres cuatro cinco seis siete ocho nueve diez once doce",
    (
        "primero|primera|primer segundo|segunda tercero|tercera|tercer cuarto|cuarta quinto|quinta sexto|sexta "
        "septimo|septima octavo|octava noveno|novena decimo|decima"
    ),
    "uno|una due tre quattro cinque sei sette otto nove dieci undici dodici",
    (
        "primo|prima secondo|seconda terzo|terza quarto|quarta quinto|quinta sesto|sesta settimo|settima ottavo|ottava "
        "nono|nona decimo|decima"
    ),
    "um|uma dois|duas tres quatro cinco seis sete oito nove dez",
    "primeiro|primeira segundo|segunda terceiro|terceira quarto|quarta quinto|quinta sexto|sexta setimo|setima",
    (
        "een|eerste twee|tweede drie|derde vier|vierde vijf|vijfde zes|zesde zeven|zevende acht|achtste negen|negende "
        "tien|tiende elf|elfde twaalf|twaalfde"
    ),
)
_LAST = frozenset("last unique dernier derniere letzte letzter letztes ultimo ultima laatste".split())
_FR_ORDINALS = {"premier": 1, "premiere": 1, "second": 2, "seconde": 2, "ier": 1}
_ROMAN = re.compile(
    r"(?=[mdclxvi])m{0,3}(?:c[md]|d?c{0,4})(?:x[cl]|l?x{0,4})(?:i[xv]|v?i{0,4})(?![\w'’-])", re.IGNORECASE
)
_DIGITS = re.compile(r"(\d{1,3})(?:ers?|[eè]res?|i?[eè]mes?|nde?|[eE]|st|nd|rd|th|[°ºª])?(?![\w'’])")
_TOKEN = re.compile(r"[^\W\d_]+")
_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}


def _english() -> dict[str, int]:
    words = {word: number for number, word in enumerate(f"{_EN_UNITS} {_EN_TEENS}".split(), start=1)}
    words |= {word: number for number, word in enumerate(_EN_ORDINALS.split(), start=1)}
    for tens, word in enumerate(_EN_TENS.split(), start=2):
        words[word] = 10 * tens
        words[f"{word.removesuffix('y')}ieth"] = 10 * tens
        for units, (unit, ordinal) in enumerate(zip(_EN_UNITS.split(), _EN_ORDINALS.split(), strict=False), start=1):
            words[f"{word} {unit}"] = words[f"{word} {ordinal}"] = 10 * tens + units
    return words | {"hundred": 100, "one hundred": 100, "a hundred": 100, "hundredth": 100}


def _french() -> dict[str, int]:
    small = dict(enumerate(_FR_SMALL.split(), start=1)) | {17: "dix sept", 18: "dix huit", 19: "dix neuf"}
    said = dict(small)
    for tens, word in _FR_TENS.items():
        said[tens] = word
        for units in range(1, 20 if tens >= 60 else 10):
            said[tens + units] = f"{word} {small[units]}"
    words = {word: number for number, word in said.items()}
    for tens in (20, 30, 40, 50, 60):
        words[f"{_FR_TENS[tens]} et un"] = tens + 1
    words |= {"soixante et onze": 71, "quatre vingts": 80, "cent": 100, "une": 1, "vingt et une": 21}
    for word, number in list(words.items()):
        before, _, last = word.rpartition(" ")
        stem = {"cinq": "cinqu", "neuf": "neuv", "vingts": "vingt"}.get(last, last.removesuffix("e"))
        words[f"{before} {stem}ieme".strip()] = number
    return words | _FR_ORDINALS


def _beyond_a_hundred(small: dict[str, int], hundreds: dict[str, int], between: tuple[str, ...]) -> dict[str, int]:
    """`one hundred and one`, `cent deuxième`: what serials of that length count up to."""
    return {
        f"{hundred} {joint} {word}".replace("  ", " "): value + number
        for hundred, value in hundreds.items()
        for joint in between
        for word, number in small.items()
        if number < 100 and word not in _FR_ORDINALS
    }


def _words() -> dict[str, int]:
    words: dict[str, int] = {}
    for others in _OTHERS:
        for number, spellings in enumerate(others.split(), start=1):
            words |= dict.fromkeys(spellings.split("|"), number)
    english, french = _english(), _french()
    more = _beyond_a_hundred(english, {"one hundred": 100, "a hundred": 100, "two hundred": 200}, ("and", ""))
    more |= _beyond_a_hundred(french, {"cent": 100, "deux cent": 200}, ("",))
    more |= {"two hundred": 200, "two hundredth": 200, "one hundredth": 100, "deux cents": 200, "deux centieme": 200}
    return words | more | french | english


_WORDS = _words()
_LONGEST = max(len(word.split()) for word in _WORDS)
_FIRST = frozenset(word.split()[0] for word in _WORDS) | _LAST


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Lower case without accents, hyphens as spaces."""
    if text.isascii():
        return text.lower().replace("-", " ")
    parts = unicodedata.normalize("NFD", text.lower().replace("-", " ").replace("‐", " "))
    return "".join(char for char in parts if not unicodedata.combining(char))


def read_number(text: str) -> tuple[int | None, NumberStyle, int] | None:
    """The number that `text` begins with, how it is written, and where it ends; None when it begins with none.

    The value is None for words such as `last`, which count but name no number.
    """
    if match := _DIGITS.match(text):
        return (int(match[1]), "digits", match.end()) if match[1][0] != "0" else None
    if (match := _ROMAN.match(text)) and match[0]:
        return roman_value(match[0]), "roman", match.end()
    tokens: list[re.Match[str]] = []
    for token in _TOKEN.finditer(text):
        if not tokens and plain(token[0]) not in _FIRST:
            return None
        if text[tokens[-1].end() if tokens else 0 : token.start()].strip(" -‐") or len(tokens) == _LONGEST:
            break
        tokens.append(token)
    for count in range(len(tokens), 0, -1):
        end = tokens[count - 1].end()
        words = " ".join(plain(token[0]) for token in tokens[:count])
        if words in _WORDS and text[end : end + 1] not in ("'", "’", "-"):
            return _WORDS[words], "words", end
        if words in _LAST:
            return None, "words", end
    return None


def roman_value(numeral: str) -> int:
    """What a well-formed Roman numeral says."""
    # A pattern that ignores case also takes these two for an i.
    values = [_VALUES[char] for char in numeral.replace("ı", "i").replace("İ", "i").lower()]
    return sum(-a if a < b else a for a, b in zip(values, values[1:] + [0], strict=True))
