"""Text of a PDF page whose fonts do not name the characters that they draw: read by the order of glyphs where that can
be, or told from text."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

# Characters of a page that are asked whether a name was found for them.
ASKED = 100
_SPACE = re.compile(r"\s+")
# What fonts without names for their characters give: codes of their own, private use, replacement characters.
_CODES = re.compile("[\x01\x03-\x08\x0b\x0e\x0f\x18\x1a\x7f-\x84\x86-\x9f\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]")
# Rows of signs are the leaders of contents and the lines of forms.
# Letters of TeX's bitmap fonts, which PDFium takes for the ornaments of another font.
_ORNAMENTS = re.compile("[\u2701-\u27bf]")
_ROWS = re.compile(r"([^\w\s])(?:\s?\1)+")
# The glyphs of most TrueType fonts begin with these, in the order of Mac OS Roman (Apple's standard order); those that
# come with Windows leave out its no-break space, which is 202 there.
_FIRST_GLYPH, _LAST_ASCII, _NO_SPACE, _LAST_GLYPH = 3, 97, 172, 224
_VOWELS = frozenset("aeiouyAEIOUY")


def unnamed(text: str, page: Any) -> tuple[int, int]:
    """How many of some characters of a text page have no name in their font, and how many were asked."""
    step = max(1, len(text) // ASKED)
    asked = [index for index in range(0, len(text), step) if not text[index].isspace()]
    return sum(pdfium.FPDFText_HasUnicodeMapError(page, index) == 1 for index in asked), len(asked)


def is_nameless(text: str, missing: float) -> bool:
    """Whether the text of a page is no text: codes instead of characters.  `missing` is the share without names.

    A font without names may still be right by its own codes (TeX's are), so that a few codes prove nothing, unless
    PDFium found no name for most characters and even the spaces are codes, or what should be words are signs, or
    letters of many scripts side by side.
    """
    solid = _SPACE.sub("", text)
    strange = len(_CODES.findall(solid))
    ornaments = _ORNAMENTS.findall(solid)
    # A border has a few kinds of them, words have most of the alphabet.
    if len(ornaments) >= 0.4 * len(solid) and len(set(ornaments)) >= 12:
        return True
    if len(solid) < 8 or (strange < 0.25 * len(solid) and missing < 0.5):
        return False
    if strange >= 0.06 * len(solid):
        return True
    words = _SPACE.sub("", _ROWS.sub("", text))
    return len(words) >= 40 and (sum(char.isalnum() for char in words) < 0.55 * len(words) or len(_scripts(solid)) >= 6)


def _scripts(solid: str) -> list[int]:
    """The rows of Unicode that a good share of a text's letters come from; all of East Asia is one."""
    rows = Counter(0x4E if 0x2E80 <= ord(char) <= 0xD7FF else ord(char) >> 8 for char in solid)
    return [row for row, count in rows.items() if count >= 0.02 * len(solid)]


@dataclass(frozen=True, slots=True)
class Named:
    """The text of a page, character by character: what was read by the order of glyphs in it, and whether some of it
    had to be left white."""

    text: str
    guessed: bool = False
    partly: bool = False


def read_fonts(text: str, page: Any, missing: float) -> Named | None:
    """The text of a page as its fonts mean it, each font judged by all that it draws there; None where (nearly) nothing
    is left.  `missing` is the share of its characters without names."""
    if missing < 0.05 or (missing > 0.95 and has_words(text)):
        return None if is_nameless(text, missing) else Named(text)
    fonts = [places for places in _by_font(text, page) if not has_words(_said_in(text, places))]
    guessed = [places for places in fonts if has_words(_by_glyphs(_said_in(text, places)))]
    chars = list(text)
    lost = 0
    for places in fonts:
        said = _said_in(text, places)
        # Figures and headings beside words in such a font are set in others of its kind.
        if places in guessed or (guessed and all(ord(char) <= _LAST_ASCII for char in said)):
            for place in places:
                chars[place] = _glyph(chars[place])
        elif is_nameless(said, 1.0) or (len(places) >= 0.3 * len(text) and _is_cipher(said)):
            lost += len(places)
            for place in places:
                chars[place] = " "
    named = "".join(chars)
    # Scraps between what is lost are no text.
    if is_nameless(named, 0.0) or (lost and len(_SPACE.sub("", named)) < max(40, lost)):
        return None
    return Named(named, bool(guessed), lost > 0)


def _by_font(text: str, page: Any) -> list[list[int]]:
    """The places of characters without names, a list for each font."""
    fonts: dict[int, list[int]] = {}
    for index in range(len(text)):
        if pdfium.FPDFText_HasUnicodeMapError(page, index) == 1:
            font = pdfium.FPDFTextObj_GetFont(pdfium.FPDFText_GetTextObject(page, index))
            fonts.setdefault(ctypes.cast(font, ctypes.c_void_p).value or 0, []).append(index)
    return list(fonts.values())


def _said_in(text: str, places: Sequence[int]) -> str:
    """What stands in some places of a text, with a space for whatever stands between."""
    said: list[str] = []
    last = -1
    for place in places:
        if said and place != last + 1:
            said.append(" ")
        said.append(text[place])
        last = place
    return "".join(said)


def _by_glyphs(text: str) -> str:
    """Codes as the places of glyphs in the usual order."""
    return "".join(_glyph(char) for char in text)


def _glyph(char: str) -> str:
    code = ord(char)
    if _FIRST_GLYPH <= code <= _LAST_ASCII and char != " ":
        return chr(code + 29)
    if _LAST_ASCII < code <= _LAST_GLYPH:
        return bytes([code + 30 + (code >= _NO_SPACE)]).decode("mac_roman")
    return char if char.isspace() else "\ufffd"


def has_words(text: str) -> bool:
    """Whether a text is made of words as European languages have them: letters, a third of them vowels, and spaces."""
    solid = _SPACE.sub("", text)
    letters = [char for char in solid if char.isalpha()]
    plain = [char for char in letters if char.isascii()]
    small = sum(char.islower() for char in plain)
    return (
        len(letters) >= max(8, 0.6 * len(solid))
        and len(plain) >= 0.8 * len(letters)
        and text.count("\ufffd") <= 0.005 * len(solid)
        and 0.25 * len(plain) <= sum(char in _VOWELS for char in plain) <= 0.6 * len(plain)
        and (small >= 0.5 * len(plain) or small <= 0.1 * len(plain))
        and len(_SPACE.findall(text)) >= 0.05 * len(solid)
    )


def _is_cipher(text: str) -> bool:
    """Whether many Latin letters make no words: hardly a vowel among them, or capitals and small ones mixed."""
    plain = [char for char in text if char.isascii() and char.isalpha()]
    vowels = sum(char in _VOWELS for char in plain)
    mixed = len(re.findall("[a-z][A-Z]", text))
    return len(plain) >= 60 and (vowels < 0.2 * len(plain) or mixed > 0.1 * len(plain))
