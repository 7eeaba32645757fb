from __future__ import annotations

from pathlib import Path

from corpora import works, write_tables
from quire.books.copies.held_out import RunIndex
from quire.books.streams.corpus import open_corpus
from quire.books.streams.sample import take_sample
from quire.planner.facts import TextFacts
from quire.recipe.schema import ShelfItem
from quire.tokens.shards import PieceFacts
from quire.verbs.texts.library import Source
from quire.verbs.texts.streamed import Streamed, facts_with_streams


def source(folder: Path) -> Source:
    """Twelve works of 160 words in three tables; half of them held out."""
    item = ShelfItem(path=write_tables(folder, works(2, 12)), stream=True, validation=0.25, test=0.25)
    corpus = open_corpus(item)
    return Source(item, corpus, "hash", take_sample(corpus, RunIndex([])))


def piece(table: int, row: int, last: bool = False, **facts: object) -> PieceFacts:
    words = {"train": 600, "validation": 100, "test": 60, "left": 0}
    return PieceFacts([table, row, 1, 0], last, 40, 1000, 900, words, 9, 8, **facts)  # type: ignore[arg-type]


def test_what_is_said_of_a_stream_names_what_was_read_dropped_and_left(tmp_path: Path) -> None:
    pieces = (piece(0, 9, True, dropped={"row without text": 1}), piece(1, 5))
    line = Streamed(source(tmp_path), pieces, 70, 1750, 70).describe()
    assert "70 windows out of 18 rows (16 works, 1,200 words to learn)" in line
    assert "320 words held out" in line
    assert "1 times row without text" in line
    assert "1 of 3 tables and the rest of 1 left unread" in line
    short = Streamed(source(tmp_path), (piece(0, 9, True), piece(1, 9, True), piece(2, 9, True)), 120, 3000, 300)
    assert "read to its end; 300 windows were asked for: each is seen 2.5 times" in short.describe()


def test_of_the_sample_only_what_was_read_counts(tmp_path: Path) -> None:
    one = source(tmp_path)
    first = [kept for kept in one.sample.works if kept.row[0] == 0]
    assert 0 < len(first) < len(one.sample.works)
    assert Streamed(one, (piece(0, 99, True),), 9, 9, None).kept_words == sum(kept.book.words for kept in first)
    whole = tuple(piece(table, 99, True) for table in range(3))
    assert Streamed(one, whole, 9, 9, None).kept_words == sum(kept.book.words for kept in one.sample.works)


def test_words_that_are_learned_are_those_of_the_rows_that_are_used(tmp_path: Path) -> None:
    streamed = Streamed(source(tmp_path), (piece(0, 9), piece(0, 18)), 40, 500, 40)
    assert streamed.learned_words == 300, "a quarter of the tokens that were made"
    facts = facts_with_streams(TextFacts(10, 1, 1, 1, (1,), (1,), works=1), [streamed])
    assert (facts.words, facts.works) == (310, 17)
