"""Running heads, folios and the marks of footnotes of PDF pages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.books.pdf.furniture import (
    Edge,
    Edges,
    Page,
    body_size,
    drop_furniture,
    find_mark,
    line_step,
    note_label,
    put_back,
)
from quire.books.pdf.lines import MARK_CLOSE, MARK_OPEN, Line

SIZE, STEP = 10.0, 12.0


def line(text: str, y: float, page: int = 1, size: float = SIZE) -> Line:
    return Line(text, 40, 40 + 5 * len(text), y, size, page)


def page(number: int, head: str = "", foot: str = "") -> Page:
    """Ten lines of text, with a head above and a foot below where they are given."""
    lines = [
        line(f"Body line {chr(96 + n)} of page {chr(96 + number)}, running on", 480 - STEP * n, number)
        for n in range(10)
    ]
    lines = ([line(head, 520, number)] if head else []) + lines + ([line(foot, 330, number)] if foot else [])
    return Page(number, 360, 540, lines)


def dropped(pages: list[Page]) -> list[tuple[str, str]]:
    return [(reason, one.text) for each in pages for reason, one in each.dropped]


def test_the_body_is_what_most_characters_are_set_in() -> None:
    pages = [page(1, head="A HEAD"), Page(2, 360, 540, [line("A title", 400, 2, 24)])]
    assert body_size(pages) == SIZE
    assert line_step(pages, SIZE) == STEP
    assert (body_size([]), line_step([], 8)) == (10.0, 10.0)


def test_heads_that_come_again_and_folios_that_count_are_taken_off() -> None:
    pages = [page(n, head="THE FERRY", foot=str(n + 4)) for n in range(1, 7)]
    drop_furniture(pages, SIZE, STEP)
    assert [len(each.lines) for each in pages] == [10] * 6
    assert sorted(set(dropped(pages))) == [("folio", str(n)) for n in sorted(range(5, 11), key=str)] + [
        ("running head", "THE FERRY")
    ]


def test_the_last_line_of_a_note_that_comes_again_is_no_foot() -> None:
    pages = [page(n, foot=str(n)) for n in range(1, 9)]
    for each in pages[::2]:
        each.lines[-1:] = [line("1 See the tide", 352, each.number, 8), line("of that day.", 342, each.number, 8)]
    drop_furniture(pages, SIZE, STEP)
    assert [len(each.lines) for each in pages] == [12, 10] * 4


def test_numbers_that_count_the_lines_go_though_they_touch_them() -> None:
    pages = [page(n) for n in range(1, 7)]
    for each in pages:
        for index in (4, 9):
            one = each.lines[index]
            each.lines[index] = Line(f"{index + 1} {one.text}", one.left - 15, one.right, one.y, SIZE, each.number)
    drop_furniture(pages, SIZE, STEP)
    assert dropped(pages) == [("line number", "5"), ("line number", "10")] * 6
    assert {one.left for each in pages for one in each.lines} == {40}
    assert pages[0].lines[4].text.startswith("Body line")


def test_a_line_that_ends_with_a_cut_word_is_no_head() -> None:
    pages = [page(n, head="Whoever finds this box is asked to return it to the light") for n in range(1, 7)]
    for each in pages:
        each.lines[0] = replace(each.lines[0], hyphen=True)
    drop_furniture(pages, SIZE, STEP)
    assert not dropped(pages)


def test_a_note_that_comes_again_under_other_numbers_is_no_foot() -> None:
    pages = [page(n, head="THE FERRY") for n in range(1, 9)]
    for each in pages:
        each.lines.append(line(f"{3 * each.number}. Ibid., in the same place.", 330, each.number, 8))
    drop_furniture(pages, SIZE, STEP)
    assert [len(each.lines) for each in pages] == [11] * 8


def test_a_page_that_is_some_lines_longer_than_others_keeps_them() -> None:
    pages = [page(n, head="THE FERRY", foot=str(n)) for n in range(1, 13)]
    longer = [line(f"He rowed {n} times more", 360 - STEP * n, 6) for n in range(3)]
    pages[5].lines[-1:] = longer
    pages[6].lines[-1:] = [line("12/3/99 14:02", 290, 7)]
    drop_furniture(pages, SIZE, STEP)
    assert [len(each.lines) for each in pages[5:7]] == [13, 10]


def test_heads_with_the_folio_beside_them_are_taken_off() -> None:
    pages = [page(n, head=f"{n} THE FERRY" if n % 2 == 0 else f"THE BOAT {n}") for n in range(1, 9)]
    drop_furniture(pages, SIZE, STEP)
    assert {reason for reason, _ in dropped(pages)} == {"running head"}
    assert all(len(each.lines) == 10 for each in pages)


def test_the_first_line_of_text_stays() -> None:
    pages = [page(n) for n in range(1, 7)]
    drop_furniture(pages, SIZE, STEP)
    assert dropped(pages) == []


@pytest.mark.parametrize(
    ("text", "label"),
    [("1 A note", "1"), ("¹² A note", "12"), ("* A note", "*"), (f"{MARK_OPEN}3{MARK_CLOSE} A", "3"), ("A note", "")],
)
def test_the_label_of_a_note(text: str, label: str) -> None:
    assert note_label(text) == label


def test_the_mark_of_a_note_stands_raised_or_right_behind_a_word() -> None:
    assert find_mark(f"ferry{MARK_OPEN}1{MARK_CLOSE} left", "1") == (5, 8)
    assert find_mark("ferry¹ left", "1") == (5, 6)
    assert find_mark("the ferry1 left", "1") == (9, 10)
    assert find_mark("he left.1 Then", "1") == (8, 9)
    assert find_mark("(he left).1 Then", "1") == (10, 11)
    assert find_mark("...1 Then", "1") == (3, 4)
    assert find_mark("in 1815 he left", "1") is None
    assert find_mark("ferry¹² left", "1") is None


def test_thousands_of_pages_take_a_time_that_grows_as_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    class Counted(Edges):
        def near(self, edge: Edge, reach: float) -> list[Edge]:
            nonlocal asked
            asked += 0 if (round(2 * edge.line.y) / 2, reach) in self._near else len(self.of)
            return super().near(edge, reach)

    monkeypatch.setattr("quire.books.pdf.furniture.Edges", Counted)
    pages = [page(n, head=f"THE FERRY {n % 7}", foot=str(n)) for n in range(1, 400)]
    drop_furniture(pages, SIZE, STEP)
    assert all(len(each.lines) == 10 for each in pages)
    assert asked < 40 * len(pages)


def test_heads_that_are_most_of_a_short_form_are_put_back_where_they_stood() -> None:
    pages = [
        Page(n, 360, 540, [line(f"Form {n} of the ferry company", 500, n), line("Name", 300, n)]) for n in range(1, 7)
    ]
    whole = [list(each.lines) for each in pages]
    for each in pages:
        each.take("running head", each.lines[0])
    assert put_back(pages, whole) == ["running head"]
    assert [each.lines for each in pages] == whole
    assert not dropped(pages)


def test_folios_and_heads_of_pages_full_of_text_are_not_put_back() -> None:
    pages = [page(n, head="THE FERRY AT THE BEND", foot=str(n)) for n in range(1, 7)]
    whole = [list(each.lines) for each in pages]
    drop_furniture(pages, SIZE, STEP)
    gone = dropped(pages)
    assert put_back(pages, whole) == []
    assert dropped(pages) == gone


def test_what_is_written_at_a_picture_now_here_now_there_stays() -> None:
    words = ("call", "mail", "tap", "slide", "ring", "hold")
    pages = [page(n) for n in range(1, 9)]
    for number, word in enumerate(words):
        pages[number].lines.insert(0, line(f"Press here to {word}", 508 + 5 * number, number + 1))
    drop_furniture(pages, SIZE, STEP)
    assert not dropped(pages)


def test_a_blank_page_may_have_the_head_of_others_at_another_height() -> None:
    pages = [page(n, head=f"{n} THE FERRY") for n in range(1, 7)]
    pages.append(Page(7, 360, 540, [line("The Ferry", 507, 7)]))
    pages.append(Page(8, 360, 540, [line("The End", 507, 8)]))
    drop_furniture(pages, SIZE, STEP)
    assert [len(each.lines) for each in pages] == [10] * 6 + [0, 1]


def test_it_may_have_the_head_that_the_file_marks_on_others() -> None:
    pages = [page(1), Page(2, 360, 540, [line("The Ferry", 507, 2)])]
    drop_furniture(pages, SIZE, STEP, ["The Ferry", "I. The Bend", "The Ferry", "The Ferry"])
    assert dropped(pages) == [("running head", "The Ferry")]
