"""From a recipe to the text it names, cut into what is trained on and what is held out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quire.books.book import Passage, Shelf, Split
from quire.books.copies.duplicates import describe_leak, find_leaks, find_repeats
from quire.books.reading import read_shelf
from quire.books.split import cut
from quire.errors import BookError, RecipeError
from quire.planner.facts import TextFacts
from quire.planner.schedule import BatchChoice, part_steps, rows_of_step
from quire.recipe.schema import Recipe, ShelfItem
from quire.run.atomic import hash_file
from quire.tokens.rows import Rows, make_rows
from quire.tokens.stream import Stream
from quire.tokens.stretches import Stretch, encode
from quire.tokens.tokenizer import Tokenizer

HELD_OUT: tuple[Split, ...] = ("validation", "test")
LEFT = "held out elsewhere"
_UNLEARNED = ("context only", "not reached")


@dataclass(frozen=True)
class Material:
    """The works of a recipe and every passage of them, each in one split and one part.

    `leaks` says what stands on both sides of the cut all the same: a data set's own splits are not moved.  `streams`
    are sources that are not held here, each with what tells its content: of them, the shelf has some held-out works.
    """

    recipe: Recipe
    shelf: Shelf
    passages: tuple[Passage, ...]
    language: str
    leaks: tuple[str, ...] = ()
    streams: Mapping[str, str] = field(default_factory=dict)

    def words(self, split: Split) -> int:
        return sum(len(p.text.split()) for p in self.passages if p.split == split)

    def training_texts(self) -> Iterator[str]:
        """The text that may be learned from."""
        return (p.text for p in self.passages if p.split == "train")

    def hashes(self) -> dict[str, str]:
        """The sha256 of every file that was read; of a data set on the hub its revision."""
        streams = {name.rpartition("@")[0] if name.startswith("hub:") else name: h for name, h in self.streams.items()}
        return dict(_hash(source) for source in dict.fromkeys(self.shelf.sources)) | streams


@dataclass(frozen=True)
class Account:
    """Where the text went, in words and in tokens.  What was read is the sum of the rest."""

    words: Mapping[str, int]
    tokens: Mapping[str, int]

    @property
    def read_words(self) -> int:
        return sum(self.words.values())

    @property
    def read_tokens(self) -> int:
        return sum(self.tokens.values())


def _hash(source: str) -> tuple[str, str]:
    if source.startswith("hub:"):
        name, _, revision = source.rpartition("@")
        return name, revision
    return source, hash_file(Path(source))


def gather(recipe: Recipe) -> Material:
    """Read the shelf and cut it.  Raises BookError where there is nothing to read or nothing can be held out."""
    shelf = read_shelf(recipe.shelf)
    return cut_shelf(recipe, shelf)


def cut_shelf(recipe: Recipe, shelf: Shelf) -> Material:
    """Cut works that have already been read.  Raises what `gather` does."""
    if not shelf.books:
        raise BookError("there is nothing to read", "name a book file, a folder of books, or sample:novella")
    shares = own_shares(recipe.shelf, shelf)
    repeats = find_repeats(shelf)
    passages = tuple(cut(shelf, *shares[0], recipe.train.parts, recipe.seed, repeats, shares))
    assert sum(len(p.text.split()) for p in passages) == shelf.words, "a word was lost or doubled in the cut"
    check_validation(passages, max(share for share, _ in shares), recipe.train.parts)
    leaks = tuple(describe_leak(shelf, leak) for leak in find_leaks(repeats, passages))
    return Material(recipe, shelf, passages, recipe.language or main_language(shelf), leaks)


def rows_of(material: Material, tokenizer: Tokenizer, split: Split, part: int | None) -> Rows:
    """The rows of one split and part.  Held-out rows never overlap: each token is measured once."""
    settings = material.recipe.train
    if split != "train":
        settings = settings.model_copy(update={"stride": None, "overlap": "train"})
    sentences = settings.chunk.sentences if settings.chunk else None
    window = settings.window
    every = settings.loss == "all"
    stretches = encode(material.passages, tokenizer, split, part, sentences, material.language, window, every)
    return make_rows(stretches, settings, tokenizer.start)


def count_text(material: Material, tokenizer: Tokenizer, rows: Sequence[Rows]) -> TextFacts:
    """What the planner wants to know of the text; `rows` are those of every part that are trained on."""
    learned = [part.tokens_per_epoch() for part in rows]
    trained = [passage for passage in material.passages if passage.split == "train"]
    return TextFacts(
        words=material.words("train"),
        tokens_train=sum(part.count().text for part in rows),
        tokens_validation=_tokens(_held_out(material, tokenizer, "validation")),
        tokens_test=_tokens(_held_out(material, tokenizer, "test")),
        rows_per_epoch=tuple(part.per_epoch for part in rows),
        tokens_per_epoch=tuple(targets for targets, _ in learned),
        leaks=material.leaks,
        read_per_epoch=tuple(read for _, read in learned),
        conversations=sum(bool(passage.turns) for passage in trained),
        works=len({passage.book for passage in trained}),
    )


def account(
    material: Material,
    tokenizer: Tokenizer,
    trained: Sequence[Rows],
    choice: BatchChoice,
    seed: int | None = None,
    seen: Sequence[Collection[int] | None] | None = None,
) -> Account:
    """Every word and token of the sources: trained, only read as context, held out, or dropped while reading.

    Where the steps end before the first epoch does, the rows that their order leaves out are counted as not reached.
    A word goes where its first token goes.  `seed` is that of the order, where it is not the recipe's;
    `seen` are the rows that are reached, where they are known.
    """
    dropped = [d.text for book in material.shelf for d in book.dropped]
    held_out = {split: _held_out(material, tokenizer, split) for split in HELD_OUT}
    tokens = dict.fromkeys(("trained", *_UNLEARNED), 0)
    unlearned_words = dict.fromkeys(_UNLEARNED, 0)
    for part, rows in enumerate(trained):
        known = reached_rows(rows, part, material.recipe, choice, seed) if seen is None else seen[part]
        reached = rows.learned(known)
        for stretch, now, ever in zip(rows.stretches, reached, rows.learned(), strict=True):
            own = slice(stretch.repeats, None)
            tokens["trained"] += int(now.sum())
            tokens["context only"] += int((~ever[own]).sum())
            tokens["not reached"] += int((ever & ~now).sum())
            for name, words in zip(_UNLEARNED, _unlearned_words(stretch, now, ever, tokenizer), strict=True):
                unlearned_words[name] += words
    return Account(
        words={
            "trained": material.words("train") - sum(unlearned_words.values()),
            **unlearned_words,
            "validation": material.words("validation"),
            "test": material.words("test"),
            **({LEFT: material.words("left")} if any(p.split == "left" for p in material.passages) else {}),
            "dropped": sum(len(text.split()) for text in dropped),
        },
        tokens={
            **tokens,
            "validation": _tokens(held_out["validation"]),
            "test": _tokens(held_out["test"]),
            **({LEFT: _tokens(left)} if (left := _held_out(material, tokenizer, "left")) else {}),
            "dropped": sum(len(ids) for ids in tokenizer.encode_all(dropped)),
        },
    )


def _unlearned_words(
    stretch: Stretch, seen: NDArray[np.bool_], ever: NDArray[np.bool_], tokenizer: Tokenizer
) -> tuple[int, int]:
    """Words of a stretch that are only read, and those that the steps do not come to."""
    if stretch.words is None:
        return _words_in(stretch, ~ever, tokenizer), _words_in(stretch, ever & ~seen, tokenizer)
    learned, read = stretch.words
    return (read, 0) if seen.any() else (0, learned + read)


def _words_in(stretch: Stretch, mask: NDArray[np.bool_], tokenizer: Tokenizer) -> int:
    """Words of a stretch whose first token is among those of `mask`."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    ids = stretch.ids.tolist()
    words = 0
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        before = ids[max(0, first - 1) : first]  # a word that it begins goes on here
        words += len(tokenizer.decode(before + ids[first:last]).split()) - len(tokenizer.decode(before).split())
    return words


