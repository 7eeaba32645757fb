"""Making a stage's rows: what decides them, what of them is there already, and what has to be made.

A folder of prepared data has the name of a hash over everything that decides a token.  What lies in it is sealed piece
by piece, so that a crash costs one piece, and a damaged one is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path

from quire.books.book import Passage
from quire.errors import RecipeError
from quire.planner.schedule import choose_batch
from quire.recipe.schema import ShelfItem, Stage
from quire.run.atomic import fresh_folder, hash_file, remove_folder
from quire.run.manifest import flaw, seal
from quire.tokens.rows import Keep, Rows, join_rows, make_rows
from quire.tokens.shards import Ears, Job, PieceFacts, load_corpus, prepare_corpus
from quire.tokens.stored import load_rows, save_rows
from quire.tokens.tokenizer import TOKENIZER_FILES, Tokenizer
from quire.verbs.texts.library import Library, Source
from quire.verbs.texts.material import Material, item_numbers, rows_of
from quire.verbs.texts.streamed import Mixed, Streamed

FORMAT = 1
BOOKS = "books"
# Of the settings of a stage, those that decide which tokens stand in which row.
_DECIDING = {"window", "stride", "overlap", "pack", "chunk", "parts", "goldfish", "replay", "loss"}


@dataclass(frozen=True)
class Company:
    """Who prepares: this process's number and how many there are, and how they wait for each other."""

    number: int = 0
    processes: int = 1
    meet: Callable[[], None] = field(default=lambda: None)

    @property
    def first(self) -> bool:
        return self.number == 0


