"""Characters of Adobe's and Microsoft's Symbol font, which word processors store by their place in the font."""

from __future__ import annotations

_UPPER = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ"
_LOWER = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ"
_OTHERS = {
    0x22: "∀",
    0x24: "∃",
    0x27: "∋",
    0x2A: "∗",
    0x2D: "−",
    0x40: "≅",
    0x5C: "∴",
    0x5E: "⊥",
    0x7E: "∼",
    0xA1: "ϒ",
    0xA2: "′",
    0xA3: "≤",
    0xA4: "⁄",
    0xA5: "∞",
    0xA7: "♣",
    0xA8: "♦",
    0xA9: "♥",
    0xAA: "♠",
    0xAB: "↔",
    0xAC: "←",
    0xAD: "↑",
    0xAE: "→",
    0xAF: "↓",
    0xB0: "°",
    0xB1: "±",
    0xB2: "″",
    0xB3: "≥",
    0xB4: "×",
    0xB5: "∝",
    0xB6: "∂",
    0xB7: "•",
    0xB8: "÷",
    0xB9: "≠",
    0xBA: "≡",
    0xBB: "≈",
    0xBC: "…",
    0xC5: "⊕",
    0xC6: "∅",
    0xC7: "∩",
    0xC8: "∪",
    0xCE: "∈",
    0xD0: "∠",
    0xD1: "∇",
    0xD2: "®",
    0xD3: "©",
    0xD4: "™",
    0xD5: "∏",
    0xD6: "√",
    0xD7: "⋅",
    0xE2: "®",
    0xE3: "©",
    0xE4: "™",
    0xE5: "∑",
    0xF2: "∫",
}
_SYMBOL = (
    {0x41 + place: char for place, char in enumerate(_UPPER)}
    | {0x61 + place: char for place, char in enumerate(_LOWER)}
    | _OTHERS
)


def symbol(code: int, font: str) -> str:
    """The character at a place of a symbol font; `""` where it is only a picture, as in Wingdings."""
    private = 0xF000 <= code <= 0xF0FF
    place = code - 0xF000 if private else code
    if "symbol" in font.lower() and "segoe" not in font.lower():
        return _SYMBOL.get(place, chr(place) if 32 <= place < 127 else "")
    if 0xE000 <= code <= 0xF8FF or not 32 <= code < 0x110000 or 0xD800 <= code < 0xE000:
        return ""
    pictures = font.lower().startswith(("wingdings", "webdings", "zapf"))
    return "" if pictures and code < 0x100 else chr(code)
