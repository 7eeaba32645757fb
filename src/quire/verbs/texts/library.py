"""The texts of all stages of a recipe, cut once: what is held out in any stage is learned in none.

Sources that the same stages name are cut together, and every one of those stages gets the same cut.  Where two sources
share text, what one of them holds out is left out of the other; so it is with streams, of which a sample of what is
held out is taken before anything is learned from any, and with the held-out text of an earlier run.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path

from quire.books.book import Book, Passage, Shelf
from quire.books.copies.duplicates import describe_leak, find_leaks, find_repeats
from quire.books.copies.held_out import RunIndex, word_numbers
from quire.books.foreign import leave_out, texts_held, whole_work
from quire.books.reading import read_shelf
from quire.books.split import cut
from quire.books.streams.corpus import Corpus, open_corpus
from quire.books.streams.sample import Sample, load_sample, save_sample, take_sample
from quire.books.streams.stream import Held
from quire.recipe.schema import Recipe, ShelfItem, Stage
from quire.run.atomic import fresh_folder, hash_file, write_text
from quire.run.lock import hold
from quire.run.manifest import flaw, seal
from quire.verbs.texts.material import Material, check_validation, item_numbers, main_language, own_shares

HASHES = "hashes.json"
FRESH_CHARACTERS = 20_000_000
LOOKED_AT = "looked at"
_FORMAT = 1


@dataclass(frozen=True)
class Group:
    """Sources that the same stages name, cut together into `parts` slices or fewer."""

    items: tuple[ShelfItem, ...]
    shelf: Shelf
    passages: tuple[Passage, ...]
    leaks: tuple[str, ...]
    parts: int


@dataclass(frozen=True)
class Source:
    """A stream: its tables, what tells its content from another's, and what is held out of it and kept."""

    item: ShelfItem
    corpus: Corpus
    hash: str
    sample: Sample

    @property
    def tag(self) -> str:
        """A name for what is made of it: two streams may read the same tables and keep different rows of them."""
        return hashlib.sha256(json.dumps([self.hash, _options(self.corpus)]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Library:
    """All texts of a recipe.  `earlier` is that of the run which this one goes on from."""

    recipe: Recipe
    groups: tuple[Group, ...]
    streams: tuple[Source, ...]
    held: RunIndex
    earlier: Library | None = None

    def material(self, number: int) -> Material:
        """The text of one stage.  Raises BookError where nothing of it is held out for validation."""
        plain = self.recipe.as_plain(number)
        stage = self.recipe.curriculum[number]
        named = [n for n, group in enumerate(self.groups) if _key(group.items[0]) in map(_key, stage.shelf)]
        groups = [self.groups[n] for n in named]
        streams = self.streams_of(stage)
        books: list[Book] = []
        numbers: list[int] = []
        passages: list[Passage] = []
        for n, group in zip(named, groups, strict=True):
            first = len(books)
            books += group.shelf.books
            numbers += [_number(stage, group.items[item]) for item in item_numbers(group.items, group.shelf)]
            finest, parts = group.parts, stage.parts
            passages += [replace(p, book=p.book + first, part=p.part * parts // finest) for p in self._learnable(n)]
        for source in streams:
            for kept in source.sample.works:
                whole = whole_work(kept.book, len(books), kept.split)
                passages += [replace(p, ends_work=p.ends_work and kept.whole) for p in whole]
                books.append(kept.book)
                numbers.append(_number(stage, source.item))
        unreadable = tuple(one for group in groups for one in group.shelf.unreadable)
        names = tuple(name for group in groups for name in group.shelf.sources)
        shelf = Shelf(tuple(books), unreadable, names, tuple(numbers))
        share = max((item.validation for item in stage.shelf), default=0.05)
        if not any(source.hash == LOOKED_AT for source in streams):
            check_validation(passages, share, 1 if streams else stage.parts)
        leaks = tuple(leak for group in groups for leak in group.leaks)
        language = self.recipe.language or (main_language(shelf) if books else "en")
        return Material(plain, shelf, tuple(passages), language, leaks, {s.corpus.source: s.hash for s in streams})

    def for_recipe(self, recipe: Recipe) -> Library:
        """The same texts for a recipe that differs in nothing that decides what is read and held out."""
        same = replace(self, recipe=recipe)
        same._learned.update(self._learned)
        return same

    def training_texts(self, number: int, most: int = FRESH_CHARACTERS) -> Iterator[str]:
        """Text that a stage may learn from: all that is in memory, and of each stream so many characters."""
        stage = self.recipe.curriculum[number]
        if any(not item.stream for item in stage.shelf):
            yield from self.material(number).training_texts()
        for source in self.streams_of(stage):
            left = most
            for work in source.corpus.works():
                if work.split != "train":
                    continue
                for passage in leave_out(work.book, whole_work(work.book, 0, "train"), self.held):
                    if passage.split == "train":
                        yield passage.text
                        left -= len(passage.text)
                if left <= 0:
                    break

    def streams_of(self, stage: Stage) -> tuple[Source, ...]:
        """The streams of a stage, in its order."""
        found = {_key(source.item): source for source in self.streams}
        return tuple(found[_key(item)] for item in stage.shelf if item.stream)

    def without_held(self, shelf: Shelf, passages: Sequence[Passage]) -> list[Passage]:
        """Passages of other works, those left out that are held out of these."""
        return _left_out(shelf, passages, self.held)

    @cached_property
    def _learned(self) -> dict[int, Sequence[Passage]]:
        """What `_learnable` has found so far: a large corpus takes minutes."""
        return {}

    def _learnable(self, number: int) -> Sequence[Passage]:
        """The passages of a group without what is held out elsewhere."""
        if number not in self._learned:
            self._learned[number] = self._without_elsewhere(self.groups[number])
        return self._learned[number]

    def _without_elsewhere(self, group: Group) -> Sequence[Passage]:
        elsewhere = self._elsewhere(group)
        if not len(elsewhere):
            return group.passages
        return _left_out(group.shelf, group.passages, elsewhere)

    def _elsewhere(self, group: Group) -> RunIndex:
        others = [other.passages for other in self.groups if other is not group]
        samples = [text for source in self.streams for text in source.sample.texts]
        before = [] if self.earlier is None else list(self.earlier.held_texts())
        return RunIndex([*samples, *before, *(text for passages in others for text in texts_held(passages))])

    def held_texts(self) -> Iterable[str]:
        """All that is held out anywhere."""
        yield from (text for group in self.groups for text in texts_held(group.passages))
        yield from (text for source in self.streams for text in source.sample.texts)
        if self.earlier is not None:
            yield from self.earlier.held_texts()


def open_library(
    recipe: Recipe,
    home: Path | None = None,
    shelf: Shelf | None = None,
    earlier: Library | None = None,
    tell: Callable[[str], None] = lambda _text: None,
    scan: Callable[[], None] = lambda: None,
    patience: float | None = None,
) -> Library:
    """Read and cut everything that the stages of `recipe` name; of streams, what is held out and kept.

    `home` keeps such samples (without it they are taken anew); `shelf` are the last stage's works where they have been
    read; `scan` is called for each work of a stream.  With `patience`, in seconds, a stream is only looked into for so
    long: enough to plan by, not to learn from.  May raise BookError and RecipeError.
    """
    stages = recipe.curriculum
    groups = tuple(_group(recipe, items, parts, shelf) for items, parts in _grouped(stages))
    items = list({_key(item): item for stage in stages for item in stage.shelf if item.stream}.values())
    most = Held(max((i.validation for i in items), default=0), max((i.test for i in items), default=0), recipe.seed)
    trained = RunIndex(text for group in groups for text in texts_held(group.passages, ("train",))) if items else None
    streams = []
    for item in items:
        # A work that two streams share is on the same side in both.
        corpus = replace(open_corpus(item, recipe.seed), held=most)
        assert trained is not None
        if patience is not None:
            sample = take_sample(corpus, trained, scan, time.monotonic() + patience / len(items))
            streams.append(Source(item, corpus, LOOKED_AT, sample))
            continue
        digest = corpus_hash(corpus, home)
        streams.append(Source(item, corpus, digest, _sample(corpus, digest, trained, home, tell, scan)))
    library = Library(recipe, groups, tuple(streams), RunIndex([]), earlier)
    library = replace(library, held=RunIndex(library.held_texts()) if _needs_index(library) else library.held)
    return library if earlier is None else replace(library, groups=tuple(_warned(library, g) for g in groups))


def _needs_index(library: Library) -> bool:
    """Whether text comes in that was not cut together with the rest."""
    return bool(library.streams) or library.earlier is not None


def _left_out(shelf: Shelf, passages: Sequence[Passage], held: RunIndex) -> list[Passage]:
    by_book = groupby(passages, key=lambda passage: passage.book)
    return [p for book, own in by_book for p in leave_out(shelf.books[book], list(own), held)]


def _grouped(stages: Sequence[Stage]) -> list[tuple[tuple[ShelfItem, ...], int]]:
    """The sources in memory by the stages that name them, and the most parts that any of those stages has."""
    items: dict[str, ShelfItem] = {}
    users: dict[str, set[int]] = {}
    for number, stage in enumerate(stages):
        for item in stage.shelf:
            if not item.stream:
                items.setdefault(_key(item), item)
                users.setdefault(_key(item), set()).add(number)
    together: dict[frozenset[int], list[ShelfItem]] = {}
    for key, item in items.items():
        together.setdefault(frozenset(users[key]), []).append(item)
    return [(tuple(same), max(stages[n].parts for n in using)) for using, same in together.items()]


def _group(recipe: Recipe, items: tuple[ShelfItem, ...], parts: int, shelf: Shelf | None) -> Group:
    last = recipe.curriculum[-1].shelf
    if shelf is None or list(map(_key, items)) != [_key(item) for item in last if not item.stream]:
        shelf = read_shelf(items)
    repeats = find_repeats(shelf)
    shares = own_shares(items, shelf)
    passages = tuple(cut(shelf, *shares[0], parts, recipe.seed, repeats, shares))
    assert sum(len(p.text.split()) for p in passages) == shelf.words, "a word was lost or doubled in the cut"
    leaks = tuple(describe_leak(shelf, leak) for leak in find_leaks(repeats, passages))
    return Group(items, shelf, passages, leaks, parts)


def _warned(library: Library, group: Group) -> Group:
    """What the earlier run learned cannot be unlearned: where it is held out now, that is said."""
    assert library.earlier is not None
    learned = RunIndex(text for other in library.earlier.groups for text in texts_held(other.passages, ("train",)))
    leaks = []
    for passage in group.passages:
        if passage.split in ("validation", "test"):
            equal = sum(run.equal for run in learned.find(word_numbers("\n".join(texts_held([passage])))))
            if equal:
                title = group.shelf.books[passage.book].title
                leaks.append(f"{equal} words of {title}, held out, were learned by {library.recipe.earlier} before")
    return replace(group, leaks=(*group.leaks, *leaks))


def _sample(
    corpus: Corpus,
    digest: str,
    trained: RunIndex,
    home: Path | None,
    tell: Callable[[str], None],
    scan: Callable[[], None],
) -> Sample:
    """What is held out of a stream and kept; taken once, then found in `home`."""
    made_of = [_FORMAT, digest, _options(corpus), hashlib.sha256(trained.digest).hexdigest()]
    name = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:20]
    if home is None:
        return take_sample(corpus, trained, scan)
    folder = home / f"sample-{name}"
    with hold(home / f"sample-{name}.lock", wait=True):
        if folder.exists():
            problem = flaw(folder)
            if problem is None:
                return load_sample(folder)
            tell(f"{problem}; it is taken again")
        sample = take_sample(corpus, trained, scan)
        with fresh_folder(folder) as fresh:
            save_sample(sample, fresh)
            seal(fresh)
    return sample


def corpus_hash(corpus: Corpus, home: Path | None) -> str:
    """What tells a corpus from any other: its revision on the hub, or the SHA-256 of its files.

    Files that have not been touched are not read again: `home` keeps what they were.
    """
    if corpus.source.startswith("hub:"):
        return corpus.source.rpartition("@")[2]
    book = home / HASHES if home is not None else None
    known = _known(book)
    digests = []
    for shard in corpus.shards:
        path = shard.fetch()
        state = path.stat()
        mark = [state.st_size, state.st_mtime_ns, state.st_ino]
        found = known.get(str(path.absolute()))
        if found is None or found[:3] != mark:
            known[str(path.absolute())] = found = [*mark, hash_file(path)]
        digests.append(str(found[3]))
    if book is not None and known != _known(book):
        write_text(book, json.dumps(known, indent=1) + "\n")
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _known(book: Path | None) -> dict[str, list[int | str]]:
    try:
        found = json.loads(book.read_text(encoding="utf-8")) if book is not None else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _options(corpus: Corpus) -> Mapping[str, object]:
    """How a stream is read, and what is held out of it."""
    return {"options": repr(corpus.options), "held": repr(corpus.held), "tables": [s.name for s in corpus.shards]}


def _key(item: ShelfItem) -> str:
    """What makes two items of two stages the same source."""
    return item.model_dump_json(exclude={"weight", "rights"})


def _number(stage: Stage, item: ShelfItem) -> int:
    return [_key(one) for one in stage.shelf].index(_key(item))
