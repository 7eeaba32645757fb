"""Paragraphs, verse and headings out of lines with their geometry."""

from __future__ import annotations

from quire.books.hyphens import Hyphens
from quire.books.pdf.blocks import Blocks
from quire.books.pdf.lines import MARK_CLOSE, MARK_OPEN, Line
from quire.books.pdf.measure import Column, Measure

LEFT, RIGHT, SIZE, STEP = 40.0, 240.0, 10.0, 12.0
MEASURE = Measure(SIZE, STEP, indent=15.0, gap=1.45 * STEP)
FULL = "nobody had told the ferryman that the far"


def line(
    text: str, y: float, left: float = LEFT, right: float = RIGHT, size: float = SIZE, hyphen: bool = False
) -> Line:
    return Line(text, left, right, y, size, 1, hyphen)


def rows(*lines: tuple[str, float, float], top: float = 500.0) -> list[Line]:
    """Lines one step apart: text, indent, and how far the line reaches."""
    return [line(text, top - STEP * n, LEFT + indent, LEFT + reach) for n, (text, indent, reach) in enumerate(lines)]


def column(lines: list[Line]) -> Column:
    return Column(tuple(lines), LEFT, RIGHT, 540)


def found(*columns: list[Line], measure: Measure = MEASURE, words: str = "") -> list[tuple[str, str]]:
    blocks = Blocks(measure, Hyphens([words], "en"), frozenset({1}))
    return [(block.kind, block.text) for block in blocks.run([column(lines) for lines in columns])]


def test_an_indent_begins_a_paragraph() -> None:
    lines = rows((FULL, 15, 200), (FULL, 0, 200), ("bank was gone.", 0, 80), (FULL, 15, 200), ("bank.", 0, 30))
    assert found(lines) == [("paragraph", f"{FULL} {FULL} bank was gone."), ("paragraph", f"{FULL} bank.")]


def test_a_paragraph_goes_on_in_the_next_column() -> None:
    assert found(rows((FULL, 15, 200), (FULL, 0, 200)), rows(("bank was gone.", 0, 80))) == [
        ("paragraph", f"{FULL} {FULL} bank was gone.")
    ]


def test_a_cut_word_is_joined_and_a_note_mark_goes() -> None:
    lines = [
        line("the ferry" + MARK_OPEN + "1" + MARK_CLOSE + " left the har", 500, hyphen=True),
        line("bour at six.", 488, right=100),
    ]
    assert found(lines, words="harbour") == [("paragraph", "the ferry left the harbour at six.")]


def test_short_lines_set_in_are_verse() -> None:
    lines = rows(
        (FULL, 15, 200), ("bank was gone:", 0, 80), ("The tide went out,", 40, 110), ("The tide came in.", 40, 105)
    )
    assert found(lines) == [("paragraph", f"{FULL} bank was gone:"), ("verse", "The tide went out,\nThe tide came in.")]


def test_large_type_is_a_heading_and_its_second_line_joins_it() -> None:
    lines = [
        line("CHAPTER I", 500, 90, 150, 16),
        line("The Boat", 478, 95, 140, 16),
        *rows((FULL, 0, 200), ("bank.", 0, 30), top=440),
    ]
    assert found(lines) == [("heading", "CHAPTER I\nThe Boat"), ("paragraph", f"{FULL} bank.")]


def test_an_ornament_is_a_break() -> None:
    lines = rows((FULL, 15, 200), ("bank.", 0, 30), ("* * *", 90, 110), (FULL, 15, 200), ("bank.", 0, 30))
    assert [kind for kind, _ in found(lines)] == ["paragraph", "break", "paragraph"]


def test_a_large_initial_goes_back_to_its_word() -> None:
    lines = [
        line("T", 488, LEFT, 62, 30),
        line("he ferry left at six, and nobody", 500, 64),
        line("had told the ferryman that the far", 488, 64),
        line("bank was gone.", 476, right=110),
    ]
    assert found(lines) == [
        ("paragraph", "The ferry left at six, and nobody had told the ferryman that the far bank was gone.")
    ]


def test_a_stanza_whose_every_second_line_is_set_in_a_little_stays_whole() -> None:
    body = rows((FULL, 15, 200), ("bank was gone:", 0, 80))
    verse = rows(
        ("Old Harrow had a bell", 0, 90), ("That never rang;", 9, 80), ("He kept it in a well", 0, 85), top=470
    )
    assert found([*body, *verse])[1] == ("verse", "Old Harrow had a bell\nThat never rang;\nHe kept it in a well")
