"""Footnotes of PDF pages: out of the columns, whole, each with its page."""

from __future__ import annotations

from quire.books.hyphens import Hyphens
from quire.books.pdf.furniture import Page
from quire.books.pdf.lines import MARK_CLOSE, MARK_OPEN, Line
from quire.books.pdf.notes import columns_and_notes, note_text, take_footnotes

SIZE, STEP = 10.0, 12.0


def line(text: str, y: float, page: int = 1, size: float = SIZE) -> Line:
    return Line(text, 40, 40 + 5 * len(text), y, size, page)


def test_small_lines_with_a_mark_at_the_foot_are_notes() -> None:
    body = [line("The ferry left at six.", 400), line("Nobody knew.", 388)]
    notes = [
        line("1 A flat boat,", 360, size=8),
        line("as they are there.", 350, size=8),
        line("2 The east one.", 340, size=8),
    ]
    rest, groups, unfinished = take_footnotes([*body, *notes], SIZE, STEP, open_note=False)
    assert rest == body
    assert groups == [notes[:2], notes[2:]]
    assert not unfinished


def test_a_note_that_does_not_end_goes_on_overleaf() -> None:
    first = [line("The ferry left.", 400), line("1 A flat boat, and", 360, size=8)]
    _, _, unfinished = take_footnotes(first, SIZE, STEP, open_note=False)
    assert unfinished
    second = [line("Nobody knew.", 400, 2), line("rather a slow one.", 360, 2, size=8)]
    rest, groups, _ = take_footnotes(second, SIZE, STEP, open_note=True)
    assert (rest, groups) == (second[:1], [second[1:]])
    assert take_footnotes(second, SIZE, STEP, open_note=False) == (second, [], False)


def test_a_number_at_the_start_of_a_notes_second_line_begins_no_note() -> None:
    lines = [line("1 The bridge came in", 360, size=8), line("1815 and fell that year.", 350, size=8)]
    other = line("2 So they say.", 340, size=8)
    _, groups, _ = take_footnotes([line("He left.", 400), *lines, other], SIZE, STEP, open_note=False)
    assert groups == [lines, [other]]


def test_lines_set_as_the_note_before_go_on_with_it_even_after_a_stop() -> None:
    before = line("1 A flat boat. Nobody,", 360, size=8)
    second = [line("Nobody knew.", 400, 2), line("and then it sank.", 360, 2, size=8)]
    rest, groups, _ = take_footnotes(second, SIZE, STEP, open_note=False, after=before)
    assert (rest, groups) == (second[:1], [second[1:]])


def test_the_text_of_a_note_has_neither_its_mark_nor_its_line_ends() -> None:
    lines = [line(f"{MARK_OPEN}†{MARK_CLOSE}A flat boat,", 360, size=8), line("as there.", 350, size=8)]
    assert note_text(lines, SIZE, STEP, Hyphens([], "en")) == "A flat boat, as there."


def test_a_second_note_whose_figure_is_not_raised_is_a_note() -> None:
    first = line(f"{MARK_OPEN}1{MARK_CLOSE}I. Kings, verse 2.", 360, size=8)
    second, third = line("2See the tide table.", 350, size=8), line("40 of them were lost.", 340, size=8)
    _, groups, _ = take_footnotes([line("He left.", 400), first, second, third], SIZE, STEP, open_note=False)
    assert groups == [[first], [second, third]]


def test_among_notes_with_symbols_a_figure_begins_none() -> None:
    lines = [line("§Compare the book of the port, where it is", 360, size=8), line("4 shillings.", 350, size=8)]
    _, groups, _ = take_footnotes([line("He left.", 400), *lines], SIZE, STEP, open_note=False)
    assert groups == [lines]


def test_a_mark_on_the_page_after_its_note_leaves_the_text() -> None:
    first = [line("He left at six.", 400), line(f"{MARK_OPEN}2{MARK_CLOSE}A flat boat.", 360, size=8)]
    second = [line(f"A drum{MARK_OPEN}2{MARK_CLOSE} was heard.", 400, 2), line(f"ten{MARK_OPEN}3{MARK_CLOSE}", 388, 2)]
    columns, notes = columns_and_notes([Page(1, 300, 500, first), Page(2, 300, 500, second)], SIZE, STEP)
    assert [group[0].page for group in notes] == [1]
    assert [one.text for one in columns[1][0]] == ["A drum was heard.", f"ten{MARK_OPEN}3{MARK_CLOSE}"]


def test_so_does_a_mark_that_is_not_seen_as_raised() -> None:
    first = [line("He left at six.", 400), line("2A flat boat.", 360, size=8)]
    columns, _ = columns_and_notes(
        [Page(1, 300, 500, first), Page(2, 300, 500, [line("A drum.2 He ran.", 400, 2)])], SIZE, STEP
    )
    assert columns[1][0][0].text == "A drum. He ran."
    columns, _ = columns_and_notes(
        [Page(1, 300, 500, first), Page(2, 300, 500, [line("The P2 sailed.", 400, 2)])], SIZE, STEP
    )
    assert columns[1][0][0].text == "The P2 sailed."
