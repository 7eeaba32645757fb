"""Footnotes of plain text: taken out with their marks, and only where they are notes."""

from __future__ import annotations

from quire.books.plain.lines import group_lines
from quire.books.plain.notes import take_notes


def taken(text: str) -> tuple[list[str], list[tuple[int, str]]]:
    kept, notes = take_notes(group_lines(text))
    return [group.text for group in kept], notes


def test_a_numbered_note_goes_with_its_mark() -> None:
    kept, notes = taken("The ferry[1] left\nat six.\n\n[1] A flat boat.\n\nNobody came.")
    assert kept == ["The ferry left at six.", "Nobody came."]
    assert notes == [(4, "A flat boat.")]


def test_a_note_in_brackets_may_have_several_paragraphs() -> None:
    kept, notes = taken("He slept.[A]\n\n[Footnote A: Not well,\n\nas he said later.]\n\nHe woke.")
    assert kept == ["He slept.", "He woke."]
    assert notes == [(3, "Not well,\nas he said later.")]


def test_a_bracket_that_no_mark_points_to_is_text() -> None:
    text = "[1] The first thing to say is this.\n\nAnd then the second."
    assert taken(text) == (["[1] The first thing to say is this.", "And then the second."], [])
