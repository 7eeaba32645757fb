"""Books as JSON: what is packed comes back."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quire.books.book import Block, Book, Chapter, Dropped, Place
from quire.books.limits import Limits
from quire.books.walls.wire import TooMuch, Unpacker, pack_book, pack_fault, pack_kind

# Text as the readers' cleaning leaves it: without controls, separators of lines and marks of direction.
texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cf"], include_characters="\t\n\u200d"), max_size=20
)
places = st.builds(Place, texts, texts, st.integers(0, 10**9), texts)
kinds = ["heading", "paragraph", "verse", "break", "speech", "direction"]
blocks = st.builds(Block, st.sampled_from(kinds), texts, places, texts)


def several(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, max_size=3).map(tuple)


books = st.builds(
    Book,
    path=texts,
    title=texts,
    author=texts,
    language=texts,
    kind=st.sampled_from(["prose", "poems", "plays"]),
    split=st.sampled_from([None, "train", "validation", "test"]),
    chapters=several(
        st.builds(Chapter, st.none() | texts, several(blocks), st.sampled_from(["front", "body", "back"]))
    ),
    dropped=several(st.builds(Dropped, texts, texts, places)),
    notes=several(blocks),
    warnings=several(texts),
    columns=several(st.tuples(texts, texts)),
)


def unpacked(lines: Iterable[bytes], limits: Limits | None = None) -> Unpacker:
    unpacker = Unpacker(limits or Limits())
    for line in lines:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        unpacker.take(line)
    return unpacker


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of the wire
@given(st.lists(books, min_size=1, max_size=3))
def test_books_come_back_as_they_were(several: list[Book]) -> None:
    unpacker = unpacked([pack_kind("txt"), *(line for book in several for line in pack_book(book))])
    assert unpacker.finished()
    assert unpacker.kind == "txt"
    assert unpacker.books == several


def test_what_was_dropped_comes_back_with_its_controls() -> None:
    place = Place("a.txt", "line", 1)
    book = Book("a.txt", "A", (), dropped=(Dropped("litter", "\x1b[31m\ud800\u202e", place),))
    assert unpacked(pack_book(book)).books == [book]


def test_controls_in_text_are_removed_and_counted() -> None:
    block = Block("speech", "A\n\x07b\u2028", Place("a.txt", "line", 1), "A\x00")
    book = Book("a.txt", "\x1bA", (Chapter("C\u202e", (block,)),))
    (found,) = unpacked(pack_book(book)).books
    assert (found.title, found.chapters[0].title) == ("A", "C")
    assert (found.chapters[0].blocks[0].text, found.chapters[0].blocks[0].speaker) == ("A\nb", "A")
    assert found.warnings == ("5 more control characters removed",)


def test_why_there_is_no_book_comes_back() -> None:
    unpacker = unpacked([pack_kind("pdf"), pack_fault("a.pdf is damaged", "get it again", "damaged")])
    assert unpacker.finished()
    assert unpacker.fault == ("a.pdf is damaged", "get it again", "damaged")


def test_half_a_book_is_none() -> None:
    lines = list(pack_book(Book("a.txt", "A", (Chapter("One", (Block("verse", "x", Place("a.txt", "line", 1)),)),))))
    for count in range(len(lines)):
        assert not unpacked(lines[:count]).finished()
    assert unpacked(lines).finished()


def test_more_than_a_work_may_have() -> None:
    place = Place("a.txt", "line", 1)
    book = Book("a.txt", "A", (Chapter(None, (Block("paragraph", "x" * 60, place),) * 2),))
    unpacked(pack_book(book), Limits(text=120))
    with pytest.raises(TooMuch, match="text"):
        unpacked(pack_book(book), Limits(text=119))
    with pytest.raises(TooMuch, match="text"):  # each work is small, all together are not
        unpacked([*pack_book(book), *pack_book(book)], Limits(text=120, file=200))


@given(st.lists(st.binary(max_size=60) | st.sampled_from(list(pack_book(Book("a", "b", ()))) + [pack_kind("txt")])))
def test_whoever_speaks_nonsense_is_told_so_and_nothing_else_happens(lines: list[bytes]) -> None:
    unpacker = Unpacker(Limits())
    for line in lines:
        try:
            unpacker.take(line)
        except ValueError:
            break
    assert all(isinstance(book, Book) for book in unpacker.books)


@given(
    st.sampled_from(["book", "chapter", "blocks", "notes", "dropped", "end", "fault", "kind", "x"]),
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=3), st.lists, max_leaves=8),
)
def test_lines_of_the_right_name_with_the_wrong_content(name: str, content: object) -> None:
    unpacker = Unpacker(Limits())
    unpacker.take(next(pack_book(Book("a", "b", ()))))
    try:
        unpacker.take(json.dumps([name, *(content if isinstance(content, list) else [content])]).encode())
    except ValueError:
        return
    assert name in ("chapter", "blocks", "notes", "dropped", "end", "fault", "kind")
