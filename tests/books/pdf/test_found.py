"""What only all blocks of a PDF together tell: breaks of mere space, and the ranks of headings."""

from __future__ import annotations

from quire.books.draft import SCENE_BREAK
from quire.books.pdf.found import Found, add_breaks, even_levels, without_scraps

STEP = 12.0


def paragraph(text: str, space: float = STEP, plain: bool = True) -> Found:
    return Found("paragraph", text, 1, space=space, plain=plain)


def breaks(*blocks: Found) -> list[str]:
    before = [paragraph("He left.")] * 20
    kinds: list[str] = [block.kind for block in add_breaks([*before, *blocks], STEP)]
    return kinds[20:]


def test_more_space_than_usual_between_two_paragraphs_is_a_break() -> None:
    assert breaks(paragraph("It was May."), paragraph("Years went by.", 2 * STEP)) == [
        "paragraph",
        "break",
        "paragraph",
    ]
    found = add_breaks([paragraph("He left.")] * 9 + [paragraph("May.", 30)], STEP)
    assert found[9].text == SCENE_BREAK


def test_space_inside_a_sentence_is_no_break() -> None:
    assert breaks(paragraph("It was,"), paragraph("he said, May.", 2 * STEP)) == ["paragraph", "paragraph"]


def test_space_around_a_quotation_is_no_break() -> None:
    assert breaks(paragraph("Go home.", 2 * STEP, plain=False), paragraph("He did.", 2 * STEP)) == ["paragraph"] * 2


def test_where_much_is_spaced_nothing_is_broken() -> None:
    alternating = [paragraph("He left.", STEP * (1 + n % 2)) for n in range(20)]
    assert {block.kind for block in add_breaks(alternating, STEP)} == {"paragraph"}


def test_headings_of_one_size_have_one_rank_but_parts_keep_theirs() -> None:
    sizes = [(1, 18.0), (3, 14.0), (2, 14.1), (3, 11.0)]
    found = even_levels([Found("heading", "x", 1, level, size) for level, size in sizes])
    assert [block.level for block in found] == [1, 2, 2, 3]


def heads(*texts: str) -> list[str]:
    found = without_scraps([Found("heading", text, 1, level=2) for text in texts])
    return [block.text for block in found if block.kind == "heading"]


def test_pieces_of_figures_tables_and_formulas_are_no_headings() -> None:
    assert heads("I", "D", "12 3 4 214 3 5 6", "AB A", "CD ≡ C0D0, ∠ADC ≡ ∠A0D0C0.", "II") == ["I", "II"]


def test_a_letter_that_is_a_numeral_counts_where_the_one_before_stands() -> None:
    assert heads("C", "XCIX", "C", "CI") == ["XCIX", "C", "CI"]
    assert heads("12", "CHAPTER L", "C. The Weir") == ["12", "CHAPTER L", "C. The Weir"]
