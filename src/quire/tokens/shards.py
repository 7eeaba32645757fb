"""The rows of a corpus that is too large for the memory, made table by table and kept in pieces on the disk.

A piece holds some millions of tokens, the rows cut from them, and the place in its table from which the next one goes
on.  Tables know nothing of each other: whoever makes which, and however often that is interrupted, the pieces are the
same.  The rows of a stage are those of its pieces in order, as many as it needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from quire.books.book import Passage, count_words
from quire.books.copies.held_out import RunIndex
from quire.books.foreign import leave_out, whole_work
from quire.books.streams.corpus import Corpus
from quire.books.streams.stream import StreamedWork, StreamPosition, Tally
from quire.errors import BookError
from quire.recipe.schema import TrainSettings
from quire.run.atomic import fresh_folder
from quire.run.manifest import flaw, seal
from quire.tokens.rows import Keep, Rows, make_rows, rows_of_pieces
from quire.tokens.stored import pieces_of, save_piece
from quire.tokens.stretches import Stretch, encode
from quire.tokens.tokenizer import Tokenizer

PIECE_TOKENS = 4_000_000
BATCH_CHARACTERS = 2_000_000
ABOUT = "about.json"


@dataclass(frozen=True)
class Job:
    """How a corpus becomes rows.  `held` is the text that no stage may learn, `keep` thins out the targets."""

    corpus: Corpus
    tokenizer: Tokenizer
    settings: TrainSettings
    language: str
    held: RunIndex
    keep: Keep | None = None
    piece_tokens: int = field(default_factory=lambda: PIECE_TOKENS)


@dataclass
class PieceFacts:
    """What is known of a piece: where it ends, what it holds, what became of the rows of its table."""

    after: list[int] = field(default_factory=lambda: [0, 0, 1, 0])
    last: bool = False
    rows: int = 0
    tokens: int = 0
    trained: int = 0
    words: dict[str, int] = field(default_factory=lambda: {"train": 0, "validation": 0, "test": 0, "left": 0})
    table_rows: int = 0
    works: int = 0
    passed: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    @property
    def position(self) -> StreamPosition:
        return StreamPosition(*self.after)


@dataclass(frozen=True)
class Ears:
    """Who hears of every piece, whether made or found (`of_piece`), and of one that was damaged (`of_damage`)."""

    of_piece: Callable[[PieceFacts], None] = field(default=lambda _facts: None)
    of_damage: Callable[[str], None] = field(default=lambda _text: None)


NOBODY = Ears()


def prepare_corpus(
    job: Job,
    folder: Path,
    need: int | None,
    share: tuple[int, int] = (0, 1),
    meet: Callable[[], None] = lambda: None,
    ears: Ears = NOBODY,
) -> None:
    """Make the pieces of a corpus until they hold `need` rows (None: all of it).  What is there and whole is kept.

    `share` are this process's number and how many there are: they take turns at the tables and `meet` after each round,
    so that all see the same.  May raise BookError.
    """
    mine, processes = share
    for first in range(0, len(job.corpus.shards), processes):
        done = standing_pieces(folder, first)
        rows = sum(facts.rows for _, facts in done)
        if need is not None and rows >= need:
            break
        if first + mine < len(job.corpus.shards):
            prepare_table(job, first + mine, folder, None if need is None else need - rows, ears)
        meet()
    _check(job, standing_pieces(folder, len(job.corpus.shards)))


def prepare_table(
    job: Job,
    number: int,
    folder: Path,
    need: int | None,
    ears: Ears = NOBODY,
) -> None:
    """Make the pieces of one table until they hold `need` rows, or the table ends."""
    at = StreamPosition(number)
    rows = piece = 0
    making: Iterator[tuple[PieceFacts, Rows]] | None = None
    while True:
        target = _piece_folder(folder, number, piece)
        problem = flaw(target, (ABOUT,)) if target.exists() else ""
        if problem:
            ears.of_damage(f"{problem}; it is prepared again")
        known = _facts(target) if problem is None else None
        if known is not None:
            facts, making = known, None
        else:
            making = making or _pieces(job, number, at)
            facts, made = next(making)
            with fresh_folder(target) as fresh:
                save_piece(made.pieces[0], fresh)
                (fresh / ABOUT).write_text(json.dumps(asdict(facts)) + "\n", encoding="utf-8")
                seal(fresh)
        ears.of_piece(facts)
        rows += facts.rows
        at = facts.position
        piece += 1
        if facts.last or (need is not None and rows >= need):
            return


def standing_pieces(folder: Path, tables: int) -> list[tuple[Path, PieceFacts]]:
    """The pieces of the first tables that lie there without a gap, in order, and what is known of each.

    A piece of which nothing can be told, because it is torn, is a gap.
    """
    found = []
    for number in range(tables):
        piece = 0
        while (facts := _facts(path := _piece_folder(folder, number, piece))) is not None:
            found.append((path, facts))
            piece += 1
            if facts.last:
                break
    return found


def load_corpus(folder: Path, tables: int, need: int | None, start: int | None) -> tuple[Rows, list[PieceFacts]]:
    """`need` rows of what was prepared (None: all), evenly spread over the pieces that hold as many, and what is known
    of these pieces."""
    chosen: list[tuple[Path, PieceFacts]] = []
    rows = 0
    for path, facts in standing_pieces(folder, tables):
        if need is not None and rows >= need:
            break
        chosen.append((path, facts))
        rows += facts.rows
    every = rows_of_pieces(pieces_of([path for path, facts in chosen if facts.rows]), start)
    kept = every if need is None else every.spread(need)
    return kept, [facts for _, facts in chosen]


def _check(job: Job, pieces: Sequence[tuple[Path, PieceFacts]]) -> None:
    """A corpus that gives no row at all is a mistake in the recipe."""
    if any(facts.rows for _, facts in pieces):
        return
    dropped: dict[str, int] = {}
    for _, facts in pieces:
        for reason, count in facts.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
    why = max(dropped, key=lambda reason: dropped[reason], default="")
    unreadable = next((text for _, facts in pieces for text in facts.unreadable), "")
    read = sum(facts.table_rows for _, facts in pieces)
    reason = f", {why or unreadable}" if why or unreadable else ""
    raise BookError(
        f"{job.corpus.source} gives no text to train on: {read:,} rows{reason}",
        "look at it with quire read --stream; hold out less of it",
        code="not-a-book",
    )


def _pieces(job: Job, number: int, at: StreamPosition) -> Iterator[tuple[PieceFacts, Rows]]:
    """The pieces of a table from a position on."""
    tally, before = Tally(), Tally()
    facts, stretches, tokens = PieceFacts(), list[Stretch](), 0
    batch: list[StreamedWork] = []
    characters = 0

    def take_batch() -> None:
        nonlocal tokens, characters
        found = _encode(job, batch, facts)
        stretches.extend(found)
        tokens += sum(len(stretch.ids) for stretch in found)
        batch.clear()
        characters = 0

    with closing(job.corpus.works(at, tally, stop=number + 1)) as works:  # type: ignore[type-var]
        for work in works:
            batch.append(work)
            characters += sum(len(block.text) for chapter in work.book.chapters for block in chapter.blocks)
            if characters < BATCH_CHARACTERS:
                continue
            at = work.after
            take_batch()
            if tokens >= job.piece_tokens:
                yield _close(facts, at, tally, before), _cut(job, facts, stretches)
                before = _copy(tally)
                facts, stretches, tokens = PieceFacts(), [], 0
        at = batch[-1].after if batch else at
        take_batch()
    facts.last = True
    yield _close(facts, at, tally, before), _cut(job, facts, stretches)


def _close(facts: PieceFacts, at: StreamPosition, tally: Tally, before: Tally) -> PieceFacts:
    """What became of the rows of the table since the piece before."""
    facts.after = [at.shard, at.rows, at.line, at.offset]
    facts.table_rows, facts.works = tally.rows - before.rows, tally.works - before.works
    facts.passed = tally.left - before.left
    dropped = {reason: count - before.dropped.get(reason, 0) for reason, count in tally.dropped.items()}
    facts.dropped = {reason: count for reason, count in dropped.items() if count}
    facts.unreadable = [f"{one.path}: {one.reason}" for one in tally.unreadable[len(before.unreadable) :]]
    return facts


def _cut(job: Job, facts: PieceFacts, stretches: Sequence[Stretch]) -> Rows:
    rows = make_rows(stretches, job.settings, job.tokenizer.start)
    if job.keep is not None and len(rows):
        rows = rows.masked(job.keep)
    count = rows.count()
    facts.rows, facts.tokens, facts.trained = len(rows), count.text, count.trained
    return rows


def _copy(tally: Tally) -> Tally:
    return Tally(
        tally.rows, tally.works, tally.words, tally.left, dict(tally.dropped), unreadable=list(tally.unreadable)
    )


def _encode(job: Job, works: Sequence[StreamedWork], facts: PieceFacts) -> list[Stretch]:
    """The stretches of some works; what is held out of them, here or elsewhere, is counted and left."""
    passages: list[Passage] = []
    for work in works:
        if work.split != "train":
            facts.words[work.split] += work.book.words
            continue
        whole = whole_work(work.book, work.after.rows - 1, work.split)
        for passage in leave_out(work.book, whole, job.held):
            facts.words[passage.split] += count_words(passage.text)
            passages.append(passage)
    settings = job.settings
    sentences = settings.chunk.sentences if settings.chunk else None
    every = settings.loss == "all"
    return encode(passages, job.tokenizer, "train", None, sentences, job.language, settings.window, every)


def _facts(folder: Path) -> PieceFacts | None:
    """What a piece says of itself; None where it is not there, or torn."""
    try:
        said: Mapping[str, object] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return PieceFacts(**said)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError):
        return None


def _piece_folder(folder: Path, table: int, piece: int) -> Path:
    return folder / f"table-{table:05d}" / f"piece-{piece:05d}"
