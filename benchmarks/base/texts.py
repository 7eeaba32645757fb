"""The works that a base has learned from and those held out of it, kept as plain text beside one table of facts.

Reading and cutting a corpus takes minutes, so it is done once for all measurements: in a folder there is a file of text
for every work and split, and `works.json` with what is known of each.  The text is what Quire's own readers made of the
source, as the base was given it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from quire.books.book import CHAPTER_GAP, SAID, Book, Passage, Shelf, Split
from quire.books.foreign import whole_work
from quire.books.reading import read_path, read_shelf
from quire.errors import BookError, RunError
from quire.recipe.resolved import changed_sources, load_resolved
from quire.recipe.schema import ShelfItem
from quire.run.atomic import hash_file
from quire.run.folder import RunFolder
from quire.tokens.stretches import join_passages, text_of
from quire.verbs.texts.opening import open_texts
from quire.verbs.texts.prepare import PREPARED

INDEX = "works.json"
_OWN = re.compile(r"\d{4}-(train|validation|test|left)\.txt")
LANGUAGES = ("en", "fr")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Work:
    """A work, or what of it is in one split.  `year` is that of its first publication, None for collections; `bytes`
    are those of its text in UTF-8, which stands in `file`."""

    id: str
    title: str
    author: str
    language: str
    year: int | None
    licence: str
    kind: str
    split: Split
    bytes: int
    file: str

    @property
    def name(self) -> str:
        """Author, title and year for tables."""
        year = f" ({self.year})" if self.year is not None else ""
        return f"{self.author + ', ' if self.author else ''}{self.title}{year}"

    @property
    def source(self) -> str:
        """The collection that a work is from: what stands before the colon in its id."""
        return self.id.partition(":")[0] if ":" in self.id else ""


@dataclass(frozen=True)
class Texts:
    """All works of a folder; `origin` says in words what they were read from, `mark` tells a run from another."""

    folder: Path
    origin: str
    works: tuple[Work, ...]
    mark: str = ""

    def of(self, *splits: Split, language: str | None = None) -> list[Work]:
        """The books of these splits, in order; conversations are no books."""
        found = (work for work in self.works if work.split in splits and work.kind not in SAID)
        return [work for work in found if language in (None, work.language)]

    def text(self, work: Work) -> str:
        return (self.folder / work.file).read_text(encoding="utf-8")

    def data(self, work: Work) -> bytes:
        return (self.folder / work.file).read_bytes()


def load_texts(folder: Path) -> Texts:
    """What `keep` has left in a folder.  FileNotFoundError where nothing is."""
    told = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    return Texts(folder, told["origin"], tuple(Work(**work) for work in told["works"]), told["mark"])


def mark_of(run: Path) -> str:
    """What tells a run's texts from another's: its recipe, which holds the hashes of all that it has read."""
    return hash_file(RunFolder.open(run).recipe_file)


def of_run(run: Path, folder: Path, tell: Tell) -> Texts:
    """The texts of all stages of a run, cut as it cut them.  RunError where the sources are not what they were."""
    found = RunFolder.open(run)
    resolved = load_resolved(found.recipe_file)
    tell(f"reading and cutting what {found.name} has read: some minutes for 200 MB")
    library = open_texts(resolved.recipe, found.path / PREPARED, None, tell).library
    if library.streams:
        raise RunError(f"{found.name} streams its text, of which only samples are kept", "name a run without streams")
    pieces: list[tuple[Book, list[Passage]]] = []
    hashes: dict[str, str] = {}
    seen: set[tuple[str, str, str, object]] = set()
    for number in range(len(resolved.recipe.curriculum)):
        material = library.material(number)
        hashes |= material.hashes()
        # Stages may share sources, and every one of them gets the same cut.
        before = frozenset(seen)
        for index, passages in groupby(material.passages, key=lambda passage: passage.book):
            book = material.shelf.books[index]
            mark = (book.path, book.title, book.author, book.columns)
            if mark not in before:
                pieces.append((book, list(passages)))
            seen.add(mark)
    changed = changed_sources({name: resolved.sources[name] for name in hashes if name in resolved.sources}, hashes)
    if changed:
        raise RunError(f"{changed[0]} is not what {run} was trained on", "put the file back as it was", "resume")
    return keep(folder, f"the run {found.name}", pieces, tell, mark_of(run))


def of_corpus(corpus: Path, held_out: Sequence[str], folder: Path, tell: Tell) -> Texts:
    """The works of a corpus, those whose ids are in `held_out` as test text: for a base without its run."""
    tell(f"reading {corpus}")
    shelf = read_shelf([ShelfItem(path=str(corpus), format="prose", text="text")])
    ids = {dict(book.columns).get("id", "") for book in shelf}
    unknown = sorted(set(held_out) - ids)
    if unknown:
        raise BookError(f"{corpus} holds no work {unknown[0]}", "name works by their ids")
    return keep(folder, f"{corpus.name}, {len(held_out)} works held out by name", _cut(shelf, set(held_out)), tell)


def _cut(shelf: Shelf, held_out: set[str]) -> Iterator[tuple[Book, list[Passage]]]:
    for number, book in enumerate(shelf):
        split: Split = "test" if dict(book.columns).get("id") in held_out else "train"
        yield book, whole_work(book, number, split)


def keep(
    folder: Path, origin: str, pieces: Iterable[tuple[Book, Sequence[Passage]]], tell: Tell, mark: str = ""
) -> Texts:
    """Write the text of each work and split, then the table."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():  # somebody's own files may lie there too
        if old.name == INDEX or _OWN.fullmatch(old.name):
            old.unlink()
    works: list[Work] = []
    for number, (book, passages) in enumerate(pieces):
        for split in dict.fromkeys(passage.split for passage in passages):
            text = CHAPTER_GAP.join(text_of(group) for group in join_passages(passages, split))
            file = f"{number:04d}-{split}.txt"
            (folder / file).write_text(text, encoding="utf-8", newline="")
            works.append(_work(book, split, len(text.encode("utf-8")), file))
    index = {"origin": origin, "mark": mark, "works": [asdict(work) for work in works]}
    (folder / INDEX).write_text(json.dumps(index, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    tell(f"{len(works)} texts of {sum(work.bytes for work in works) / 1e6:.1f} MB in {folder}")
    return Texts(folder, origin, tuple(works), mark)


def _work(book: Book, split: Split, size: int, file: str) -> Work:
    columns = dict(book.columns)
    year = columns.get("year", "")
    return Work(
        id=columns.get("id", ""),
        title=book.title,
        author=book.author,
        language=book.language,
        year=int(year) if year.isdigit() else None,
        licence=columns.get("licence", ""),
        kind=book.kind,
        split=split,
        bytes=size,
        file=file,
    )


@dataclass(frozen=True)
class Sample:
    """A text that is measured: the beginning of a work; `unseen` where no work of its author is in the corpus."""

    id: str
    name: str
    language: str
    text: str
    unseen: bool

    @property
    def size(self) -> int:
        return len(self.text.encode("utf-8"))


UNSEEN = {
    "mary-shelley_frankenstein.epub": "Mary Shelley, Frankenstein",
    "jane-austen_pride-and-prejudice.epub": "Jane Austen, Pride and Prejudice",
    "joseph-conrad_heart-of-darkness.epub": "Joseph Conrad, Heart of Darkness",
    "arthur-conan-doyle_the-adventures-of-sherlock-holmes.epub": "Arthur Conan Doyle, Adventures of Sherlock Holmes",
    "oscar-wilde_the-picture-of-dorian-gray.docx": "Oscar Wilde, The Picture of Dorian Gray",
    "robert-louis-stevenson_treasure-island.html": "Robert Louis Stevenson, Treasure Island",
    "FRA01302_Flaubert.txt": "Gustave Flaubert, Madame Bovary",
    "13951-8.txt": "Alexandre Dumas, Les trois mousquetaires",
}
"""Books whose authors the corpus leaves out (the developers' data says so), by their files."""


def samples(texts: Texts, books: Path | None, most: int) -> Iterator[Sample]:
    """The first `most` bytes of every held-out work, by language, then of the unseen books that are there."""
    for language in sorted({work.language for work in texts.of("test")}):
        for work in texts.of("test", language=language):
            yield Sample(work.id or work.file, work.name, language, beginning(texts.text(work), most), False)
    for file, name in UNSEEN.items() if books is not None else ():
        assert books is not None
        if (books / file).is_file():
            book = read_path(books / file)[0]
            yield Sample(
                file, name, book.language, beginning(CHAPTER_GAP.join(c.text for c in book.chapters), most), True
            )


def beginning(text: str, most: int) -> str:
    """The first `most` bytes of a text in UTF-8, without a character cut in two; 0: all of it."""
    return text.encode("utf-8")[:most].decode("utf-8", "ignore") if most else text
