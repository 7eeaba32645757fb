"""What a book is once it has been read: chapters of blocks, each with its place in the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from quire.errors import BookFault

BlockKind = Literal["heading", "paragraph", "verse", "break", "speech", "direction"]
BookKind = Literal["prose", "poems", "plays", "conversations", "completions"]
Role = Literal["system", "user", "character"]
Matter = Literal["front", "body", "back"]
Split = Literal["train", "validation", "test", "left"]
"""`left` is text that is neither learned nor measured, for it stands in what is held out elsewhere."""

BLOCK_GAP = "\n\n"
CHAPTER_GAP = "\n\n\n"
"""Between chapters in training text: a voice learns where one ends, and writes the break."""
SAID: tuple[BookKind, ...] = ("conversations", "completions")
"""Works that are never cut: turns with a role each, of which the character's alone are learned."""


# Places and blocks are never changed, though nothing forbids it: a frozen one takes seven times as long to make, and a
# book has ten thousand of them.
@dataclass(slots=True, unsafe_hash=True)
class Place:
    """Where a block stands in its source: what kind of place (line, page, file in an archive, row), and which."""

    source: str
    unit: str
    number: int
    inside: str = ""

    def __str__(self) -> str:
        inner = f" of {self.inside}" if self.inside else ""
        return f"{self.unit} {self.number}{inner}"


@dataclass(slots=True, unsafe_hash=True)
class Block:
    """A paragraph, a heading, a stanza (its lines apart by single line ends), a scene break (`* * *`), a speech of a
    play or one of its stage directions.

    `text` is what is printed: a speech begins with a line that names its speaker, and `speaker` says who that is.  A
    turn of a conversation is a speech whose `speaker` is its role, and its `text` the bare words.
    """

    kind: BlockKind
    text: str
    place: Place
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Chapter:
    """`title` is None where the source has none; the heading is shown by `text` but is not one of `blocks`.

    `matter` is `front` for what stands before the story (dedication, preface), `back` for what follows it (afterword,
    appendix).
    """

    title: str | None
    blocks: tuple[Block, ...]
    matter: Matter = "body"

    @property
    def heading(self) -> str:
        return self.title or ""

    @property
    def text(self) -> str:
        """The heading and the blocks, one blank line between them."""
        parts = ([self.title] if self.title else []) + [block.text for block in self.blocks]
        return BLOCK_GAP.join(parts)

    @property
    def words(self) -> int:
        return count_words(self.text)


@dataclass(frozen=True, slots=True)
class Dropped:
    """Text that was left out, with the reason in a few plain words (`running head`, `Gutenberg licence`, …)."""

    reason: str
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Book:
    """One work.  `split` is set where the data set says itself which part a work belongs to."""

    path: str
    title: str
    chapters: tuple[Chapter, ...]
    author: str = ""
    language: str = ""
    kind: BookKind = "prose"
    split: Split | None = None
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[Block, ...] = ()
    warnings: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The whole clean text, every block apart by one blank line."""
        return BLOCK_GAP.join(chapter.text for chapter in self.chapters)

    @property
    def words(self) -> int:
        return sum(chapter.words for chapter in self.chapters)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file among others that could not be read, and why: in words, and as a word for programs."""

    path: str
    reason: str
    code: BookFault = "unreadable"


@dataclass(frozen=True, slots=True)
class Shelf:
    """All the works that a source names, in order.  `items` are the sources' numbers in the recipe, one a book."""

    books: tuple[Book, ...]
    unreadable: tuple[Unreadable, ...] = ()
    sources: tuple[str, ...] = field(default=())
    items: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[Book]:
        return iter(self.books)

    def __len__(self) -> int:
        return len(self.books)

    @property
    def title(self) -> str:
        """The title of a single work, otherwise how many there are."""
        return self.books[0].title if len(self.books) == 1 else f"{len(self.books)} works"

    @property
    def text(self) -> str:
        return BLOCK_GAP.join(book.text for book in self.books)

    @property
    def words(self) -> int:
        return sum(book.words for book in self.books)


@dataclass(frozen=True, slots=True)
class Said:
    """A turn of a conversation: whose it is, and its characters `start` … `stop` of the passage that holds them all."""

    role: Role
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of text of one chapter that is trained on or held out as a whole.

    `book` and `chapter` index the shelf; `start` and `stop` are character offsets into `Chapter.text`; `part` counts
    from 0.  `ends_work` is true for the passage that holds the end of the book.  `turns` are those of a conversation or
    of a completion (`kind` says which), which a passage holds whole; of other works there are none.
    """

    text: str
    book: int
    chapter: int
    start: int
    stop: int
    split: Split
    part: int = 0
    ends_work: bool = False
    turns: tuple[Said, ...] = ()
    kind: BookKind = "prose"


def turns_of(chapter: Chapter) -> tuple[Said, ...]:
    """Whose words stand where in the text of a conversation."""
    turns = []
    at = 0
    for block in chapter.blocks:
        role: Role = "character" if block.speaker == "character" else "system" if block.speaker == "system" else "user"
        turns.append(Said(role, at, at + len(block.text)))
        at += len(block.text) + len(BLOCK_GAP)
    return tuple(turns)


def count_words(text: str) -> int:
    """Words as white space separates them."""
    return len(text.split())


def passages_of(passages: Sequence[Passage], split: Split, part: int | None = None) -> list[Passage]:
    """Those of one split (and one part), in reading order."""
    return [p for p in passages if p.split == split and (part is None or p.part == part)]


def moved(book: Book, path: str) -> Book:
    """A book that was read from a copy, as the one of `path`: its places name that file too."""

    def at(place: Place) -> Place:
        return replace(place, source=path) if place.source == book.path else place

    def there(blocks: Sequence[Block]) -> tuple[Block, ...]:
        return tuple(replace(block, place=at(block.place)) for block in blocks)

    return replace(
        book,
        path=path,
        chapters=tuple(replace(chapter, blocks=there(chapter.blocks)) for chapter in book.chapters),
        notes=there(book.notes),
        dropped=tuple(replace(drop, place=at(drop.place)) for drop in book.dropped),
    )
