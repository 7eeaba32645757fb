"""Characters of a PDF page that its fonts say wrongly."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from quire.books.pdf.glyphs import VOID, repair_page, show


class Row:
    """Characters of width 5 and size 10 at the given places; without places, one after the other.  `drawn`: they stand
    in the file, spaces too."""

    def __init__(self, text: str, at: Sequence[float] | None = None, drawn: bool = False) -> None:
        self.drawn = drawn
        self.at = at if at is not None else [5.0 * index for index, _ in enumerate(text)]

    def origin(self, index: int) -> tuple[float, float]:
        return self.at[index], 0.0

    def right(self, index: int) -> float:
        return self.at[index] + 5.0

    def size(self, index: int) -> float:
        return 10.0

    def is_drawn(self, index: int) -> bool:
        return self.drawn


def repaired(text: str, at: Sequence[float] | None = None) -> str:
    whole = repair_page(Row(text, at), text)
    assert len(whole) == len(text)
    return whole.replace(VOID, "")


def test_an_accent_drawn_over_a_letter_is_one_character_with_it() -> None:
    assert repaired("d´ej`a", [0, 5, 5, 10, 15, 15]) == "déjà"
    assert repaired("ˆıle", [0, 0, 5, 10]) == "île"
    # A space that PDFium put before the accent goes only where no white stands.
    assert repaired("pri `ere", [0, 5, 10, 12, 15, 15, 20, 25]) == "prière"
    assert repaired("va `a", [0, 5, 10, 14, 14]) == "va à"


def test_an_accent_by_itself_stays() -> None:
    assert repaired("a ^ b") == "a ^ b"
    assert repaired("it´s") == "it´s"


def test_codes_of_fonts_without_names_are_read_as_tex_set_them() -> None:
    codes = 'The o\x0ece \\\x0cnds" a \ru\x0by a\x0bair | no\r\nend'
    assert repaired(codes) == "The oﬃce “ﬁnds” a ﬂuﬀy aﬀair — no\r\nend"
    assert repaired("one {two} | three") == "one {two} | three"


@pytest.mark.parametrize(
    ("said", "meant"), [("s÷ur", "sœur"), ("l’÷il", "l’œil"), ("×uvres", "Œuvres"), ("6 ÷ 2", "6 ÷ 2"), ("3×4", "3×4")]
)
def test_ligatures_of_letters_are_no_arithmetic(said: str, meant: str) -> None:
    assert repaired(said) == meant


def spaced(text: str, wide: float) -> list[float]:
    """Places of letters 2 apart where a space parts them; `|` marks a wider space."""
    at, x = [], 0.0
    for char in text:
        at.append(x)
        x += 5 if char not in " |" else wide if char == "|" else 2
    return at


def test_words_set_with_white_between_letters_are_words() -> None:
    text = "T H E|B O A T"
    assert repaired(text.replace("|", " "), spaced(text, 9)) == "THE BOAT"


def test_single_letters_with_the_white_of_words_stay_apart() -> None:
    text = "plan a b c d e f"
    at = [6.0 * index for index, _ in enumerate(text)]
    assert repaired(text, at) == text


def test_short_words_in_a_row_stay_words() -> None:
    text = "de M. de La Tour et là on a"
    at = [5.0 * index - 3.2 * text[:index].count(" ") for index, _ in enumerate(text)]
    assert repaired(text, at) == text


def test_soft_hyphens_within_a_line_go_and_those_that_are_drawn_are_hyphens() -> None:
    assert repaired("pas\u00adsenger", [0, 5, 10, 15, 15, 20, 25, 30, 35, 40]) == "passenger"
    assert repaired("x\u00adray") == "x-ray"
    # The next letter stands further left: it begins another line.
    assert repaired("pas\u00adsenger", [80, 85, 90, 95, 0, 5, 10, 15, 20, 25]) == "pas\u00adsenger"


def test_spaces_that_are_characters_are_all_the_spaces_there_are() -> None:
    text = "of the rope"
    # Words 2 points apart, where PDFium saw no space in "ofthe".
    at = [0, 5, 12, 17, 22, 27, 29, 34, 39, 44]
    assert show(repair_page(Row("ofthe rope", at), "ofthe rope")) == text
    assert show(repair_page(Row("ofthe rope", at, drawn=True), "ofthe rope")) == "ofthe rope"


def test_quotation_marks_of_fonts_that_give_texs_codes_are_curly() -> None:
    assert repaired("l'o\x1bce n'est") == "l’o\x1bce n’est"
    assert repaired("\x10It's `so'") == "\x10It’s ‘so’"
    assert repaired("it's so") == "it's so"
