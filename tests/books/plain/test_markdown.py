"""Markdown: headings, emphasis, quoted verse, notes, breaks."""

from __future__ import annotations

from pathlib import Path

from bookfiles import PARAGRAPHS as P
from bookfiles import VERSE, assert_small_book, blocks
from quire.books.book import Book
from quire.books.plain import markdown


def test_markdown(tmp_path: Path) -> None:
    path = tmp_path / "b.md"
    quoted = "\n".join(f"> {line}" for line in VERSE.split("\n"))
    path.write_text(
        f"---\ntitle: The Ferry\nauthor: A. Writer\n---\n\n# The Ferry\n\n## "
        f"I. The Boat\n\n{P[0].replace('ferryman', '*ferryman*')}"
        f"\n\n{P[1]}\n\n{quoted}\n\n## II. The Bank\n\n{P[2]}\n\n{P[3].replace('pewter', '**pewter**')}\n",
        encoding="utf-8",
    )
    assert_small_book(markdown.read(path)[0])


def test_markdown_breaks_notes_and_links(tmp_path: Path) -> None:
    path = tmp_path / "b.md"
    path.write_text(
        "# A\n\nOne[^1] [link](http://x.y) and snake_case_word.\n\n***\n\nA "
        "line  \nbroken\\\nhard\n\n[^1]: A note.\n\n# B\n\nTwo\nwrapped lines."
    )
    (book,) = markdown.read(path)
    assert blocks(book) == [
        ("paragraph", "One link and snake_case_word."),
        ("break", "* * *"),
        ("verse", "A line\nbroken\nhard"),
    ]
    assert blocks(book, 1) == [("paragraph", "Two wrapped lines.")]
    assert [note.text for note in book.notes] == ["A note."]


def test_markdown_of_pandoc(tmp_path: Path) -> None:
    path = tmp_path / "b.md"
    path.write_text(
        f"% The Ferry\n% A. Writer\n\n## I. The Boat {{#boat .unnumbered}}\n\n{P[0]}[^1]\n\n{P[1]}[^2]\n\n"
        f"## II. The Bank\n\n{P[2]}\n\n[^1]: One.\n[^2]: Two.\n"
    )
    (book,) = markdown.read(path)
    assert (book.title, book.author) == ("The Ferry", "A. Writer")
    assert [chapter.title for chapter in book.chapters] == ["I. The Boat", "II. The Bank"]
    assert [note.text for note in book.notes] == ["One.", "Two."]


def _read(tmp_path: Path, text: str) -> Book:
    path = tmp_path / "b.md"
    path.write_text(text, encoding="utf-8")
    return markdown.read(path)[0]


def test_front_matter_of_several_kinds(tmp_path: Path) -> None:
    listed = f'---\ntitle: "The Ferry"\nauthor:\n  - A. Writer\n  - B. Other\nlang: en\n---\n\n{P[0]}\n'
    assert (_read(tmp_path, listed).title, _read(tmp_path, listed).author) == ("The Ferry", "A. Writer, B. Other")
    toml = f'+++\ntitle = "The Ferry"\nauthor = ["A. Writer"]\n+++\n\n{P[0]}\n'
    assert (_read(tmp_path, toml).title, _read(tmp_path, toml).author) == ("The Ferry", "A. Writer")
    assert _read(tmp_path, toml).text == P[0]


def test_headings_in_each_way_of_writing_them(tmp_path: Path) -> None:
    text = f"# One #\n\n{P[0]}\n\nTwo\n===\n\n{P[1]}\n\n<h1 align='center'>Three</h1>\n\n{P[2]}"
    text += f"\n\n# Four {{.part}}\n\n{P[3]}"
    assert [chapter.title for chapter in _read(tmp_path, text).chapters] == ["One", "Two", "Three", "Four"]
    assert [chapter.title for chapter in _read(tmp_path, f"# C# and F#\n\n{P[0]}\n\n# E\n\n{P[1]}").chapters] == [
        "C# and F#",
        "E",
    ]


def test_notes_of_several_paragraphs_and_in_the_line(tmp_path: Path) -> None:
    book = _read(tmp_path, f"{P[0]}[^1] And so.^[In the line.]\n\n[^1]: One.\n\n    And more.\n\n{P[1]}\n")
    assert [note.text for note in book.notes] == ["In the line.", "One.\nAnd more."]
    assert book.text == f"{P[0]} And so.\n\n{P[1]}"


def test_items_of_lists_and_lines_of_talk_stand_by_themselves(tmp_path: Path) -> None:
    talk = "- Vous viendrez ? dit-elle.\n- Non.\n- Et pourquoi ?"
    book = _read(tmp_path, f"{talk}\n\n{P[0]}\n\n* one\n* two\n  goes on\n")
    assert book.text == talk.replace("\n", "\n\n") + f"\n\n{P[0]}\n\none\n\ntwo goes on"


def test_markup_around_paragraphs_is_no_text(tmp_path: Path) -> None:
    assert _read(tmp_path, f"<div class='x'>\n\n::: verse\n{P[0]}\n:::\n\n</div>\n\n{P[1]}").text == f"{P[0]}\n\n{P[1]}"


def test_comments_are_dropped_and_counted(tmp_path: Path) -> None:
    book = _read(tmp_path, f"{P[0]}\n<!-- too\nlong? -->\n\n{P[1]}{{>>and this<<}}\n\n<!-- open")
    assert book.text == f"{P[0]}\n\n{P[1]}\n\n<!-- open"
    assert [drop.text for drop in book.dropped] == ["<!-- too\nlong? -->", "and this"]


def test_long_verse_lines_that_were_wrapped_end_where_their_break_is(tmp_path: Path) -> None:
    book = _read(tmp_path, f"{P[0]}\n\n> When we were small the boats\n> were high\\\n> and the ladder was\n> long\n")
    assert blocks(book)[1] == ("verse", "When we were small the boats were high\nand the ladder was long")


def test_lines_after_strokes_are_verse_and_go_on_where_they_are_set_in(tmp_path: Path) -> None:
    book = _read(tmp_path, f"{P[0]}\n\n| When we were small the boats\n  were high,\n| and the ladder was long.\n")
    assert blocks(book)[1] == ("verse", "When we were small the boats were high,\nand the ladder was long.")


def test_places_count_from_the_head_of_the_file(tmp_path: Path) -> None:
    book = _read(tmp_path, f"---\ntitle: A\n---\n\n{P[0]}\n<!-- one\ntwo -->\n\n<!-- three -->\n\n{P[1]}")
    assert [drop.place.number for drop in book.dropped] == [6, 9]
    assert [block.place.number for block in book.chapters[0].blocks] == [5, 11]
