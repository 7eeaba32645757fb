from __future__ import annotations

from dataclasses import replace

import chats
from quire.books.book import Block, Book, Chapter, Passage, Place, Shelf, Split
from quire.judging.held_out import held_out
from quire.prompts.conversation import shown

HERE = Place("book.txt", "line", 1)


def book(title: str, *chapters: str) -> Book:
    made = tuple(Chapter(name or None, (Block("paragraph", "text", HERE),)) for name in chapters)
    return Book("book.txt", title, made)


def passage(text: str, number: int, chapter: int, split: Split) -> Passage:
    return Passage(text, number, chapter, 0, len(text), split)


def test_test_text_of_a_novel_is_named_by_chapters() -> None:
    shelf = Shelf((book("The Castle", "Arrival", "", "The\nFair"),))
    passages = [
        passage("a", 0, 0, "train"),
        passage("b", 0, 0, "test"),
        passage("c", 0, 0, "test"),
        passage("d", 0, 0, "train"),
        passage("e", 0, 0, "test"),
        passage("f", 0, 1, "test"),
        passage("g", 0, 2, "test"),
    ]
    found = held_out(shelf, passages)
    assert found.texts == ("b\n\nc", "e", "f", "g")
    assert found.units == ("Arrival", "Arrival", "Chapter 2", "The Fair")
    assert found.kind == "chapters"


def test_eight_works_are_named_as_works_each_with_a_name_of_its_own() -> None:
    shelf = Shelf(tuple(book("Sonnet" if number < 2 else f"Ode {number}", "") for number in range(9)))
    passages = [passage(f"poem {number}", number, 0, "test" if number < 8 else "train") for number in range(9)]
    found = held_out(shelf, passages)
    assert found.kind == "works"
    assert found.units[:3] == ("Sonnet", "Sonnet (2)", "Ode 2")
    assert len(set(found.units)) == 8


def test_chapters_of_several_novels_carry_their_novels_title() -> None:
    shelf = Shelf((book("One", "I", "II"), book("Two", "I", "II")))
    found = held_out(shelf, [passage("x", 0, 1, "test"), passage("y", 1, 0, "test")])
    assert found.units == ("One, II", "Two, I")


def test_nothing_held_out_gives_nothing() -> None:
    assert held_out(Shelf((book("One", "I"),)), [passage("x", 0, 0, "train")]).texts == ()


def test_conversations_are_held_out_as_they_are_shown() -> None:
    said = replace(chats.passage_of(chats.WITHOUT_PERSONA), split="test")
    found = held_out(Shelf((book("Talk", ""),)), [said])
    assert found.texts == (shown(chats.WITHOUT_PERSONA),)
