"""What a plan is told of a stage before anything is prepared: its books counted, its streams reckoned from a look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from quire.books.rows.row import PACKED_NAMES
from quire.books.streams.corpus import Corpus, Look, look
from quire.books.streams.stream import Shard
from quire.planner.facts import TextFacts
from quire.recipe.schema import Recipe, Stage
from quire.tokens.tokenizer import Tokenizer
from quire.verbs.texts.library import Library, open_library
from quire.verbs.texts.making import Company, Making, windows_wanted
from quire.verbs.texts.material import Material, count_text

LOOK_SECONDS = 10.0
# Without a tokenizer: English and French need about so many bytes a token with a vocabulary of some thousands.
BYTES_PER_TOKEN = 3.5
# A packed or columnar table holds so many bytes of text for each of its own, of prose.
_PACKED = 2.5


def estimate_stage(
    recipe: Recipe,
    number: int,
    tokenizer: Tokenizer | None,
    library: Library | None = None,
    seconds: float = LOOK_SECONDS,
) -> tuple[Material, TextFacts]:
    """The text of one stage, and the counts that a plan needs of it.  Nothing is written.

    Where the stage streams, or without a `tokenizer` (which is still to be made), they are reckoned: `counted` is
    False.  All streams together are looked at for so many seconds; so they are when the `library` is opened here.  May
    raise BookError and RecipeError.
    """
    library = library or open_library(recipe, patience=seconds)
    stage = recipe.curriculum[number]
    material = library.material(number)
    facts = reckon_books(material) if tokenizer is None else _count_books(library, number, tokenizer)
    streams = library.streams_of(stage)
    looks = [look(source.corpus, seconds / len(streams)) for source in streams]
    if not streams:
        return material, _replayed(facts, stage, library)
    sizes = [_size(source.corpus, seen, tokenizer) for source, seen in zip(streams, looks, strict=True)]
    words, tokens = sum(words for words, _ in sizes), sum(tokens for _, tokens in sizes)
    step = stage.stride or stage.window
    wanted = windows_wanted(stage, facts.rows_per_epoch) or [max(1, tokens // step // stage.parts)] * stage.parts
    rows = sum(wanted)
    facts = replace(
        facts,
        words=facts.words + round(words * min(1.0, rows * step / max(1, tokens))),
        tokens_train=facts.tokens_train + min(tokens, rows * step),
        rows_per_epoch=tuple(map(sum, zip(facts.rows_per_epoch, wanted, strict=True))),
        tokens_per_epoch=tuple(own + n * stage.window for own, n in zip(facts.tokens_per_epoch, wanted, strict=True)),
        read_per_epoch=tuple(own + n * stage.window for own, n in zip(facts.computed_per_epoch, wanted, strict=True)),
        works=facts.works + sum(seen.splits["train"] for seen in looks),
        counted=False,
    )
    return material, _replayed(facts, stage, library)


def _replayed(facts: TextFacts, stage: Stage, library: Library) -> TextFacts:
    """With what `replay` mixes into every epoch; its rows are taken to be as long as the stage's own."""
    if stage.replay is None or library.earlier is None:
        return facts
    own = 1 - stage.replay

    def mixed(counts: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(round(count / own) for count in counts)

    return replace(
        facts,
        rows_per_epoch=mixed(facts.rows_per_epoch),
        tokens_per_epoch=mixed(facts.tokens_per_epoch),
        read_per_epoch=mixed(facts.read_per_epoch),
    )


def reckon_books(material: Material) -> TextFacts:
    """The text in memory, reckoned from its bytes."""
    settings = material.recipe.train
    sizes = {split: [0] * settings.parts for split in ("train", "validation", "test", "left")}
    for passage in material.passages:
        sizes[passage.split][passage.part] += round(len(passage.text.encode()) / BYTES_PER_TOKEN)
    step = settings.stride or settings.window
    trained = [passage for passage in material.passages if passage.split == "train"]
    return TextFacts(
        words=material.words("train"),
        tokens_train=sum(sizes["train"]),
        tokens_validation=sum(sizes["validation"]),
        tokens_test=sum(sizes["test"]),
        rows_per_epoch=tuple(max(1, -(-tokens // step)) if tokens else 0 for tokens in sizes["train"]),
        tokens_per_epoch=tuple(sizes["train"]),
        counted=False,
        leaks=material.leaks,
        conversations=sum(bool(passage.turns) for passage in trained),
        works=len({passage.book for passage in trained}),
    )


def _count_books(library: Library, number: int, tokenizer: Tokenizer) -> TextFacts:
    """The text in memory, counted in the very rows that training would take."""
    making = Making(library, number, tokenizer, Path(), lambda _text: None, Company())
    return count_text(making.material, tokenizer, making.rows_of_books())


def _size(corpus: Corpus, seen: Look, tokenizer: Tokenizer | None) -> tuple[int, int]:
    """Words and tokens to learn in all of a stream."""
    texts = [book.text for book in seen.sample]
    size = sum(len(text.encode()) for text in texts)
    tokens = size / BYTES_PER_TOKEN if tokenizer is None else sum(map(len, tokenizer.encode_all(texts)))
    words = max(1, sum(book.words for book in seen.sample))
    every = _words(seen) * _times(corpus, seen, size / words)
    return round(every), round(every * tokens / words)


def _words(seen: Look) -> float:
    """Words that were seen of what may be learned."""
    return seen.tally.words * seen.splits["train"] / max(1, seen.tally.works)


def _times(corpus: Corpus, seen: Look, bytes_per_word: float) -> float:
    """How many times as much as was seen there is: by the sizes of the tables."""
    if seen.tally.whole:
        return 1.0
    return max(1.0, sum(map(_bytes, corpus.shards)) / max(1.0, seen.tally.words * bytes_per_word))


def _bytes(shard: Shard) -> float:
    """Bytes of text in a table, about; one that is still on the hub counts as it says itself."""
    if shard.size is not None:
        return shard.size * _inflation(shard.name)
    path = shard.fetch()
    return path.stat().st_size * _inflation(path.name)


def _inflation(name: str) -> float:
    return _PACKED if name.endswith((*PACKED_NAMES, ".parquet")) else 1.0
