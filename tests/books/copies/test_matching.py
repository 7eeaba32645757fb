"""Which runs of words stand twice: planted copies are found, whatever was done to them, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.books.book import Block, Book, Chapter, Place, Shelf
from quire.books.copies.matching import Match, find_matches, read_words
from quire.books.copies.numbers import SHORTEST
from quire.books.limits import PLAIN
from quire.books.plain.markdown import read

SAMPLES = Path(str(resources.files("quire"))) / "assets" / "samples"
SYLLABLES = ["ba", "ren", "to", "li", "mar", "so", "ke", "dun", "vi", "al", "pe", "quo", "sti", "ra", "hem", "no"]
SMALL = ["the", "of", "and", "to", "a", "in", "that", "he", "was", "it", "his", "her", "with", "as", "had", "on"]
Spoil = Callable[[list[str], random.Random], list[str]]


def vocabulary(draw: random.Random, size: int = 3000) -> list[str]:
    return ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(size)]


def paragraph(draw: random.Random, words: list[str], length: int) -> list[str]:
    """Words as in prose: nearly half of them small ones that come again and again."""
    return [
        draw.choice(SMALL) if draw.random() < 0.45 else words[int(draw.paretovariate(0.6)) % len(words)]
        for _ in range(length)
    ]


def book(*chapters: list[str], kind: str = "paragraph") -> Book:
    made = tuple(
        Chapter(f"Chapter {n}", tuple(Block(kind, text, Place("b", "row", i)) for i, text in enumerate(texts, 1)))  # type: ignore[arg-type]
        for n, texts in enumerate(chapters, 1)
    )
    return Book("b", "B", made)


def matches(*books: Book) -> list[Match]:
    shelf = Shelf(books)
    return find_matches(shelf, read_words(shelf))


def edit(share: float) -> Spoil:
    """Words changed, left out and put in, each in its turn."""

    def spoil(words: list[str], draw: random.Random) -> list[str]:
        out: list[str] = []
        for word in words:
            if draw.random() >= share:
                out.append(word)
                continue
            kind = draw.randrange(3)
            out += [[draw.choice(SYLLABLES) + "x"], [], [word, draw.choice(SMALL)]][kind]
        return out

    return spoil


def scan(share: float) -> Spoil:
    """Letters misread, as by a machine that reads pictures of pages."""

    def spoil(words: list[str], draw: random.Random) -> list[str]:
        return ["".join("c" if draw.random() < share else char for char in word) for word in words]

    return spoil


def punctuate(words: list[str], draw: random.Random) -> list[str]:
    return [(word.capitalize() if draw.random() < 0.3 else word) + draw.choice(["", ",", ";", " –"]) for word in words]


@pytest.mark.parametrize(
    ("spoil", "least"),
    [
        (edit(0.0), 1.0),
        (punctuate, 1.0),
        (edit(0.05), 1.0),
        (edit(0.1), 0.99),
        (edit(0.2), 0.95),
        (edit(0.3), 0.8),
        (scan(0.02), 0.99),
        (scan(0.05), 0.9),
    ],
    ids=["same", "punctuation", "5%", "10%", "20%", "30%", "scan 2%", "scan 5%"],
)
def test_planted_copies_are_found_and_nothing_else(spoil: Spoil, least: float) -> None:
    draw = random.Random(11)
    words = vocabulary(draw)
    first = [paragraph(draw, words, draw.randint(40, 160)) for _ in range(300)]
    second = [paragraph(draw, words, draw.randint(40, 160)) for _ in range(300)]
    planted = {at: draw.randrange(300) for at in range(0, 300, 3)}
    for at, source in planted.items():
        second[at] = spoil(first[source], draw)
    shelf = Shelf((book([" ".join(p) for p in first]), book([" ".join(p) for p in second])))
    stream = read_words(shelf)
    found: dict[int, int] = {}
    wrong = 0
    for match in find_matches(shelf, stream):
        middle = stream.blocks[stream.block_at(sum(match.first) // 2)]
        copy = stream.blocks[stream.block_at(sum(match.second) // 2)]
        if copy[0] == 1 and middle[0] == 0 and planted.get(copy[2]) == middle[2]:
            found[copy[2]] = middle[2]
        elif copy[0] != 1 or middle[0] != 1:  # two copies of one paragraph in the second book agree rightly
            wrong += 1
    once = {at: source for at, source in planted.items() if list(planted.values()).count(source) == 1}
    recall = len(found.keys() & once.keys()) / len(once)
    assert recall >= least
    assert wrong == 0


def test_two_works_of_the_package_share_nothing() -> None:
    books = [*(one for name in ("novella", "tale") for one in read(SAMPLES / f"{name}.md", PLAIN))]
    assert matches(*books) == []


def test_short_lines_and_refrains_are_no_duplicates() -> None:
    line = "And so we came again to the mill by the water and nobody spoke a word"
    assert len(line.split()) < SHORTEST
    draw = random.Random(3)
    words = vocabulary(draw)
    texts = [" ".join(paragraph(draw, words, 60)) for _ in range(6)]
    assert matches(book([t for text in texts for t in (text, line)])) == []
    refrain = "\n".join(" ".join(paragraph(draw, words, 8)) for _ in range(4))
    poem = book([text if n % 2 else refrain for n, text in enumerate(texts)], kind="verse")
    assert matches(poem) == []
    assert len(matches(poem, book([refrain], kind="verse"))) == 1


def test_a_text_does_not_match_itself_word_by_word() -> None:
    assert matches(book(["ha " * 24])) == []
    for text in ("ha " * 400, "ha he ho hi " * 20, "now and then or never at all if you will " * 4):
        assert all(match.first[1] <= match.second[0] for match in matches(book([text])))


def test_no_match_goes_across_the_end_of_a_work() -> None:
    draw = random.Random(5)
    words = vocabulary(draw)
    one, two = (" ".join(paragraph(draw, words, 60)) for _ in range(2))
    found = matches(book([one]), book([two]), book([one, two]))
    assert [(m.first, m.second, m.similarity) for m in found] == [
        ((0, 60), (120, 180), 1.0),
        ((60, 120), (180, 240), 1.0),
    ]


def test_what_comes_again_a_thousand_times_is_found_each_time_and_quickly() -> None:
    draw = random.Random(6)
    notice = " ".join(paragraph(draw, vocabulary(draw), 40))
    found = matches(*(book([notice]) for _ in range(1000)))
    assert len(found) == 999
    assert {match.similarity for match in found} == {1.0}


@settings(max_examples=40)
@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=60).map(" ".join), max_size=6))
def test_every_match_is_long_enough_and_lies_in_the_text(texts: list[str]) -> None:
    shelf = Shelf(tuple(book([text]) for text in texts))
    stream = read_words(shelf)
    for match in find_matches(shelf, stream):
        assert 0 <= match.first[0] < match.first[1] <= match.second[1] <= len(stream.words)
        assert min(b - a for a, b in (match.first, match.second)) >= SHORTEST
        for i, j, length in match.pieces:
            assert stream.words[i : i + length] == stream.words[j : j + length]
