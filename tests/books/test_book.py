"""Books as records: what one that was read from a copy says of its places."""

from __future__ import annotations

from quire.books.book import Block, Book, Chapter, Dropped, Place, moved


def test_a_book_read_from_a_copy_names_the_file_it_is_a_copy_of() -> None:
    def at(number: int, source: str = "copy.pdf") -> Place:
        return Place(source, "page", number)

    book = Book(
        path="copy.pdf",
        title="The Lock",
        author="",
        language="en",
        kind="prose",
        chapters=(Chapter("I", (Block("paragraph", "The gate stood open.", at(2)),)),),
        dropped=(Dropped("folio", "2", at(2)), Dropped("contents", "I", at(1, "another.pdf"))),
        notes=(Block("paragraph", "Or shut.", at(3)),),
    )
    there = moved(book, "book.pdf")
    assert there.path == "book.pdf"
    assert there.chapters[0].blocks[0].place == at(2, "book.pdf")
    assert there.notes[0].place == at(3, "book.pdf")
    assert [drop.place for drop in there.dropped] == [at(2, "book.pdf"), at(1, "another.pdf")]
    assert there.text == book.text
