"""What became of a stream's text: how much was read, learned, held out, dropped, and left unread."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from quire.books.book import Split
from quire.planner.facts import TextFacts
from quire.planner.schedule import BatchChoice
from quire.tokens.rows import Rows
from quire.tokens.shards import PieceFacts
from quire.tokens.tokenizer import Tokenizer
from quire.verbs.texts.library import Source
from quire.verbs.texts.material import LEFT, Account, Material, account, reached_rows

NOT_KEPT, NOT_NEEDED, REPLAYED = "held out, not kept", "not needed", "replayed"
HELD: tuple[Split, ...] = ("validation", "test")


@dataclass(frozen=True)
class Mixed:
    """The rows of one part by where they come from; together, in this order, they are the part's."""

    own: tuple[Rows, ...]
    replayed: Rows | None
    streams: tuple[Rows, ...]
    joined: Rows


@dataclass(frozen=True)
class Streamed:
    """A stream as it was prepared: what is known of the pieces that were used, and how many rows were wanted."""

    source: Source
    pieces: tuple[PieceFacts, ...]
    rows: int
    tokens: int
    wanted: int | None

    def words(self, split: Split) -> int:
        return sum(facts.words[split] for facts in self.pieces)

    @property
    def kept_words(self) -> int:
        """Words of the sample that come from the rows that were read."""
        reached: dict[int, int] = {}
        for facts in self.pieces:
            table, row = facts.after[:2]
            reached[table] = max(reached.get(table, 0), row if not facts.last else 2**62)
        inside = (kept for kept in self.source.sample.works if kept.row[1] <= reached.get(kept.row[0], -1))
        return sum(kept.book.words for kept in inside)

    @property
    def learned_words(self) -> int:
        """Words of the rows that are used, by their share of the tokens that were made."""
        return round(self.words("train") * self.tokens / max(1, self.made_tokens))

    @property
    def made_tokens(self) -> int:
        return sum(facts.tokens for facts in self.pieces)

    def describe(self) -> str:
        """One line: what was read of it, what became of that, and what was left unread."""
        rows = sum(facts.table_rows for facts in self.pieces)
        works = sum(facts.works for facts in self.pieces)
        tables = {facts.after[0] for facts in self.pieces}
        whole = {facts.after[0] for facts in self.pieces if facts.last}
        every = len(self.source.corpus.shards)
        dropped: dict[str, int] = {}
        for facts in self.pieces:
            for reason, count in facts.dropped.items():
                dropped[reason] = dropped.get(reason, 0) + count
        said = [
            f"{self.rows:,} windows out of {rows:,} rows ({works:,} works, {self.words('train'):,} words to learn)",
            f"{sum(map(self.words, HELD)):,} words held out",
        ]
        if self.words("left"):
            said.append(f"{self.words('left'):,} words left out that stand in the held-out text of the recipe")
        if passed := sum(facts.passed for facts in self.pieces):
            said.append(f"{passed:,} rows that were not asked for")
        said += [f"{count:,} times {reason}" for reason, count in sorted(dropped.items(), key=lambda one: -one[1])[:3]]
        said += [text for facts in self.pieces for text in facts.unreadable][:2]
        if len(whole) == every:
            said.append("read to its end")
        else:
            part = f" and the rest of {len(tables - whole)}" if tables - whole else ""
            said.append(f"{every - len(tables)} of {every} tables{part} left unread")
        if self.wanted is not None and self.rows < self.wanted:
            times = self.wanted / max(1, self.rows)
            said.append(f"{self.wanted:,} windows were asked for: each is seen {times:.1f} times")
        return f"{self.source.corpus.source}: {'; '.join(said)}"


def facts_with_streams(facts: TextFacts, streamed: Sequence[Streamed]) -> TextFacts:
    """What the planner is told, with the words and works of streams."""
    return replace(
        facts,
        words=facts.words + sum(stream.learned_words for stream in streamed),
        works=facts.works + sum(piece.works for stream in streamed for piece in stream.pieces),
    )


def account_of_all(
    material: Material,
    tokenizer: Tokenizer,
    parts: Sequence[Mixed],
    streamed: Sequence[Streamed],
    choice: BatchChoice,
    seed: int | None,
) -> Account:
    """Where every word and token of a stage went: of its books, of what is replayed, of its streams.

    Of a stream, words are counted while it is read; those that are only read, not needed or not reached are reckoned by
    their tokens' share.
    """
    reached = [reached_rows(part.joined, number, material.recipe, choice, seed) for number, part in enumerate(parts)]
    own = [rows for part in parts for rows in part.own]
    seen: list[Collection[int] | None] = []
    replayed = learned = every = text = 0
    for part, indices in zip(parts, reached, strict=True):
        at = 0
        for rows in part.own:
            seen.append(_within(indices, at, at + len(rows)))
            at += len(rows)
        if part.replayed is not None:
            replayed += part.replayed.count(_within(indices, at, at + len(part.replayed))).trained
            at += len(part.replayed)
        for rows in part.streams:
            learned += rows.count(_within(indices, at, at + len(rows))).trained
            count = rows.count()
            every, text = every + count.trained, text + count.text
            at += len(rows)
    books = account(material, tokenizer, own, choice, seed, seen)
    words, tokens = dict(books.words), dict(books.tokens)
    if replayed:
        share = replayed / max(1, sum(tokens.values()))
        words[REPLAYED], tokens[REPLAYED] = round(share * sum(words.values())), replayed
    if streamed:
        made = sum(stream.made_tokens for stream in streamed)
        read = sum(stream.words("train") for stream in streamed)
        split = {"context only": text - every, "not reached": every - learned, NOT_NEEDED: made - text}
        shares = {name: round(read * some / max(1, made)) for name, some in split.items()}
        split["trained"], shares["trained"] = learned, read - sum(shares.values())
        for name, some in split.items():
            if some or name in tokens:
                tokens[name] = tokens.get(name, 0) + some
                words[name] = words.get(name, 0) + shares[name]
        apart = {
            NOT_KEPT: sum(sum(map(stream.words, HELD)) - stream.kept_words for stream in streamed),
            LEFT: sum(stream.words("left") for stream in streamed),
        }
        words |= {name: words.get(name, 0) + more for name, more in apart.items() if more}
    return Account(words, tokens)


def _within(indices: Collection[int] | None, first: int, last: int) -> Collection[int] | None:
    """Those of the rows that lie between two, counted from the first of them."""
    return None if indices is None else {index - first for index in indices if first <= index < last}
