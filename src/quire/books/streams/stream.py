"""A corpus of any size, row by row in constant memory: where it stands is known, and restored without replaying.

The tables (shards) of a stream are read one after the other, each by a child process; a row that is bad, too large, too
slow or deadly is dropped with its reason, and the stream goes on behind it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from quire.books.book import SAID, Book, Dropped, Passage, Place, Split, Unreadable, turns_of
from quire.books.copies.spans import normalise_words
from quire.books.kinds import check_file
from quire.books.limits import Limits, ReadOptions
from quire.books.rows.columns import NAME_COLUMN
from quire.books.rows.row import START, Position
from quire.books.rows.where import Filter
from quire.books.rows.works import HEAD_ROWS
from quire.books.streams.lines import ENDLESS, Died, Enough, Lines
from quire.books.walls.memory import room
from quire.books.walls.wire import TooMuch, Unpacker
from quire.errors import BOOK_FAULTS, BookError, printable

_EXAMPLES = 3
_MOST_REASONS = 200
# A table whose reader dies so often without a row between has no rows that can be reached.
_MOST_DEATHS = 3
# So many tables in a row, from the first on, that cannot be read: then it is the recipe that is wrong.
_MOST_REFUSED = 3
_MOST_UNREADABLE = 1000
# What a child says besides the pieces of works.
_SAID = (b"bad", b"left", b"seen", b"decided", b"fault", b"done", b"beat")


@dataclass(frozen=True, slots=True)
class Shard:
    """One table of a stream: its name, how its file is come by, and which split the data set says it is.

    `size` in bytes is known without fetching it; None where it is here.
    """

    name: str
    fetch: Callable[[], Path]
    split: Split | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Between two rows: the number of the shard, and the place in it.  Plain numbers, to be kept in a checkpoint."""

    shard: int = 0
    rows: int = 0
    line: int = 1
    offset: int = 0


@dataclass
class Tally:
    """What became of the rows so far: they are works, left out by `where`, or dropped with a reason.

    `whole` says that the stream was read to its end; `unreadable` are tables of which nothing could be had.
    """

    rows: int = 0
    works: int = 0
    words: int = 0
    left: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[Dropped]] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    whole: bool = False

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
    until: float = ENDLESS,
    stop: int | None = None,
) -> Iterator[StreamedWork]:
    """The works of all shards from a position on, or of those before shard `stop`.  What is dropped is counted in
    `tally`.

    It ends early when `until` has come, in seconds of time.monotonic.  Raises BookError for a shard that cannot be read
    at all, where it is the only one or the first few are all such; among others it is listed.  A whole stream without
    any work is an error as well.
    """
    tally = tally if tally is not None else Tally()
    splits = frozenset(shard.split for shard in shards)
    asked = Filter(options.where)
    refused: list[BookError] = []
    for number, shard in enumerate(shards[start.shard : stop], start=start.shard):
        at = Position(start.rows, start.line, start.offset) if number == start.shard else START
        try:
            for book, after in _Reader(shard, options, limits or Limits(), tally, asked, until).works(at):
                position = StreamPosition(number, after.rows, after.line, after.offset)
                yield StreamedWork(book, held.split_of(book, shard.split, splits), position)
        except Enough:
            if start == StreamPosition() and not tally.works and tally.rows:
                raise _no_works(f"what was read of {shards[0].name} ({tally.rows:,} rows)", tally, asked) from None
            return
        except BookError as error:
            refused.append(error)
            if len(shards) == 1 or (not tally.rows and len(refused) >= min(_MOST_REFUSED, len(shards))):
                raise refused[0] from None
            if len(tally.unreadable) < _MOST_UNREADABLE:
                tally.unreadable.append(Unreadable(shard.name, error.what, error.code))
    tally.whole = stop is None
    if tally.whole and start == StreamPosition() and not tally.works:
        more = f" and {len(shards) - 1} tables more" if len(shards) > 1 else ""
        raise _no_works(shards[0].name + more, tally, asked)


def _no_works(name: str, tally: Tally, asked: Filter) -> BookError:
    """Why nothing came of all the rows."""
    try:
        if tally.left:
            asked.check(name)
    except BookError as error:
        return error
    why = max(tally.dropped, key=lambda reason: tally.dropped[reason], default="no rows")
    return BookError(f"{name} holds no text: {tally.rows:,} rows, {why}", then=NAME_COLUMN, code="not-a-book")


