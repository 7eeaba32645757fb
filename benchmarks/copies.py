"""How well text that stands twice is found: planted copies, with a share of their words changed, in known novels.

    python benchmarks/copies.py ../shared/data/base_corpus [--books N] [--trials N]

Of the works of a folder of tables it takes N, plants passages of one in another, and asks for duplicates: with no word
changed, 5, 10 and 20 % of them, in another edition's spelling, and as a machine misreads them.  Recall counts words of
what was planted that were found; what is found without having been planted is shown by name, since works do repeat
themselves.  Then all works are searched as they are, and the seconds and the memory told.

Then the finder that keeps held-out text out of the other stages of a run (books.copies.held_out): words found of such
passages, and what of all other works it would drop on account of the few, with the beginning of each for the eye.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from quire.books.book import Block, Book, Chapter, Shelf
from quire.books.copies.duplicates import describe, find_duplicates
from quire.books.copies.held_out import RunIndex, found_in, texts_of, word_numbers
from quire.books.streams.corpus import open_corpus
from quire.recipe.schema import ShelfItem

LENGTHS = (40, 80, 150, 400)
Change = Callable[[str, random.Random], str]


def changed(share: float) -> Change:
    """A share of the words replaced, left out, or put in, a third each."""

    def change(text: str, draw: random.Random) -> str:
        words = text.split()
        out: list[str] = []
        for word in words:
            if draw.random() >= share:
                out.append(word)
                continue
            way = draw.randrange(3)
            out += [[draw.choice(words)], [], [word, draw.choice(words)]][way]
        return " ".join(out)

    return change


def respelled(text: str, draw: random.Random) -> str:
    """As an older edition has it: other endings of one word in twelve, other punctuation, other capitals."""
    words = (f"{word}e" if word.isalpha() and draw.random() < 1 / 12 else word for word in text.split())
    return " ".join(words).replace(",", "").replace(";", ":").replace("our", "or").replace("ai", "oi")


def misread(text: str, draw: random.Random) -> str:
    """As a machine reads a bad page: one character in sixty is another, one space in eighty is missing."""
    out = []
    for char in text:
        if char.isalpha() and draw.random() < 1 / 60:
            char = draw.choice("lIc1oe")
        if char == " " and draw.random() < 1 / 80:
            continue
        out.append(char)
    return "".join(out)


CHANGES: dict[str, Change] = {
    "0 %": changed(0.0),
    "5 %": changed(0.05),
    "10 %": changed(0.10),
    "20 %": changed(0.20),
    "another spelling": respelled,
    "misread": misread,
}


def works_of(folder: Path, most: int) -> list[Book]:
    """The first works of a folder of tables."""
    works = open_corpus(ShelfItem(path=str(folder), stream=True, validation=0, test=0)).works()
    books: list[Book] = []
    for work in works:
        books.append(work.book)
        if len(books) >= most:
            break
    return books


def plant(books: list[Book], change: Change, draw: random.Random) -> tuple[Shelf, int, tuple[str, int]]:
    """The works with a passage of one in another; the number of the one that got it, and where it stands there."""
    giver, taker = draw.sample(range(len(books)), 2)
    size = draw.choice(LENGTHS)
    words = books[giver].text.split()
    begin = draw.randrange(max(1, len(words) - size))
    text = change(" ".join(words[begin : begin + size]), draw)
    chapters = list(books[taker].chapters)
    number = draw.randrange(len(chapters))
    blocks = chapters[number].blocks
    at = draw.randrange(len(blocks) + 1)
    place = blocks[min(at, len(blocks) - 1)].place if blocks else books[giver].chapters[0].blocks[0].place
    chapters[number] = replace(chapters[number], blocks=(*blocks[:at], Block("paragraph", text, place), *blocks[at:]))
    shelf = Shelf(tuple(replace(b, chapters=tuple(chapters)) if n == taker else b for n, b in enumerate(books)))
    return shelf, giver, (text, taker)


def trial(books: list[Book], change: Change, draw: random.Random) -> tuple[int, int, list[str]]:
    """Words planted, words of them found, and what else was found between two works."""
    shelf, giver, (text, taker) = plant(books, change, draw)
    found, other = 0, []
    for duplicate in find_duplicates(shelf):
        pair = {duplicate.first.book, duplicate.second.book}
        if len(pair) == 1:
            continue
        if pair != {giver, taker}:
            other.append(describe(shelf, duplicate))
            continue
        own = duplicate.first if duplicate.first.book == taker else duplicate.second
        chapter: Chapter = shelf.books[taker].chapters[own.chapter or 0]
        begin = chapter.text.find(text)
        inside = chapter.text[max(own.start, begin) : min(own.stop, begin + len(text))] if begin >= 0 else ""
        found += len(inside.split())
        if begin < 0 or own.stop <= begin or own.start >= begin + len(text):
            other.append(describe(shelf, duplicate))
    return len(text.split()), found, other


def left_out(few: list[Book], every: list[Book], trials: int) -> None:
    """What is found of changed passages of `few`, and what of the other works is taken for a copy of them; printed."""
    index = RunIndex(text for book in few for text in texts_of(book))
    for share in (0.0, 0.05, 0.10, 0.20, 0.30):
        draw, words, found = random.Random(7), 0, 0
        for _ in range(trials):
            source, size = draw.choice(few).text.split(), draw.choice(LENGTHS)
            begin = draw.randrange(max(1, len(source) - size))
            planted = word_numbers(changed(share)(" ".join(source[begin : begin + size]), draw))
            words += len(planted)
            found += sum(run.stop - run.start for run in index.find(planted))
        print(
            json.dumps({"held out, words changed": share, "trials": trials, "found": round(found / words, 4)}),
            flush=True,
        )
    others = [book for book in every if book not in few]
    dropped: list[tuple[str, str]] = []
    began = time.perf_counter()
    for book in others:
        texts = texts_of(book)
        dropped += [(book.title, texts[n][:80]) for n, hit in enumerate(found_in(index, texts)) if hit]
    facts = {"other works": len(others), "dropped": len(dropped), "seconds": round(time.perf_counter() - began, 1)}
    print(json.dumps({**facts, "first": dropped[:8]}, ensure_ascii=False), flush=True)


def main() -> None:
    """Plant, search, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--books", type=int, default=8)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--all", action="store_true", help="search all works as well")
    asked = parser.parse_args()
    every = works_of(asked.folder, 10_000 if asked.all else asked.books)
    few = every[: asked.books]
    for name, change in CHANGES.items():
        draw = random.Random(7)
        results = [trial(few, change, draw) for _ in range(asked.trials)]
        planted, found = sum(result[0] for result in results), sum(result[1] for result in results)
        others = sorted({line for result in results for line in result[2]})
        facts = {
            "changed": name,
            "trials": asked.trials,
            "passages_found": sum(result[1] > 0 for result in results),
            "words_planted": planted,
            "recall": round(found / planted, 3),
            "others": others[:5],
        }
        print(json.dumps(facts, ensure_ascii=False), flush=True)
    left_out(few, every, 25 * asked.trials)
    began = time.perf_counter()
    duplicates = find_duplicates(Shelf(tuple(every)))
    print(
        json.dumps(
            {
                "works": len(every),
                "words": sum(book.words for book in every),
                "seconds": round(time.perf_counter() - began, 1),
                "duplicates": len(duplicates),
                "between_works": sum(one.first.book != one.second.book for one in duplicates),
                "megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
            }
        )
    )


if __name__ == "__main__":
    main()
