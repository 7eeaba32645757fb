"""Books as JSON: what is packed comes back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.books.book import Block, Book, Chapter, Dropped, Place
from quire.books.wire import pack_book, unpack_book

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
places = st.builds(Place, texts, texts, st.integers(0, 10**9), texts)
blocks = st.builds(Block, st.sampled_from(["heading", "paragraph", "verse", "break"]), texts, places)


def several(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, max_size=3).map(tuple)


books = st.builds(
    Book,
    path=texts,
    title=texts,
    author=texts,
    language=texts,
    kind=st.sampled_from(["prose", "poems"]),
    split=st.sampled_from([None, "train", "validation", "test"]),
    chapters=several(st.builds(Chapter, st.none() | texts, several(blocks))),
    dropped=several(st.builds(Dropped, texts, texts, places)),
    notes=several(blocks),
    warnings=several(texts),
    columns=several(st.tuples(texts, texts)),
)


@given(books)
def test_a_book_comes_back_as_it_was(book: Book) -> None:
    assert unpack_book(json.loads(json.dumps(pack_book(book)))) == book


def test_what_is_no_book_is_not_taken_for_one() -> None:
    packed = pack_book(Book("a.txt", "A", ()))
    with pytest.raises(KeyError):
        unpack_book({key: value for key, value in packed.items() if key != "chapters"})
    with pytest.raises(ValueError):
        unpack_book(packed | {"notes": [["paragraph", "text"]]})
