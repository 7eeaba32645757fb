"""A corpus of any size, row by row in constant memory: where it stands is known, and restored without replaying.

The tables (shards) of a stream are read one after the other, each by a child process; a row that is bad, too large, too
slow or deadly is dropped with its reason, and the stream goes on behind it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from quire.books.book import Book, Dropped, Passage, Place, Split
from quire.books.kinds import check_file
from quire.books.limits import MIB, Limits, ReadOptions
from quire.books.rows.row import START, Position
from quire.books.spans import normalise_words
from quire.books.walls.child import PASSED_ON, ending, signals_held_back
from quire.books.walls.nursery import NO_MEMORY
from quire.books.walls.wire import TooMuch, Unpacker
from quire.errors import BOOK_FAULTS, BookError

_EXAMPLES = 3
_MOST_REASONS = 200
# A table whose reader dies so often without a row between has no rows that can be reached.
_MOST_DEATHS = 3
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Shard:
    """One table of a stream: its name, how its file is come by, and which split the data set says it is."""

    name: str
    fetch: Callable[[], Path]
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Between two rows: the number of the shard, and the place in it.  Plain numbers, to be kept in a checkpoint."""

    shard: int = 0
    rows: int = 0
    line: int = 1
    offset: int = 0


@dataclass
class Tally:
    """What became of the rows so far: they are works, left out by `where`, or dropped with a reason."""

    rows: int = 0
    works: int = 0
    words: int = 0
    left: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[Dropped]] = field(default_factory=dict)

    def drop(self, reason: str, text: str, place: Place, count: int = 1) -> None:
        # A reason holds what a library said, which a stranger's file may make endless.
        kept = reason if reason in self.dropped or len(self.dropped) < _MOST_REASONS else "other reasons"
        self.rows += count
        self.dropped[kept] = self.dropped.get(kept, 0) + count
        examples = self.examples.setdefault(kept, [])
        if len(examples) < _EXAMPLES:
            examples.append(Dropped(reason, text[:200], place))


@dataclass(frozen=True, slots=True)
class StreamedWork:
    """A work, the split it belongs to, and the position right after its row."""

    book: Book
    split: Split
    after: StreamPosition


@dataclass(frozen=True, slots=True)
class StreamedPassage:
    """A passage, and the position from which the next work comes."""

    passage: Passage
    after: StreamPosition


@dataclass(frozen=True)
class Held:
    """What is held out of a stream: shares of its works, drawn by the words of each."""

    validation: float = 0.05
    test: float = 0.10
    seed: int = 7

    def split_of(self, book: Book, own: Split | None, splits: frozenset[Split | None]) -> Split:
        """The data set's own split; otherwise drawn by a hash, so that a work that comes twice is on one side."""
        if own in ("validation", "test"):
            return own
        words = "\n".join(
            " ".join(normalise_words(block.text)) for chapter in book.chapters for block in chapter.blocks
        )
        digest = blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8, salt=self.seed.to_bytes(16, "little"))
        drawn = int.from_bytes(digest.digest(), "little") / 2**64
        if "test" not in splits and drawn < self.test:
            return "test"
        if "validation" not in splits and drawn >= 1 - self.validation:
            return "validation"
        return "train"


def stream_works(
    shards: Sequence[Shard],
    options: ReadOptions,
    held: Held,
    start: StreamPosition = StreamPosition(),
    tally: Tally | None = None,
    limits: Limits | None = None,
) -> Iterator[StreamedWork]:
    """The works of all shards from a position on.  What is dropped is counted in `tally`.

    Raises BookError for a shard that cannot be read at all, where it is the only one; among others it is dropped.
    """
    tally = tally if tally is not None else Tally()
    splits = frozenset(shard.split for shard in shards)
    for number, shard in enumerate(shards[start.shard :], start=start.shard):
        at = Position(start.rows, start.line, start.offset) if number == start.shard else START
        try:
            for book, after in _Reader(shard, options, limits or Limits(), tally).works(at):
                position = StreamPosition(number, after.rows, after.line, after.offset)
                yield StreamedWork(book, held.split_of(book, shard.split, splits), position)
        except BookError as error:
            if len(shards) == 1:
                raise
            tally.drop(f"table that cannot be read ({error.code})", error.what, Place(shard.name, "row", 1))


def stream_passages(
    shards: Sequence[Shard],
    options: ReadOptions,
    held: Held,
    start: StreamPosition = StreamPosition(),
    tally: Tally | None = None,
    limits: Limits | None = None,
) -> Iterator[StreamedPassage]:
    """The chapters of the works as passages.  `Passage.book` is the number of the work's row in its shard.

    A work lies whole in one split, so that nothing of it crosses.
    """
    for work in stream_works(shards, options, held, start, tally, limits):
        chapters = [(number, chapter.text) for number, chapter in enumerate(work.book.chapters) if chapter.text]
        for number, text in chapters:
            ends = number == chapters[-1][0]
            passage = Passage(text, work.after.rows - 1, number, 0, len(text), work.split, ends_work=ends)
            yield StreamedPassage(passage, work.after)


class _Died(Exception):
    """The child is gone, or had to go; says why."""


