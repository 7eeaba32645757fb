"""Line ends within a paragraph."""

from __future__ import annotations

from quire.books.office.soft_lines import split_soft_lines

LONG = "The ferry left at six, and nobody on the pier had seen the boy who sat between two crates of lamps and slept."


def test_short_lines_are_verse_and_two_line_ends_part_stanzas() -> None:
    assert split_soft_lines("One lamp,\none boat\n\nand the tide") == [
        ("verse", "One lamp,\none boat"),
        ("paragraph", "and the tide"),
    ]


def test_long_lines_that_end_sentences_are_paragraphs() -> None:
    assert split_soft_lines(f"{LONG}\n{LONG}") == [("paragraph", LONG), ("paragraph", LONG)]


def test_wrapped_text_that_was_pasted_is_one_paragraph() -> None:
    lines = [
        "The ferry left at six, and nobody on the pier had",
        "seen the boy who sat between two crates of lamps",
        "and slept, although the bell had rung for so long",
        "that the gulls had gone.",
    ]
    assert split_soft_lines("\n".join(lines)) == [("paragraph", " ".join(lines))]


def test_long_lines_that_no_sentence_ends_with_are_verse() -> None:
    lines = [
        "When we were small the boats were high and the ladder was longer than all of the long and windless day",
        "And we carried the light in a basket of reed and asked of no one whose was the light that we carried away",
        "But the boats tonight do not come to my shoulder and under the pier the water has nothing at all to say",
    ]
    assert split_soft_lines("\n".join(lines)) == [("verse", "\n".join(lines))]
