"""What the fonts of a PDF page say wrongly: TeX's own codes, accents drawn apart from their letters, letters set wide.

Each repair keeps the number of characters, so that positions in the text stay PDFium's indices: where a character goes,
`VOID` stands until the line is whole.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import islice
from typing import Protocol

VOID = "\ue002"
_OT1_LIGATURE = re.compile(r"(?<=[^\W\d_])[\x0b\x0c\x0e\x0f]|[\x0b\x0c\x0e\x0f](?=[^\W\d_])")
_CODES = re.compile(r"[\x0b\x0c\x0e-\x1f]")
_LONE_RETURN = re.compile(r"\r(?!\n)")
# Fonts in TeX's OT1 encoding without a map to Unicode (bitmaps, above all) give their own codes.
_OT1 = str.maketrans(
    {
        "\x0b": "ﬀ", "\x0c": "ﬁ", "\x0e": "ﬃ", "\x0f": "ﬄ", "\x10": "ı", "\x12": "`", "\x13": "´", "\x14": "ˇ",
        "\x17": "˚", "\x18": "¸", "\x19": "ß", "\x1a": "æ", "\x1b": "œ", "\x1c": "ø", "\x1d": "Æ", "\x1e": "Œ",
        "\x1f": "Ø", "\x7f": "¨", "\\": "“", '"': "”", "{": "–", "|": "—", "^": "ˆ", "~": "˜",
    }
)  # fmt: skip
# Codes of T1 fonts without such a map; in both encodings the typewriter's quotation marks are curly ones.
_T1_CODE = re.compile(r"[\x10\x11][^\W\d_]|[^\W\d_][\x1b-\x1f]|[\x1b-\x1f][^\W\d_]")
_TEX_QUOTES = str.maketrans({"'": "’", "`": "‘"})
# In T1 these are œ and Œ, elsewhere the signs of arithmetic, which never stand beside letters.
_OE = re.compile(r"(?<=[a-zà-ÿ’'])÷(?=[a-z])|(?<![\w\s])÷(?=[a-zà-ÿ]{2})|(?<!\S)÷(?=[a-zà-ÿ]{2})|×(?=[a-zà-ÿ])")
_SOFT = re.compile(r"(?<=\w)\u00ad(?=\w)")
_COMBINING = {
    "´": "\u0301", "`": "\u0300", "ˋ": "\u0300", "ˊ": "\u0301", "ˆ": "\u0302", "^": "\u0302", "¨": "\u0308",
    "˜": "\u0303", "¸": "\u0327", "ˇ": "\u030c", "˚": "\u030a",
}  # fmt: skip
_ACCENT = re.compile("[´`ˋˊˆ^¨˜¸ˇ˚]")
# TeX's French draws its guillemets with signs of mathematics where the font has none.
_SIGNS = str.maketrans({"≪": "«", "≫": "»", "∗": "*", "⁎": "*"})
_SIGN = re.compile("[≪≫∗⁎]")
_WIDE = re.compile(r"(?<!\S)(?:[^\W\d_][’'.,:;!?]? |[^\W\d_]{2} ){3,}[^\W\d_]{1,2}(?!\w)[.,:;!?]?")


# A character with this added has a space behind it that PDFium did not see.
SPACED = 0xF0000
_SPACED = re.compile("[\U000f0000-\U000ffffd]")
_BETWEEN = re.compile(r"(?<=[^\W\d_]) (?=[^\W\d_])")
_LINE = re.compile(r"[^\r\n]+")


class Geometry(Protocol):
    """Where the characters of a page stand."""

    def origin(self, index: int) -> tuple[float, float]: ...

    def right(self, index: int) -> float: ...

    def size(self, index: int) -> float: ...

    def is_drawn(self, index: int) -> bool: ...


def repair_page(page: Geometry, text: str) -> str:
    """The characters of a page as they were meant."""
    # The plain sets first: they are sought many times faster than what they stand in.
    if _CODES.search(text):
        if _OT1_LIGATURE.search(text):
            text = _LONE_RETURN.sub("ﬂ", text).translate(_OT1).translate(_TEX_QUOTES)
        elif _T1_CODE.search(text):
            text = text.translate(_TEX_QUOTES)
    if _SIGN.search(text):
        text = text.translate(_SIGNS)
    if "÷" in text or "×" in text:
        text = _OE.sub(lambda match: "œ" if match[0] == "÷" else "Œ", text)
    if _ACCENT.search(text):
        text = _join_accents(page, text)
    if "\u00ad" in text and _SOFT.search(text):
        text = _SOFT.sub(lambda match: _in_line(page, match.start()), text)
    if _WIDE.search(text):
        text = _close_wide(page, text)
    return _open_tight(page, text)


def _in_line(page: Geometry, index: int) -> str:
    """What a soft hyphen is: itself at a line end; within a line a hyphen where one is drawn, else nothing."""
    (x, y), (own, _), (after, height) = (page.origin(index + step) for step in (-1, 0, 1))
    size = page.size(index - 1)
    if abs(height - y) > 0.3 * size or after < x:
        return "\u00ad"
    # Without a glyph of its own it stands where the letter before it does.
    return "-" if after - own > 0.15 * size and own - x > 0.1 * size else VOID


def show(text: str) -> str:
    """The text of a whole line: what was repaired in place is written out."""
    text = text.replace(VOID, "")
    return _SPACED.sub(lambda match: chr(ord(match[0]) - SPACED) + " ", text)


def bare(char: str) -> str:
    """A character of a repaired page without the space that it may carry."""
    return chr(ord(char) - SPACED) if ord(char) >= SPACED else char


def _open_tight(page: Geometry, text: str) -> str:
    """Spaces that PDFium did not see in lines set tight: white between letters as wide as the line's other spaces.

    Files that draw their spaces as characters lose none.
    """
    chars: list[str] | None = None
    for line in _LINE.finditer(text):
        # All spaces of a justified line are alike: the first that PDFium saw tells how tight it is.
        spaces = islice(_BETWEEN.finditer(text, line.start(), line.end()), 3)
        space = next((space for space in spaces if not page.is_drawn(space.start())), None)
        if space is None:
            continue
        usual = page.origin(space.end())[0] - page.right(space.start() - 1)
        if not 0.08 < usual / max(0.1, page.size(space.end())) < 0.28:
            continue
        for index in range(line.start(), line.end() - 1):
            if text[index].isalpha() and text[index + 1].isalpha():
                gap = page.origin(index + 1)[0] - page.right(index)
                if 0.7 * usual < gap < 2 * usual:
                    chars = chars or list(text)
                    chars[index] = chr(SPACED + ord(text[index]))
    return text if chars is None else "".join(chars)


def _join_accents(page: Geometry, text: str) -> str:
    """Accents that stand over a letter of their own, as one character with it."""
    chars = list(text)
    for match in _ACCENT.finditer(text):
        index = match.start()
        middle = (page.origin(index)[0] + page.right(index)) / 2
        for letter in (index + 1, index + 2, index - 1):
            if not (0 <= letter < len(chars)) or not chars[letter].isalpha():
                if letter < len(chars) and letter == index + 1 and chars[letter] != " ":
                    break
                continue
            left, right = page.origin(letter)[0], page.right(letter)
            slack = 0.12 * (right - left)
            base = {"ı": "i", "ȷ": "j"}.get(chars[letter], chars[letter])
            whole = unicodedata.normalize("NFC", base + _COMBINING[match[0]])
            if left - slack <= middle <= right + slack and len(whole) == 1:
                chars[letter], chars[index] = whole, VOID
                _close_around(page, chars, index, letter)
                break
    return "".join(chars)


def _close_around(page: Geometry, chars: list[str], accent: int, letter: int) -> None:
    """The spaces beside an accent and its letter go where no white stands."""
    first, last = min(accent, letter), max(accent, letter)
    for index in range(first + 1, last):
        chars[index] = VOID
    size = page.size(letter)
    before = first - 1
    apart = before > 0 and chars[before] == " " and chars[before - 1] not in "\r\n"
    if apart and page.origin(letter)[0] - page.right(before - 1) < 0.15 * size:
        chars[before] = VOID
    after = last + 1
    if after + 1 < len(chars) and chars[after] == " " and chars[after + 1] not in "\r\n":
        following = after + 1
        if _ACCENT.match(chars[following]):
            # The next accent stands right of its letter's edge: the letter tells.
            following += 1 if chars[following + 1 : following + 2] != [" "] else 2
        if following < len(chars) and page.origin(following)[0] - page.right(letter) < 0.15 * size:
            chars[after] = VOID


def _close_wide(page: Geometry, text: str) -> str:
    """Words set with white between their letters: the white that is no wider than between most of them goes."""
    chars = list(text)
    for match in _WIDE.finditer(text):
        words = match[0].split(" ")
        if len(words) < 5 or sum(len(word) == 1 for word in words) < 0.7 * len(words):
            continue
        spaces = [index for index in range(match.start(), match.end()) if text[index] == " "]
        gaps = {index: page.origin(index + 1)[0] - page.right(index - 1) for index in spaces}
        usual = sorted(gaps.values())[len(gaps) // 2]
        size = page.size(match.start())
        wide = [index for index, gap in gaps.items() if gap > 1.6 * usual + 0.06 * size]
        if usual < 0.24 * size or wide or (match[0].isupper() and len(spaces) >= 5):
            for index in spaces:
                if index not in wide:
                    chars[index] = VOID
    return "".join(chars)
