from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from corpora import works, write_tables
from quire.books.copies.held_out import RunIndex
from quire.books.streams import sample
from quire.books.streams.corpus import Corpus, open_corpus
from quire.books.streams.sample import load_sample, save_sample, take_sample
from quire.recipe.schema import ShelfItem


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    name = write_tables(tmp_path_factory.mktemp("corpus"), works(3, 120, paragraphs=3), tables=2)
    return open_corpus(ShelfItem(path=name, stream=True, validation=0.2, test=0.2))


def test_what_is_kept_is_held_out_bounded_and_the_same_every_time(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "SPLIT_WORDS", 600)
    monkeypatch.setattr(sample, "WORK_WORDS", 100)
    seen: list[int] = []
    taken = take_sample(corpus, RunIndex([]), lambda: seen.append(1))
    assert len(seen) < 120, "it stops when it has enough"
    for split in ("validation", "test"):
        words = sum(kept.book.words for kept in taken.works if kept.split == split)
        assert 600 <= words < 700
    assert all(not kept.whole and kept.book.words == 100 for kept in taken.works), "120 words each, cut at 100"
    assert take_sample(corpus, RunIndex([])) == taken
    truth = {(work.after.shard, work.after.rows): work for work in corpus.works()}
    for kept in taken.works:
        work = truth[kept.row]
        assert work.split == kept.split
        assert work.book.text.startswith(kept.book.text[:200])


def test_a_work_that_is_learned_elsewhere_is_not_kept(corpus: Corpus) -> None:
    every = take_sample(corpus, RunIndex([]))
    learned = every.works[0].book.text
    kept = take_sample(corpus, RunIndex([learned]))
    assert kept.works == every.works[1:]


def test_what_was_kept_is_read_back_as_it_was(corpus: Corpus, tmp_path: Path) -> None:
    taken = take_sample(corpus, RunIndex([]))
    save_sample(taken, tmp_path)
    assert load_sample(tmp_path) == taken
    (tmp_path / "works.jsonl").write_bytes((tmp_path / "works.jsonl").read_bytes()[:-9])
    with pytest.raises(ValueError, match=r".*"):
        load_sample(tmp_path)


def test_nothing_is_kept_where_nothing_is_held_out_and_time_may_end_it(corpus: Corpus) -> None:
    none = replace(corpus, held=replace(corpus.held, validation=0.0, test=0.0))
    assert take_sample(none, RunIndex([])).works == ()
    assert len(take_sample(corpus, RunIndex([]), until=time.monotonic()).works) <= 2
