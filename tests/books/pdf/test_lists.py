"""Lists of contents and indexes in PDF pages, and what only looks like one."""

from __future__ import annotations

import pytest

from quire.books.pdf.furniture import Page
from quire.books.pdf.lines import Line
from quire.books.pdf.lists import drop_lists, entry_page

SIZE, STEP = 10.0, 12.0


def line(text: str, y: float, page: int = 1, size: float = SIZE) -> Line:
    return Line(text, 40, 40 + 5 * len(text), y, size, page)


def rows(number: int, texts: list[str]) -> Page:
    return Page(number, 360, 540, [line(text, 480 - STEP * n, number) for n, text in enumerate(texts)])


def page(number: int) -> Page:
    return rows(number, [f"Body line {chr(96 + n)} of page {chr(96 + number)}, running on" for n in range(10)])


def dropped(pages: list[Page]) -> list[tuple[str, str]]:
    return [(reason, one.text) for each in pages for reason, one in each.dropped]


def test_a_page_of_contents_goes_as_a_whole() -> None:
    entries = [line(f"Chapter {n} . . . . . . . . {10 * n}", 480 - STEP * n, 2) for n in range(6)]
    pages = [page(1), Page(2, 360, 540, list(entries)), page(3)]
    drop_lists(pages)
    assert dropped(pages) == [("contents", one.text) for one in entries]


def test_entries_whose_numbers_stand_far_right_are_contents_and_so_is_the_page_that_goes_on() -> None:
    entries = [
        one
        for n in range(12)
        for one in (
            line(f"{n}. The Ferry", 480 - STEP * (n % 6), 2 + n // 6),
            Line(f"{9 * n + 3}", 310, 320, 480 - STEP * (n % 6), SIZE, 2 + n // 6),
        )
    ]
    first, second = ([one for one in entries if one.page == number] for number in (2, 3))
    pages = [page(1), Page(2, 360, 540, [line("Contents", 510, 2, 14), *first]), Page(3, 360, 540, second), page(4)]
    drop_lists(pages)
    assert [len(each.lines) for each in pages] == [10, 0, 0, 10]


def test_a_page_of_text_with_numbers_at_line_ends_is_no_list() -> None:
    told = [
        line(f"and in that spring they counted {number}", 480 - STEP * n, 2)
        for n, number in enumerate((7, 90, 12, 3, 44, 8))
    ]
    drop_lists(pages := [page(1), Page(2, 360, 540, list(told)), page(3)])
    assert not dropped(pages)


def test_an_index_at_the_end_goes_and_numbers_amid_text_stay() -> None:
    entries = [line(f"ferry {word}, 12, 3{n}", 480 - STEP * n, 10) for n, word in enumerate("abcdef")]
    pages = [page(n) for n in range(1, 10)] + [Page(10, 360, 540, list(entries))]
    drop_lists(pages)
    assert {reason for reason, _ in dropped(pages)} == {"index"}


def test_text_under_the_last_entry_of_a_list_stays() -> None:
    entries = ["Contents", "1 The ferry . . . . . 1", "2 The bend . . . . . 1", "3 The weir . . . . . 2"]
    text = ["1 The ferry", "The ferry went over in the rain, and nobody", "but the dog of the lock keeper saw it go."]
    drop_lists(pages := [rows(1, entries + text), page(2)])
    assert [one.text for one in pages[0].lines] == text
    assert dropped(pages) == [("contents", entry) for entry in entries]


def test_under_a_heading_leaders_alone_are_enough() -> None:
    chapters = [f"{name} . . . . . . . . . ." for name in ("The ferry", "The bend", "The weir")]
    for heading, kept in (("Contents", 0), ("Table", 0), ("Name", 4)):
        drop_lists(pages := [rows(1, [heading, *chapters]), page(2)])
        assert [len(each.lines) for each in pages] == [kept, 10]


def test_tables_whose_numbers_rise_are_no_contents() -> None:
    tests = [f"Test {n}" for n in range(1, 30)]
    sizes = [f"0.{n} . . . . . . . {n}" for n in range(40, 60)]
    takings = [f"Bridge {n} . . . . . . . {(n * 37) % 90}" for n in range(10, 30)]
    for table in (tests, sizes, takings):
        drop_lists(pages := [rows(1, table), page(2)])
        assert not dropped(pages)


def test_letters_that_are_also_roman_numerals_are_no_page_numbers() -> None:
    drop_lists(pages := [rows(1, ["x x x x x x x x"] * 20), page(2)])
    assert not dropped(pages)


def test_a_list_that_goes_on_overleaf_takes_the_entry_that_the_page_parts() -> None:
    first = ["TABLE OF CONTENTS", "The ferry 3", "The bend 9", "The weir 12", "How the lock keeper and his dog"]
    second = ["came down to the weir 20", "The flood 31", "The thaw 44"]
    drop_lists(pages := [rows(1, first), rows(2, second), page(3)])
    assert [len(each.lines) for each in pages] == [0, 0, 10]


def test_thousands_at_line_ends_are_no_index() -> None:
    table = [f"At least {n},050 but less than {n},100" for n in range(10, 30)]
    drop_lists(pages := [*map(page, range(1, 10)), rows(10, table)])
    assert not dropped(pages)


def test_an_index_with_a_heading_has_sub_entries_in_their_own_order() -> None:
    entries = ["ferry, 12, 30 – 34, 40f", "over the bend, 12", "accidents of, 14", "weir, 7", "building of, 3n"]
    pages = [*map(page, range(1, 9)), rows(9, ["Index", *entries]), rows(10, entries)]
    drop_lists(pages)
    assert [len(each.lines) for each in pages[8:]] == [0, 0]


def test_sentences_that_end_in_numbers_have_not_the_order_of_an_index() -> None:
    said = ["We sailed on March the third, 12", "and he counted, 14", "She had a boat, 3", "but none came, 8"]
    drop_lists(pages := [*map(page, range(1, 10)), rows(10, [*said, "again he asked, 9", "who was it, 7", "and, 6"])])
    assert not dropped(pages)


@pytest.mark.parametrize(
    ("row", "number"),
    [
        ("The ferry . . . 12", 12),
        ("The ferry 12", 12),
        ("Preface iv", -1),
        ("12 14 16", 0),
        ("The year1", 0),
        ("Weir", 0),
    ],
)
def test_the_page_of_an_entry(row: str, number: int) -> None:
    assert entry_page(row) == number
