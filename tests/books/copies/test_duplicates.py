"""What is said of text that stands twice: works, chapters, passages, and where."""

from __future__ import annotations

import random
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from quire.books.book import Block, Book, Chapter, Place, Shelf
from quire.books.copies.duplicates import Duplicate, describe, find_duplicates, text_at
from quire.books.limits import PLAIN
from quire.books.plain.markdown import read
from quire.books.rows import reader as jsonl

SAMPLES = Path(str(resources.files("quire"))) / "assets" / "samples"
DRAW = random.Random(2)
WORDS = ["".join(DRAW.choices("abcdefghijklmnoprstuv", k=DRAW.randint(2, 9))) for _ in range(4000)]


def prose(length: int = 80) -> str:
    return " ".join(DRAW.choices(WORDS, k=length)).capitalize() + "."


def chapter(number: int, *texts: str) -> Chapter:
    return Chapter(
        f"Chapter {number}", tuple(Block("paragraph", t, Place("b.txt", "line", n)) for n, t in enumerate(texts, 1))
    )


def work(title: str, *chapters: Chapter) -> Book:
    return Book(f"{title}.txt", title, chapters)


def found(*books: Book) -> tuple[Shelf, tuple[Duplicate, ...]]:
    shelf = Shelf(books)
    return shelf, find_duplicates(shelf)


def test_a_passage_in_two_books_is_shown_where_it_stands() -> None:
    passage = "“Stay,” said the ferrywoman, " + prose(40)
    one = work("One", chapter(1, prose(), prose() + " " + passage + " " + prose()))
    two = work("Two", chapter(1, prose(), prose()), chapter(2, prose(), passage.upper(), prose()))
    shelf, (duplicate,) = found(one, two)
    assert (duplicate.kind, duplicate.similarity) == ("exact", 1.0)
    assert (duplicate.first.book, duplicate.second.book, duplicate.second.chapter) == (0, 1, 1)
    assert text_at(shelf, duplicate.first) == passage.strip("“.")
    assert text_at(shelf, duplicate.second) == passage.upper().strip("“.")
    assert duplicate.words == len(passage.split())
    line = describe(shelf, duplicate)
    assert "the same" in line
    assert "“Chapter 2”, line 2" in line
    assert "\n" not in line


def test_a_chapter_that_comes_again_is_one_duplicate() -> None:
    texts = [prose() for _ in range(6)]
    again = [text.replace(text.split()[20], "otherwise") for text in texts]
    one = work(
        "One", chapter(1, prose()), chapter(2, *texts), chapter(3, prose()), chapter(4, *again), chapter(5, prose())
    )
    shelf, (duplicate,) = found(one)
    assert (duplicate.kind, duplicate.first.chapter, duplicate.second.chapter) == ("near", 1, 3)
    assert duplicate.similarity > 0.95
    assert text_at(shelf, duplicate.second) == one.chapters[3].text


def test_two_editions_of_a_work_are_one_duplicate() -> None:
    (novella,) = read(SAMPLES / "novella.md", PLAIN)
    draw = random.Random(4)

    def respell(text: str) -> str:
        return " ".join(word + "e" if draw.random() < 0.08 else word for word in text.split(" "))

    other = replace(
        novella,
        title="An older printing",
        chapters=tuple(
            Chapter(None, tuple(replace(block, text=respell(block.text)) for block in one.blocks))
            for one in novella.chapters
        ),
    )
    shelf, duplicates = found(novella, work("Between", chapter(1, prose())), other)
    assert [(d.kind, d.first.book, d.first.chapter, d.second.book, d.second.chapter) for d in duplicates] == [
        ("near", 0, None, 2, None)
    ]
    assert duplicates[0].similarity > 0.85
    assert "all of An older printing" in describe(shelf, duplicates[0])


def test_a_story_inside_a_collection_is_found_as_its_chapter() -> None:
    texts = [prose() for _ in range(4)]
    alone = work("Alone", Chapter(None, chapter(1, *texts).blocks))
    collected = work("Collected", *(chapter(n, prose(200), prose(200)) for n in range(1, 9)), chapter(9, *texts))
    _, (duplicate,) = found(alone, collected)
    assert (duplicate.kind, duplicate.second.chapter) == ("exact", 8)


def test_the_same_poem_with_other_punctuation_is_the_same() -> None:
    lines = [" ".join(DRAW.choices(WORDS, k=7)) for _ in range(14)]
    poems = [
        Book("p", "Sonnet", (Chapter(title, (Block("verse", gap.join(lines), Place("p", "line", 1)),)),), kind="poems")
        for title, gap in (("XVIII", ",\n"), ("18", ";\n"))
    ]
    _, (duplicate,) = found(*poems)
    assert (duplicate.kind, duplicate.second.chapter) == ("exact", None)


def test_nothing_is_found_where_nothing_stands_twice() -> None:
    assert found(work("One", *(chapter(n, *(prose() for _ in range(9))) for n in range(9))))[1] == ()
    assert find_duplicates(Shelf(())) == ()
    assert found(work("Empty", Chapter("A", ())))[1] == ()


POEMS = Path(__file__).parents[4] / "shared" / "data" / "poems" / "poems.jsonl"


@pytest.mark.skipif(not POEMS.is_file(), reason="the shared data are not here")
def test_poems_that_two_editions_share() -> None:
    shelf = Shelf(tuple(jsonl.read(POEMS, PLAIN)))
    for duplicate in find_duplicates(shelf):
        assert duplicate.words >= 25
        assert text_at(shelf, duplicate.second)
