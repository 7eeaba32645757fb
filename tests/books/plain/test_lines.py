"""Plain lines: how a file was wrapped, and what its lines are."""

from __future__ import annotations

import re
import textwrap

import pytest

from quire.books.plain.lines import (
    Layout,
    Lines,
    find_layout,
    group_lines,
    is_verse,
    numbered,
    part_unwrapped,
    rejoin,
    split_indented,
    usual_indent,
)

SENTENCE = "The ferry left at six, and nobody had told the ferryman that the far bank was gone that night. "
WRAPPED = "\n".join(textwrap.wrap(SENTENCE * 4, 60))
STANZA = "The tide went out,\nThe tide came in,\nAnd no one kept\nThe count of them."


def test_lines_between_blank_ones_stand_together_with_their_number_and_gap() -> None:
    assert group_lines("one\ntwo  \n\n\n\tthree\n") == [Lines(("one", "two"), 1, 0), Lines(("    three",), 5, 2)]
    assert group_lines("one  ", ends=True)[0].lines == ("one  ",)


def test_wrapped_text_has_a_width_and_a_line_a_paragraph_has_none() -> None:
    assert find_layout(group_lines("\n\n".join([WRAPPED] * 3))).width in range(55, 61)
    assert find_layout(group_lines("\n".join([SENTENCE * 3] * 6))).width == 0


def test_paragraphs_may_begin_with_an_indent_instead_of_a_blank_line() -> None:
    run = "\n".join("   " + WRAPPED for _ in range(4))
    layout = find_layout(group_lines(run))
    assert layout.indented
    (group,) = group_lines(run)
    assert usual_indent([group]) == 3
    parts = split_indented(group, 3)
    assert len(parts) == 4
    assert all(part.text == WRAPPED.replace("\n", " ") for part in parts)
    assert [part.number for part in parts] == [1 + n * len(WRAPPED.split("\n")) for n in range(4)]


def test_lines_that_their_author_broke_are_verse() -> None:
    layout = Layout(60, False)
    assert is_verse(group_lines(STANZA)[0], layout)
    assert not is_verse(group_lines(WRAPPED)[0], layout)
    assert not is_verse(group_lines(STANZA)[0], Layout(0, False))


def test_without_a_width_each_line_is_a_paragraph_but_stanzas_stay() -> None:
    groups = group_lines(f"{SENTENCE}\n{SENTENCE}\n\n{STANZA}")
    assert [len(group.lines) for group in part_unwrapped(groups)] == [1, 1, 4]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["a well-", "known place"], "a well-known place"),
        (["he said--", "and left"], "he said--and left"),
        (["he said --", "and left"], "he said -- and left"),
        (["he said", "— Yes."], "he said — Yes."),
        (["pages 3-", "4"], "pages 3- 4"),
    ],
)
def test_wrapped_lines_are_joined_as_they_were_written(lines: list[str], text: str) -> None:
    assert rejoin(lines) == text


def test_prose_broken_where_the_sense_breaks_is_no_verse() -> None:
    """Typists of the first electronic texts ended their lines at commas, with much room left."""
    lines = [
        "the ferry had left before the bell of the harbour was heard,",
        "and the boy, who sat",
        "between two crates of lamps on the after deck of the old boat,",
        "saw nobody on the pier;",
        "for whoever had come down to the water that evening to see him go",
        "was gone by then.",
    ]
    groups = group_lines("\n\n".join("\n".join(lines[turn % 5 :] + lines[: turn % 5]) for turn in range(40)))
    layout = find_layout(groups)
    assert not any(is_verse(group, layout) for group in groups)


LONG_VERSE = [
    "Oh, who will go over the grey water with me to the island of bells?",
    "“No one, no one, for the boat is a coat and the oar is a thorn and a shell.”",
    "And who will come down when the lamp is alight and the tide at the door?",
    "“No one, no one, for the key is a bee and will open the water no more.”",
]


def test_long_lines_that_all_begin_with_capitals_are_verse() -> None:
    stanza = Lines(tuple(LONG_VERSE), 1, 1)
    assert is_verse(stanza, Layout(72, False))
    assert not is_verse(Lines(tuple(WRAPPED.split("\n")), 1, 1), Layout(60, False))


def test_a_stanza_set_in_among_paragraphs_of_a_line_each_stays_together() -> None:
    stanza = "\n".join(f"    {line}" for line in LONG_VERSE)
    groups = part_unwrapped(group_lines(f"{SENTENCE * 3}\n\n{stanza}\n\n{SENTENCE * 3}\n\n— Yes.\n\n— No."))
    assert [len(group.lines) for group in groups] == [1, 4, 1, 1, 1]


def test_a_match_has_the_number_of_its_first_line() -> None:
    found = numbered(re.compile(r"\[[^\]]*\]"), "[a] and [b\nc]\n\n[d]")
    assert [(number, match[0]) for number, match in found] == [(1, "[a]"), (1, "[b\nc]"), (4, "[d]")]
