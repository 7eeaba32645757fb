"""What only all blocks of a PDF together tell: breaks of mere space, and the ranks of headings."""

from __future__ import annotations

from quire.books.draft import SCENE_BREAK
from quire.books.pdf.found import Found, add_breaks, even_levels

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