@dataclass(frozen=True)
class Making:
    """One stage, by what it is made of.  `tell` hears a line of what takes long and of what was damaged."""

    library: Library
    number: int
    tokenizer: Tokenizer
    home: Path
    tell: Callable[[str], None]
    company: Company

    @property
    def stage(self) -> Stage:
        return self.library.recipe.curriculum[self.number]

    @property
    def folder(self) -> Path:
        return self.home / self.key

    @cached_property
    def material(self) -> Material:
        return self.library.material(self.number)

    @cached_property
    def in_memory(self) -> Material:
        """The material without what is kept of streams."""
        return replace(self.material, passages=self._of(lambda number: not self.stage.shelf[number].stream))

    @cached_property
    def key(self) -> str:
        """The name of what is prepared: it changes with everything that decides a token, and with nothing else."""
        return hashlib.sha256(json.dumps(self.made_of, sort_keys=True).encode()).hexdigest()[:24]

    @cached_property
    def made_of(self) -> dict[str, object]:
        """Everything that decides a token."""
        stage, tokenizer, material = self.stage, self.tokenizer, self.material
        files = [tokenizer.folder / name for name in TOKENIZER_FILES]
        replayed, again = self.replayed
        return {
            "format": FORMAT,
            "quire": version("quire"),
            "tokenizer": {file.name: hash_file(file) for file in files if file.is_file()},
            "ids": [tokenizer.start, tokenizer.end_of_text],
            "settings": stage.model_dump(mode="json", include=_DECIDING),
            "sources": material.hashes(),
            "reading": [item.model_dump(mode="json", exclude={"rights"}) for item in stage.shelf],
            "text": _digest(material.passages),
            "seed": self.library.recipe.seed,
            "language": material.language,
            "held out": hashlib.sha256(self.library.held.digest).hexdigest(),
            "held out of streams": [repr(source.corpus.held) for source in self.library.streams_of(stage)],
            "replayed": None if replayed is None else [_digest(replayed.passages), [one.tag for one in again]],
        }

    @cached_property
    def replayed(self) -> tuple[Material | None, tuple[Source, ...]]:
        """What `replay` mixes in: the books of the earlier run's last stage, and that stage's streams, of which the
        first is read where no book gives a row."""
        earlier = self.library.earlier
        if self.stage.replay is None or earlier is None:
            return None, ()
        last = len(earlier.recipe.curriculum) - 1
        material = earlier.material(last)
        passages = self.library.without_held(material.shelf, material.passages)
        plain = material.recipe.model_copy(update={"train": self.material.recipe.train})
        kept = replace(material, passages=tuple(passages), recipe=plain)
        return kept, earlier.streams_of(earlier.recipe.curriculum[last])

    def rows_of_books(self) -> list[Rows]:
        """The rows of the text in memory, a part each, weights respected; nothing is written."""
        made = dict(self._make_books())
        parts = ([made[f"train-{part}-{n}"] for n in range(len(self._weights))] for part in range(self.stage.parts))
        return [join_rows(own, self._weights) if own else make_rows([], self.stage, None) for own in parts]

    def books(self) -> dict[str, Rows]:
        """The rows of the text in memory: `train-PART-NUMBER` (a number for each weight), `validation-PART`, and
        `replay` and `forgetting` where there are such."""
        folder = self.folder / BOOKS
        if self.company.first and folder.exists() and (problem := flaw(folder)) is not None:
            self.tell(f"{problem}; it is prepared again")
            remove_folder(folder)
        if self.company.first and not folder.exists():
            with fresh_folder(folder) as fresh:
                for name, rows in self._make_books():
                    save_rows(rows, fresh / name)
                seal(fresh)
        self.company.meet()
        return {path.name: load_rows(path) for path in sorted(folder.iterdir()) if path.is_dir()}

    def mixed(self) -> tuple[tuple[Mixed, ...], tuple[Streamed, ...], dict[str, Rows]]:
        """The rows of every part, what became of streams, and all rows of the text in memory by name."""
        books, stage, parts = self.books(), self.stage, range(self.stage.parts)
        own = [[books[f"train-{part}-{n}"] for n in range(len(self._weights))] for part in parts]
        sources = self.library.streams_of(stage)
        wanted = windows_wanted(stage, [self._per_epoch(rows) for rows in own])
        weights_of = [item.weight for item in self._streamed_items]
        streamed, streams = self._streams(sources, weights_of, None if wanted is None else sum(wanted))
        slices = [_slices(rows, wanted or [1] * len(parts)) for rows in streams]
        mixed = []
        for part in parts:
            cut = [rows[part] for rows in slices]
            every = [*own[part], *cut]
            # Of streams that are read in part, weights have said already how much of each.
            weights = [*self._weights, *(weights_of if wanted is None else [1.0] * len(cut))]
            replayed = self._replay(books, every, weights)
            if replayed is not None:
                every.insert(len(own[part]), replayed[0])
                weights.insert(len(own[part]), replayed[1])
            joined = join_rows(every, weights)
            mixed.append(Mixed(tuple(own[part]), replayed[0] if replayed else None, tuple(cut), joined))
        return tuple(mixed), tuple(streamed), books

    @cached_property
    def _weights(self) -> list[float]:
        """The weights of the sources in memory."""
        return sorted({item.weight for item in self.stage.shelf if not item.stream})

    @property
    def _streamed_items(self) -> list[ShelfItem]:
        return [item for item in self.stage.shelf if item.stream]

    def _of(self, wanted: Callable[[int], bool]) -> tuple[Passage, ...]:
        """The passages of the sources whose number is wanted."""
        numbers = item_numbers(self.stage.shelf, self.material.shelf)
        return tuple(passage for passage in self.material.passages if wanted(numbers[passage.book]))

    def _make_books(self) -> Iterable[tuple[str, Rows]]:
        """The rows of the text in memory, by name."""
        keep = keep_of(self.stage)
        shelf = self.stage.shelf
        sampled = replace(self.material, passages=self._of(lambda number: shelf[number].stream))
        for part in range(self.stage.parts):
            for number, weight in enumerate(self._weights):
                own = self._of(lambda n, weight=weight: not shelf[n].stream and shelf[n].weight == weight)  # type: ignore[misc]
                rows = rows_of(replace(self.material, passages=own), self.tokenizer, "train", part)
                yield f"train-{part}-{number}", rows if keep is None else rows.masked(keep)
            held = [rows_of(self.in_memory, self.tokenizer, "validation", part)]
            held.append(rows_of(sampled, self.tokenizer, "validation", None))
            yield f"validation-{part}", join_rows(held, [1.0] * len(held))
        replayed, _ = self.replayed
        if replayed is not None:
            rows = rows_of(replayed, self.tokenizer, "train", None)
            yield "replay", rows if keep is None else rows.masked(keep)
        if (before := self.library.earlier) is not None:
            material = before.material(len(before.recipe.curriculum) - 1)
            plain = material.recipe.model_copy(update={"train": self.material.recipe.train})
            yield "forgetting", rows_of(replace(material, recipe=plain), self.tokenizer, "validation", None)

    def _per_epoch(self, own: Sequence[Rows]) -> int:
        return sum(round(len(rows) * weight) for rows, weight in zip(own, self._weights, strict=True))

    def _streams(
        self, sources: Sequence[Source], weights: Sequence[float], wanted: int | None
    ) -> tuple[list[Streamed], list[Rows]]:
        """The rows of the streams: as many of each as its weight says, or all."""
        streamed, every = [], []
        for source, weight in zip(sources, weights, strict=True):
            need = None if wanted is None else max(1, round(wanted * weight / sum(weights)))
            rows, facts = self._stream(source, need)
            streamed.append(Streamed(source, tuple(facts), len(rows), rows.count().text, need))
            every.append(rows)
        return streamed, every

    def _stream(self, source: Source, need: int | None) -> tuple[Rows, list[PieceFacts]]:
        """The rows of one stream; it is read where they are not all there."""
        settings = self.material.recipe.train
        keep, held = keep_of(self.stage), self.library.held
        job = Job(source.corpus, self.tokenizer, settings, self.material.language, held, keep)
        folder = self.folder / f"stream-{source.tag}"
        rows = 0

        def of_piece(facts: PieceFacts) -> None:
            nonlocal rows
            rows += facts.rows
            asked = "" if need is None else f" of {need:,}"
            self.tell(f"{source.corpus.source}: {rows:,}{asked} windows of {settings.window} tokens prepared")

        share = self.company.number, self.company.processes
        prepare_corpus(job, folder, need, share, self.company.meet, Ears(of_piece, self.tell))
        return load_corpus(folder, len(source.corpus.shards), need, self.tokenizer.start)

    def _replay(
        self, books: dict[str, Rows], every: Sequence[Rows], weights: Sequence[float]
    ) -> tuple[Rows, float] | None:
        """What is replayed, and the weight that makes it its share of an epoch."""
        share = self.stage.replay
        if share is None:
            return None
        given = sum(len(rows) * weight for rows, weight in zip(every, weights, strict=True)) * share / (1 - share)
        rows = books.get("replay")
        if rows is None or not len(rows):
            _, again = self.replayed
            if not again:
                raise RecipeError(
                    "train.replay: of the text that the earlier run learned from, nothing is left to mix in",
                    "leave replay out: it is all held out now, or cannot be had",
                    "from",
                )
            rows, _ = self._stream(again[0], max(1, round(given)))
        return rows, given / len(rows)


