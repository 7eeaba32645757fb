from __future__ import annotations

import random

from corpora import other_edition, prose, words_of
from quire.books.book import Block, Book, Chapter, Passage, Place
from quire.books.copies.held_out import RunIndex
from quire.books.foreign import leave_out, texts_held, whole_work

PLACE = Place("b.txt", "line", 1)
DRAW, WORDS = random.Random(4), words_of(4)


def paragraphs(count: int) -> list[str]:
    return [prose(DRAW, WORDS, 50) for _ in range(count)]


def work(*chapters: list[str]) -> Book:
    made = (
        Chapter(f"Chapter {n}", tuple(Block("paragraph", t, PLACE) for t in texts))
        for n, texts in enumerate(chapters, 1)
    )
    return Book("b.txt", "B", tuple(made))


def talk(number: int, question: str, answer: str) -> Book:
    blocks = (Block("speech", question, PLACE, "user"), Block("speech", answer, PLACE, "character"))
    return Book(f"{number}.jsonl", str(number), (Chapter(None, blocks),), kind="conversations")


def split_words(passages: list[Passage]) -> dict[str, int]:
    found: dict[str, int] = {}
    for p in passages:
        found[p.split] = found.get(p.split, 0) + len(p.text.split())
    return found


def test_a_work_is_its_chapters_and_ends_with_the_last() -> None:
    book = work(paragraphs(2), paragraphs(3))
    passages = whole_work(book, 7, "train")
    assert [p.text for p in passages] == [chapter.text for chapter in book.chapters]
    assert [p.ends_work for p in passages] == [False, True]
    assert {p.book for p in passages} == {7}


def test_paragraphs_that_are_held_out_elsewhere_are_left_and_the_rest_is_as_it_was() -> None:
    own, foreign = paragraphs(6), paragraphs(3)
    book = work([own[0], foreign[0], own[1]], [own[2], foreign[1], foreign[2]], own[3:])
    index = RunIndex([other_edition("\n\n".join(foreign))])
    whole = whole_work(book, 3, "train")
    passages = leave_out(book, whole, index)
    left = [p.text for p in passages if p.split == "left"]
    assert left == [foreign[0], "\n\n".join(foreign[1:])]
    assert sum(split_words(passages).values()) == book.words
    for p in passages:
        assert book.chapters[p.chapter].text[p.start : p.stop] == p.text
        assert p.book == 3
    assert passages[0].text == f"Chapter 1\n\n{own[0]}", "a heading goes with what follows it"
    assert [p.ends_work for p in passages] == [False] * (len(passages) - 1) + [True]


def test_a_work_without_foreign_text_is_not_touched_and_held_out_passages_never_are() -> None:
    book = work(paragraphs(3), paragraphs(2))
    whole = whole_work(book, 0, "train")
    assert leave_out(book, whole, RunIndex(paragraphs(40))) == whole
    assert leave_out(book, whole, RunIndex([])) == whole
    held = whole_work(book, 0, "test")
    assert leave_out(book, held, RunIndex([book.text])) == held


def test_of_conversations_only_the_answers_are_compared() -> None:
    question, answers = prose(DRAW, WORDS, 60), paragraphs(2)
    held, other, copy = (talk(n, question, answers[n % 2]) for n in range(3))
    index = RunIndex(texts_held(whole_work(held, 0, "test")))
    assert {p.split for p in leave_out(other, whole_work(other, 1, "train"), index)} == {"train"}
    (left,) = leave_out(copy, whole_work(copy, 2, "train"), index)
    assert left.split == "left"
    assert left.turns
