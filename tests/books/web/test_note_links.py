"""Notes that only links give away, and links that are none."""

from __future__ import annotations

import pytest

from quire.books.markup import parse_page, plain_text
from quire.books.web.looks import Looks
from quire.books.web.note_links import find_notes


def found(*bodies: str) -> tuple[list[str], list[str]]:
    """The texts of the marks and of the notes on pages 1.html, 2.html and so on."""
    pages = []
    for number, body in enumerate(bodies, start=1):
        root = parse_page(f"<html><body>{body}</body></html>".encode())
        assert root is not None
        pages.append((f"{number}.html", root))
    links = find_notes(pages, Looks())
    return sorted(map(plain_text, links.marks)), sorted(map(plain_text, links.notes))


@pytest.mark.parametrize(
    "mark",
    [
        "<sup><a href='#n'>1</a></sup>",
        "<a href='#n'><sup>1</sup></a>",
        "<a href='#n'>[1]</a>",
        "<a href='#n'>*</a>",
        "<a class='noteref' href='#n'>a</a>",
    ],
)
@pytest.mark.parametrize(
    "note",
    [
        "<p id='n'>1. An old boat.</p>",
        "<p><a id='n'></a>1. An old boat.</p>",
        "<ol><li id='n'>1. An old boat.</li></ol>",
        "<a name='n'></a><p>1. An old boat.</p>",
        "<dl><dt id='n'>1.</dt><dd>An old boat.</dd></dl>",
    ],
)
def test_a_raised_or_bracketed_mark_and_what_it_points_to(mark: str, note: str) -> None:
    marks, notes = found(f"<p>The punt{mark} rose.</p>{note}")
    assert len(marks) == 1
    assert " ".join(notes).endswith("An old boat.")


def test_a_mark_at_the_head_of_a_block_marks_all_of_it() -> None:
    body = "<p>The punt<sup><a href='#n'>1</a></sup>.</p><div><a id='n'></a><p>1. An old boat.</p><p>Flat.</p></div>"
    assert found(body)[1] == ["1. An old boat. Flat."]


def test_a_plain_figure_needs_a_note_that_points_back() -> None:
    there = "<p>The punt<a id='r' href='2.html#n'>1</a> rose.</p>"
    assert found(there, "<p id='n'>1 An old boat. <a href='1.html#r'>↩</a></p>")[1] == ["1 An old boat. ↩"]
    assert found(there, "<p id='n'>1 An old boat.</p>") == ([], [])


def test_ways_back_are_marks_too() -> None:
    marks, _ = found(
        "<p>So<sup id='r'><a href='#n'>1</a></sup>.</p><p id='n'><a href='#r'>1</a>. Boat. <a href='#r'>↑</a></p>"
    )
    assert marks == ["1", "1", "↑"]


def test_chapters_that_are_numbered_in_a_list_are_no_notes() -> None:
    contents = "".join(f"<p><a href='#c{n}'>{n}</a></p>" for n in range(1, 4))
    chapters = "".join(f"<h2 id='c{n}'>{n}</h2><p>Text of it.</p>" for n in range(1, 4))
    assert found(contents + chapters) == ([], [])


def test_a_mark_that_points_to_a_heading_or_to_its_own_paragraph_makes_no_note() -> None:
    assert found("<p id='n'>So<sup><a href='#n'>1</a></sup>.</p>")[1] == []
    assert found("<p>So<sup><a href='#n'>1</a></sup>.</p><div id='n'><h2>1 A chapter</h2><p>Text.</p></div>")[1] == []


def test_links_of_words_and_links_to_nowhere_are_left_alone() -> None:
    assert found("<p>See <a href='#x'>the second part</a>, <a href='other.html'>1</a>.</p><p id='x'>Text.</p>") == (
        [],
        [],
    )
