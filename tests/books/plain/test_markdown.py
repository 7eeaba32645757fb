"""Markdown: headings, emphasis, quoted verse, notes, breaks."""

from __future__ import annotations

from pathlib import Path

from bookfiles import PARAGRAPHS as P
from bookfiles import VERSE, assert_small_book, blocks
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