def windows_wanted(stage: Stage, given: Sequence[int]) -> list[int] | None:
    """Windows that each part takes of the streams, beside the `given` ones of its books; None: all they have."""
    wanted = stage.samples
    if stage.steps is not None:
        wanted = stage.steps * choose_batch(stage).rows_per_step
    return None if wanted is None else [max(1, wanted - own) for own in given]


def _slices(rows: Rows, sizes: Sequence[int]) -> list[Rows]:
    """The rows in their order, cut in proportion to the sizes."""
    edges = [0, *(len(rows) * sum(sizes[: n + 1]) // sum(sizes) for n in range(len(sizes)))]
    return [rows.between(first, last) for first, last in zip(edges, edges[1:], strict=False)]


def keep_of(stage: Stage) -> Keep | None:
    """Which targets `goldfish` leaves; None where it leaves all."""
    if stage.goldfish is None:
        return None
    from quire.training.goldfish import kept

    return partial(kept, k=stage.goldfish)


def _digest(passages: Iterable[Passage]) -> str:
    """What tells this cut of a text from any other."""
    digest = hashlib.sha256()
    for p in passages:
        head = [p.book, p.chapter, p.start, p.stop, p.split, p.part, p.ends_work, len(p.turns)]
        digest.update(json.dumps(head).encode())
        digest.update(p.text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