class _Reader:
    """Reads one shard, with a new child wherever one has died."""

    def __init__(self, shard: Shard, options: ReadOptions, limits: Limits, tally: Tally) -> None:
        self.shard, self.options, self.limits, self.tally = shard, options, limits, tally
        self.decided: list[str] | None = None
        self.at = START

    def works(self, start: Position) -> Iterator[tuple[Book, Position]]:
        path = self.shard.fetch()
        check_file(path, Limits(file=sys.maxsize))
        self.at = start
        skip = 0
        while True:
            before = self.at
            try:
                yield from self._child(path, skip)
                return
            except _Died as died:
                skip = skip + 1 if self.at == before else 1
                place = Place(self.shard.name, "row", self.at.rows + skip)
                if skip > _MOST_DEATHS or self.decided is None:
                    self.tally.drop(f"the rest of the table, whose reader {died}", "", place)
                    return
                self.tally.drop(f"row whose reader {died}", "", place)

    def _child(self, path: Path, skip: int) -> Iterator[tuple[Book, Position]]:
        """The works from `at` on, until the table or the child ends."""
        with _Lines(self._request(path, skip), self.limits) as lines:
            unpacker = Unpacker(self.limits)
            for line in lines:
                try:
                    name = line[2 : line.index(b'"', 2)]
                    if name == b"row":
                        book, self.at = _whole(unpacker), _position(json.loads(line)[2])
                        unpacker = Unpacker(self.limits)
                        self.tally.rows += 1
                        self.tally.works += 1
                        self.tally.words += book.words
                        yield replace(book, path=self.shard.name), self.at
                        lines.begin()
                    elif name in (b"bad", b"left", b"decided", b"fault", b"done", b"beat"):
                        if self._hear(*json.loads(line)):
                            return
                        if name in (b"bad", b"left"):
                            lines.begin()
                    else:
                        unpacker.take(line)
                except TooMuch as error:
                    raise _Died(f"gave {error}") from None
                except (ValueError, TypeError, IndexError, KeyError):
                    raise _Died("gave something else than works") from None
        raise _Died(lines.ending())

    def _hear(self, name: str, *values: Any) -> bool:
        """What the child says besides works; True at the end."""
        if name == "decided":
            self.decided = [str(value) for value in values]
        elif name == "left":
            self.at = _position(values[0])
            self.tally.rows += 1
            self.tally.left += 1
        elif name == "bad":
            number, reason, text, count, after = values
            self.tally.drop(str(reason), str(text), Place(self.shard.name, "row", int(number)), max(1, int(count)))
            self.at = _position(after)
        elif name == "fault":
            what, then, code = map(str, values)
            raise BookError(what, then=then, code=next((known for known in BOOK_FAULTS if known == code), "unreadable"))
        return name == "done"

    def _request(self, path: Path, skip: int) -> bytes:
        request = {
            "path": os.fsdecode(path.absolute()),
            "options": asdict(self.options),
            "limits": asdict(self.limits),
            "start": [self.at.rows, self.at.line, self.at.offset],
            "decided": self.decided,
            "skip": skip,
        }
        return json.dumps(request).encode("ascii")


def _whole(unpacker: Unpacker) -> Book:
    (book,) = unpacker.books
    return book


def _position(values: Sequence[int]) -> Position:
    rows, line, offset = map(int, values)
    return Position(rows, line, offset)


class _Lines:
    """The lines of a child.  It waits while nobody asks for more; who asks waits no longer than the limits say."""

    def __init__(self, request: bytes, limits: Limits) -> None:
        self._limits = limits
        with signals_held_back():
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-X", "utf8", "-m", "quire.books.rows.stream_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={key: os.environ[key] for key in PASSED_ON if key in os.environ},
            )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(request)
        # Python and its libraries take their time.
        self._begun = self._alive = time.monotonic() + _START_SECONDS

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def begin(self) -> None:
        """A row is done: the next has its own time."""
        self._begun = self._alive = time.monotonic()

    def __iter__(self) -> Iterator[bytes]:
        assert self._process.stdout is not None
        source = self._process.stdout.fileno()
        waiting = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(source, selectors.EVENT_READ)
            while True:
                silent = self._alive + self._limits.silence
                late = self._begun + self._limits.seconds
                if not selector.select(max(0.0, min(silent, late) - time.monotonic())):
                    if late < silent:
                        raise _Died(f"was not done with it within {self._limits.seconds:.0f} s")
                    raise _Died(f"gave no sign of life for {self._limits.silence:.0f} s")
                chunk = os.read(source, MIB)
                if not chunk:
                    return
                waiting += chunk
                if len(waiting) > 5 * self._limits.text:
                    raise _Died(f"gave more than {self._limits.text // MIB} MB")
                self._alive = time.monotonic()
                self._begun = min(self._begun, self._alive)
                if b"\n" in chunk:
                    *lines, rest = waiting.split(b"\n")
                    waiting = rest
                    yield from map(bytes, lines)

    def ending(self) -> str:
        """How the child ended, when its lines did."""
        status = self._process.wait()
        return "needed too much memory" if status == NO_MEMORY else f"crashed ({ending(status)})"
