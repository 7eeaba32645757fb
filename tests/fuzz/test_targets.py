"""What must hold whatever the bytes: that its breaking is noticed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fuzz.mutate import mutate
from fuzz.seeds import FAMILY, WORDS, seeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import targets
from quire.books import readers
from quire.books.book import Block, Book, Chapter, Place
from quire.books.limits import ReadOptions
from quire.errors import BookError


@pytest.mark.parametrize("name", FAMILY)
def test_seeds_break_nothing(name: str) -> None:
    run = targets.target(name)
    for data in (*seeds()[name], b"", b"\x00", b"PK\x03\x04"):
        run(data)


QUICKLY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", FAMILY)
def test_whatever_the_bytes_it_is_a_book_or_a_reason(name: str) -> None:
    run, begin = targets.target(name), seeds()[name]

    @QUICKLY
    @given(st.integers(0, 2**32))
    def changed(seed: int) -> None:
        chance = random.Random(seed)
        run(mutate(chance, chance.choice(begin), begin, WORDS[FAMILY[name]]))

    @QUICKLY
    @given(st.integers(0, len(begin[0])))
    def cut(length: int) -> None:
        run(begin[0][:length])

    @QUICKLY
    @given(st.binary(max_size=300))
    def strange(data: bytes) -> None:
        run(data)

    changed()
    cut()
    strange()


def saying(text: str) -> list[Book]:
    return [Book("a.txt", "A", (Chapter(None, (Block("paragraph", text, Place("a.txt", "line", 1)),)),))]


@pytest.mark.parametrize(
    ("books", "what"),
    [([], "neither a book nor a reason"), (saying("a\x1bb"), "was kept"), (saying("a\u202eb"), "was kept")],
)
def test_a_reader_that_breaks_a_promise_is_noticed(
    monkeypatch: pytest.MonkeyPatch, books: list[Book], what: str
) -> None:
    def read(path: Path, options: ReadOptions) -> list[Book]:
        return books

    monkeypatch.setattr(readers, "load", lambda kind: read)
    with pytest.raises(targets.Broken, match=what):
        targets.target("txt")(b"words")


def test_a_refusal_without_a_next_step_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path, options: ReadOptions) -> list[Book]:
        raise BookError("a.txt is odd")

    monkeypatch.setattr(readers, "load", lambda kind: read)
    with pytest.raises(targets.Broken, match="without a code, a reason or a next step"):
        targets.target("txt")(b"words")
