"""The samples are what they are shown for: a novella, a tale told in dashes, poems of several ages."""

from __future__ import annotations

from pathlib import Path

import pytest

import quire
from quire.books.book import Book, Shelf

DASHES = ("—", "–")


@pytest.fixture(scope="module")
def novella() -> Book:
    return quire.read("sample:novella").books[0]


@pytest.fixture(scope="module")
def tale() -> Book:
    return quire.read("sample:tale").books[0]


@pytest.fixture(scope="module")
def poems() -> Shelf:
    return quire.read("sample:poems")


def of_age(poems: Shelf, age: str, kind: str) -> list[Book]:
    wanted = {("age", age), ("type", kind)}
    return [poem for poem in poems if wanted <= set(poem.columns)]


def lines_of(poem: Book) -> set[str]:
    """The verse lines of a poem as words alone, so that two that differ in a comma are the same."""
    lines = (line for chapter in poem.chapters for block in chapter.blocks for line in block.text.split("\n"))
    return {"".join(char for char in line.lower() if char.isalnum() or char == " ").strip() for line in lines} - {""}


def paragraphs(book: Book) -> list[str]:
    return [block.text for chapter in book.chapters for block in chapter.blocks if block.kind == "paragraph"]


def test_the_novella_is_long_enough_to_learn_from_and_to_hold_chapters_back(novella: Book) -> None:
    assert novella.language == "en"
    assert novella.words >= 12_000
    assert len(novella.chapters) >= 8
    assert all(chapter.title and chapter.words >= 300 for chapter in novella.chapters)


def test_people_talk_in_the_novella_but_not_only(novella: Book) -> None:
    speech = sum("“" in text for text in paragraphs(novella)) / len(paragraphs(novella))
    assert 0.25 <= speech <= 0.75


def test_the_tale_is_french_and_its_people_speak_behind_dashes(tale: Book) -> None:
    assert tale.language == "fr"
    assert tale.words >= 4_000
    spoken = [text for text in paragraphs(tale) if text.startswith(DASHES)]
    assert len(spoken) >= 0.2 * len(paragraphs(tale))


def test_there_are_poems_to_choose_and_others_to_leave_out(poems: Shelf) -> None:
    chosen = of_age(poems, "Renaissance", "Love")
    assert len(chosen) >= 60
    assert len(poems) - len(chosen) >= 20
    assert all(block.kind == "verse" for poem in poems for chapter in poem.chapters for block in chapter.blocks)


def test_no_line_stands_in_two_poems(poems: Shelf) -> None:
    """A line in a training poem and in a held-out one would make the held-out loss too good."""
    owners: dict[str, str] = {}
    shared = []
    for poem in poems:
        for line in lines_of(poem):
            other = owners.setdefault(line, poem.title)
            if other is not poem.title:
                shared.append(f"{line}: {other}, {poem.title}")
    assert shared == []


def test_no_paragraph_of_the_prose_stands_twice(novella: Book, tale: Book) -> None:
    for book in (novella, tale):
        long = [text for text in paragraphs(book) if len(text.split()) >= 12]
        assert len(long) == len(set(long))


@pytest.mark.parametrize("name", ["novella", "tale"])
def test_a_sample_has_the_licence_of_the_project(name: str) -> None:
    text = (Path(quire.__file__).parent / "assets" / "samples" / f"{name}.md").read_text(encoding="utf-8")
    assert "licence: MIT\n" in text.split("---")[1]
