"""Characters of symbol fonts."""

from __future__ import annotations

import pytest

from quire.books.office.symbols import symbol


@pytest.mark.parametrize(
    ("code", "font", "char"),
    [
        (0x61, "Symbol", "α"),
        (0xF061, "Symbol", "α"),  # as Word stores it: in the private area
        (0xF057, "Symbol", "Ω"),
        (0xBC, "Symbol", "…"),
        (0x35, "Symbol", "5"),
        (0xF0A8, "Wingdings", ""),  # pictures are no letters
        (0x4A, "Wingdings", ""),
        (0x2014, "Times New Roman", "—"),
        (0x263A, "Segoe UI Symbol", "☺"),
        (0xE123, "Any", ""),
        (0xD800, "Any", ""),
        (7, "Any", ""),
    ],
)
def test_places_of_a_font_become_characters(code: int, font: str, char: str) -> None:
    assert symbol(code, font) == char
