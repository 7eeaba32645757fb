"""From a recipe to the text it names, cut into what is trained on and what is held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from quire.recipe.schema import Recipe
from quire.run.atomic import hash_file
from quire.tokens.rows import Rows, make_rows
from quire.tokens.stream import Stream
from quire.tokens.stretches import Stretch, encode
from quire.tokens.tokenizer import Tokenizer

HELD_OUT: tuple[Split, ...] = ("validation", "test")
_UNLEARNED = ("context only", "not reached")


@dataclass(frozen=True)
class Material:
    """The works of a recipe and every passage of them, each in one split and one part.

    `leaks` says what stands on both sides of the cut all the same: a data set's own splits are not moved.
    """

    recipe: Recipe
    shelf: Shelf
    passages: tuple[Passage, ...]
    language: str
    leaks: tuple[str, ...] = ()

    def words(self, split: Split) -> int:
        return sum(len(p.text.split()) for p in self.passages if p.split == split)

    def training_texts(self) -> Iterator[str]:
        """The text that may be learned from."""
        return (p.text for p in self.passages if p.split == "train")

    def hashes(self) -> dict[str, str]:
        """The sha256 of every file that was read; of a data set on the hub its revision."""
        return dict(_hash(source) for source in dict.fromkeys(self.shelf.sources))


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
    validation, test = _shares(recipe)
    repeats = find_repeats(shelf)
    passages = tuple(cut(shelf, validation, test, recipe.train.parts, recipe.seed, repeats))
    assert sum(len(p.text.split()) for p in passages) == shelf.words, "a word was lost or doubled in the cut"
    _check_validation(passages, validation, recipe.train.parts)
    leaks = tuple(describe_leak(shelf, leak) for leak in find_leaks(repeats, passages))
    return Material(recipe, shelf, passages, recipe.language or main_language(shelf), leaks)


def rows_of(material: Material, tokenizer: Tokenizer, split: Split, part: int | None) -> Rows:
    """The rows of one split and part.  Held-out rows never overlap: each token is measured once."""
    settings = material.recipe.train
    if split != "train":
        settings = settings.model_copy(update={"stride": None, "overlap": "train"})
    sentences = settings.chunk.sentences if settings.chunk else None
    stretches = encode(material.passages, tokenizer, split, part, sentences, material.language)
    return make_rows(stretches, settings, tokenizer.start)


def count_text(material: Material, tokenizer: Tokenizer, rows: Sequence[Rows]) -> TextFacts:
    """What the planner wants to know of the text; `rows` are those of every part that are trained on."""
    counts = [part.count() for part in rows]
    return TextFacts(
        words=material.words("train"),
        tokens_train=sum(count.text for count in counts),
        tokens_validation=_tokens(encode(material.passages, tokenizer, "validation")),
        tokens_test=_tokens(encode(material.passages, tokenizer, "test")),
        rows_per_epoch=tuple(len(part) for part in rows),
        tokens_per_epoch=tuple(count.targets for count in counts),
        leaks=material.leaks,
    )


def account(material: Material, tokenizer: Tokenizer, trained: Sequence[Rows], choice: BatchChoice) -> Account:
    """Every word and token of the sources: trained, only read as context, held out, or dropped while reading.

    Where the steps end before the first epoch does, the rows that their order leaves out are counted as not reached.
    A word goes where its first token goes.
    """
    dropped = [d.text for book in material.shelf for d in book.dropped]
    held_out = {split: encode(material.passages, tokenizer, split) for split in HELD_OUT}
    tokens = dict.fromkeys(("trained", *_UNLEARNED), 0)
    unlearned_words = dict.fromkeys(_UNLEARNED, 0)
    for part, rows in enumerate(trained):
        reached = rows.learned(_reached(rows, part, material.recipe, choice))
        for stretch, seen, ever in zip(rows.stretches, reached, rows.learned(), strict=True):
            tokens["trained"] += int(seen.sum())
            for name, mask in (("context only", ~ever), ("not reached", ever & ~seen)):
                tokens[name] += int(mask.sum())
                unlearned_words[name] += _words_in(stretch, mask, tokenizer)
    return Account(
        words={
            "trained": material.words("train") - sum(unlearned_words.values()),
            **unlearned_words,
            "validation": material.words("validation"),
            "test": material.words("test"),
            "dropped": sum(len(text.split()) for text in dropped),
        },
        tokens={
            **tokens,
            "validation": _tokens(held_out["validation"]),
            "test": _tokens(held_out["test"]),
            "dropped": sum(len(ids) for ids in tokenizer.encode_all(dropped)),
        },
    )


def _words_in(stretch: Stretch, mask: NDArray[np.bool_], tokenizer: Tokenizer) -> int:
    """Words of a stretch whose first token is among those of `mask`."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    ids = stretch.ids.tolist()
    words = 0
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        before = ids[max(0, first - 1) : first]  # a word that it begins goes on here
        words += len(tokenizer.decode(before + ids[first:last]).split()) - len(tokenizer.decode(before).split())
    return words


def _reached(rows: Rows, part: int, recipe: Recipe, choice: BatchChoice) -> set[int]:
    """The rows that a part's steps come to."""
    steps = part_steps(len(rows), recipe.train, choice)
    given = sum(rows_of_step(step, len(rows), recipe.train, choice) for step in range(steps))
    return set(Stream(len(rows), recipe.seed, part).take(min(given, len(rows))))


def main_language(shelf: Shelf) -> str:
    """The language in which most words of the shelf are written."""
    words: dict[str, int] = {}
    for book in shelf:
        words[book.language] = words.get(book.language, 0) + book.words
    return max(words, key=lambda language: words[language])


def _shares(recipe: Recipe) -> tuple[float, float]:
    """The shares to hold out, which all sources must agree on."""
    shares = {(item.validation, item.test) for item in recipe.shelf}
    if len(shares) > 1:
        raise RecipeError(
            "shelf: not yet: sources with different shares of validation and test text",
            "give every source the same validation and test",
        )
    return shares.pop()


def _check_validation(passages: Sequence[Passage], share: float, parts: int) -> None:
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


def _tokens(stretches: Sequence[Stretch]) -> int:
    return sum(len(stretch.ids) for stretch in stretches)