def stream_passages(works: Iterable[StreamedWork]) -> Iterator[StreamedPassage]:
    """The chapters of the works as passages.  `Passage.book` is the number of the work's row in its shard.

    A work lies whole in one split, so that nothing of it crosses.
    """
    for work in works:
        chapters = [(number, chapter.text) for number, chapter in enumerate(work.book.chapters) if chapter.text]
        for number, text in chapters:
            ends = number == chapters[-1][0]
            turns = turns_of(work.book.chapters[number]) if work.book.kind in SAID else ()
            row = work.after.rows - 1
            passage = Passage(text, row, number, 0, len(text), work.split, 0, ends, turns, work.book.kind)
            yield StreamedPassage(passage, work.after)


class _Reader:
    """Reads one shard, with a new child wherever one has died."""

    def __init__(
        self, shard: Shard, options: ReadOptions, limits: Limits, tally: Tally, asked: Filter, until: float
    ) -> None:
        self.shard, self.options, self.tally = shard, options, tally
        self.limits = replace(limits, memory=room(limits.memory))
        self.asked, self.until = asked, until
        self.decided: list[str] | None = None
        self.careful, self.head = False, HEAD_ROWS
        self.at = START
        self.path = Path()

    def works(self, start: Position) -> Iterator[tuple[Book, Position]]:
        if time.monotonic() >= self.until:
            raise Enough
        self.path = self.shard.fetch()
        check_file(self.path, Limits(file=sys.maxsize))
        self.at = start
        while True:
            before = self.at
            try:
                yield from self._child()
                return
            except Died as died:
                if self._try_again(before):
                    continue
                place = Place(self.shard.name, "row", self.at.passed)
                if self.at.skip > _MOST_DEATHS:
                    self.tally.drop(f"the rest of the table, whose reader {died}", "", place)
                    return
                self.tally.drop(f"row whose reader {died}", "", place)

    def _try_again(self, before: Position) -> bool:
        """After a death: whether to go on from where it stands, or from behind the row that did it, once that is known.

        One that came with rows in hand may have died of any of those that were not heard of any more: the next one
        says every row at once.  If the table's columns are not known yet, it looks at its first row alone.
        """
        if not self.careful or self.at != before:
            self.careful, self.head = True, 1
            return True
        self.at = replace(self.at, skip=self.at.skip + 1)
        return False

    def _child(self) -> Iterator[tuple[Book, Position]]:
        """The works from `at` on, until the table or the child ends."""
        with Lines(self._request(), self.limits, self.until) as lines:
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
                        yield book, self.at
                        lines.begin()
                    elif name in _SAID:
                        if self._hear(*json.loads(line)):
                            return
                        if name in (b"bad", b"left"):
                            lines.begin()
                    else:
                        unpacker.take(line)
                except TooMuch as error:
                    raise Died(f"gave {error}") from None
                except BookError:
                    raise
                except (ValueError, TypeError, IndexError, KeyError):
                    raise Died("gave something else than works") from None
        raise Died(lines.ending())

    def _hear(self, name: str, *values: Any) -> bool:
        """What the child says besides works; True at the end."""
        if name == "decided":
            self.decided = [str(value) for value in values]
        elif name == "seen":
            self.asked.learn(*map(str, values))
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
            what = what.replace(printable(str(self.path)), self.shard.name)
            raise BookError(what, then=then, code=next((known for known in BOOK_FAULTS if known == code), "unreadable"))
        return name == "done"

    def _request(self) -> bytes:
        request = {
            "path": os.fsdecode(self.path.absolute()),
            "name": self.shard.name,
            "options": asdict(self.options),
            "limits": asdict(self.limits),
            "start": [self.at.rows, self.at.line, self.at.offset, self.at.skip],
            "decided": self.decided,
            "head": self.head,
            "careful": self.careful,
        }
        return json.dumps(request).encode("ascii")


def _whole(unpacker: Unpacker) -> Book:
    (book,) = unpacker.books
    return book


def _position(values: Sequence[int]) -> Position:
    rows, line, offset = map(int, values)
    return Position(rows, line, offset)
