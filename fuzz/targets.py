"""What is fuzzed, and what must hold whatever the bytes: a book as books are, or a BookError that says why not."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from fuzz import seeds
from quire.books import kinds, readers
from quire.books.book import Book
from quire.books.limits import Limits, ReadOptions
from quire.books.walls import wire
from quire.errors import BOOK_FAULTS, BookError, RecipeError
from quire.recipe.yaml_text import dump_yaml, parse_yaml

Target = Callable[[bytes], None]

# What the readers' cleaning promises to leave in no text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_OPTIONS = (ReadOptions(), ReadOptions(matter="all"), ReadOptions(format="plays"))
_LIMITS = Limits(text=2**20)


class Broken(AssertionError):
    """Something that must hold does not."""


def target(name: str) -> Target:
    """The function that takes bytes and raises only when something is broken."""
    return {"recipe": _recipe, "wire": _wire, "kinds": _kinds}.get(name) or _reader(name)


def _reader(name: str) -> Target:
    read = readers.load(next(kind for kind in readers.KINDS if kind == name))
    folder = tempfile.TemporaryDirectory(prefix="quire-fuzz-")
    path = Path(folder.name) / f"book.{name if name != 'tei' else 'xml'}"
    wrap = {"epub": seeds.epub, "docx": seeds.docx, "odt": seeds.odt}.get(name)

    def run(data: bytes) -> None:
        # Bytes that are no archive become the main part of a whole one: most mistakes are beyond the checksums.
        whole = wrap(data) if wrap is not None and not data.startswith(b"PK") else data
        if not whole:
            return
        path.write_bytes(whole)
        assert folder is not None  # it is removed when this function is
        try:
            books: list[Book] = read(path, _OPTIONS[len(data) % len(_OPTIONS)])
        except BookError as error:
            _check_refusal(error)
        except (MemoryError, RecursionError):
            pass  # the child that reads has words for these two
        else:
            _check_books(books)

    return run


def _check_refusal(error: BookError) -> None:
    if error.code not in BOOK_FAULTS or "\n" in error.what or not error.what or not error.then:
        raise Broken(f"a refusal without a code, a reason or a next step: {error.what!r} ({error.code})")


def _check_books(books: list[Book]) -> None:
    if not books:
        raise Broken("neither a book nor a reason")
    for book in books:
        texts = [book.title, book.author, book.text, *(note.text for note in book.notes)]
        texts += [chapter.title or "" for chapter in book.chapters]
        texts += [block.speaker for chapter in book.chapters for block in chapter.blocks]
        found = next((match for text in texts if (match := _CONTROL.search(text))), None)
        if found is not None:
            raise Broken(f"{found[0]!r} was kept in {found.string[max(0, found.start() - 20) : found.end() + 20]!r}")
        unpacker = wire.Unpacker(Limits())
        for line in wire.pack_book(book):
            unpacker.take(line)
        if unpacker.books != [book]:
            raise Broken("a book that does not come through the pipe as it was")


def _recipe(data: bytes) -> None:
    try:
        parsed = parse_yaml(data.decode("utf-8", "surrogateescape"), "x").data
    except RecipeError as error:
        if "\n" in error.what or not error.then:
            raise Broken(f"a refusal in several lines or without a next step: {error.what!r}") from None
        return
    # Aliases were written out: what is read must not grow when it is written.
    if len(dump_yaml(parsed)) > 100 * len(data) + 1_000_000:
        raise Broken("a few bytes of YAML that become many")


def _wire(data: bytes) -> None:
    unpacker = wire.Unpacker(_LIMITS)
    try:
        for line in data.split(b"\n"):
            unpacker.take(line)
    except (ValueError, wire.TooMuch):
        pass
    if any(_CONTROL.sub("", text) != text for book in unpacker.books for text in (book.title, book.author)):
        raise Broken("a control character in a title")


def _kinds(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=(".txt", ".epub", ".xml", "")[len(data) % 4]) as file:
        file.write(data)
        file.flush()
        try:
            kinds.find_kind(Path(file.name))
        except BookError as error:
            _check_refusal(error)