def reached_rows(
    rows: Rows, part: int, recipe: Recipe, choice: BatchChoice, seed: int | None = None
) -> Collection[int] | None:
    """The rows that a part's steps come to; None where they come to all."""
    steps = part_steps(rows.per_epoch, recipe.train, choice)
    given = sum(rows_of_step(step, rows.per_epoch, recipe.train, choice) for step in range(steps))
    if rows.weights is None and given >= len(rows):
        return None
    most = given if rows.weights is not None else min(given, len(rows))
    return set(Stream(len(rows), recipe.seed if seed is None else seed, part, rows.weights).take(most))


def main_language(shelf: Shelf) -> str:
    """The language in which most words of the shelf are written."""
    words: dict[str, int] = {}
    for book in shelf:
        words[book.language] = words.get(book.language, 0) + book.words
    return max(words, key=lambda language: words[language])


def own_shares(items: Sequence[ShelfItem], shelf: Shelf) -> list[tuple[float, float]]:
    """The shares of validation and test text that the source of each work wants held out."""
    return [(items[number].validation, items[number].test) for number in item_numbers(items, shelf)]


def item_numbers(items: Sequence[ShelfItem], shelf: Shelf) -> tuple[int, ...]:
    """Which of the items each work comes from; works that somebody else has read are the first one's."""
    known = len(shelf.items) == len(shelf) and max(shelf.items, default=0) < len(items)
    return shelf.items if known else (0,) * len(shelf)


def require_rows(stage: str, counts: Sequence[int]) -> None:
    """BookError where a part of a stage has nothing to learn from; `counts` are the rows of each."""
    for part, rows in enumerate(counts):
        if rows == 0:
            where = f"part {part + 1} of stage {stage}" if len(counts) > 1 else f"stage {stage}"
            raise BookError(
                f"no text is left to train on in {where}: it is all held out, or stands in what is held out elsewhere",
                "name other texts, or hold out less; quire read lists what stands twice",
                "not-enough-text",
                code="empty",
            )


def check_validation(passages: Sequence[Passage], share: float, parts: int) -> None:
    """Training steers by validation text: each part needs some, of its own or out of the data set's own split."""
    without = sorted(set(range(parts)) - {passage.part for passage in passages if passage.split == "validation"})
    if without and share == 0:
        raise RecipeError(
            "shelf: no text is held out for validation (validation: 0%)",
            "give validation a share, such as --set shelf.0.validation=5%",
            "not-enough-text",
        )
    if without:
        which = f" from part {without[0] + 1} of {parts}" if parts > 1 else ""
        what = f"no text can be held out for validation{which}"
        raise BookError(what, "add more text, or use fewer train.parts", "not-enough-text")


def _held_out(material: Material, tokenizer: Tokenizer, split: Split) -> list[Stretch]:
    settings = material.recipe.train
    return encode(material.passages, tokenizer, split, window=settings.window, all_words=settings.loss == "all")


def _tokens(stretches: Sequence[Stretch]) -> int:
    return sum(len(stretch.ids) - stretch.repeats for stretch in stretches)
