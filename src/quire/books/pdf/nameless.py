"""Text of a PDF page whose fonts do not name the characters that they draw: read by the order of glyphs where that can
be, or told from text."""

from __future__ import annotations

import re
from collections import Counter
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
# The glyphs of most TrueType fonts begin with these, in the order of Mac OS Roman (Apple's standard order).
_FIRST_GLYPH, _LAST_ASCII, _LAST_GLYPH = 3, 97, 225
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
    if len(solid) >= 40 and len(_ORNAMENTS.findall(solid)) >= 0.4 * len(solid):
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


def by_glyphs(text: str, page: Any) -> str | None:
    """The text of a page whose codes are the places of glyphs in the usual order; None where that makes no words."""
    chars = list(text)
    for index, char in enumerate(chars):
        code = ord(char)
        if pdfium.FPDFText_HasUnicodeMapError(page, index) != 1:
            continue
        if _FIRST_GLYPH <= code <= _LAST_ASCII:
            chars[index] = chr(code + 29)
        elif _LAST_ASCII < code <= _LAST_GLYPH:
            chars[index] = bytes([code + 30]).decode("mac_roman")
        elif not char.isspace():
            chars[index] = "\ufffd"
    read = "".join(chars)
    return read if _has_words(read) else None


def _has_words(text: str) -> bool:
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
        and text.count(" ") >= 0.05 * len(solid)
    )
