from __future__ import annotations

import json
from pathlib import Path

import pytest

from corpora import works, write_tables
from quire.books.copies.held_out import RunIndex
from quire.books.streams.corpus import open_corpus
from quire.errors import BookError
from quire.recipe.schema import ShelfItem, TrainSettings
from quire.tokens import shards
from quire.tokens.rows import make_rows
from quire.tokens.shards import ABOUT, Ears, Job, load_corpus, prepare_corpus, prepare_table, standing_pieces
from quire.tokens.stretches import encode
from quire.tokens.tokenizer import Tokenizer, load_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Tokenizer:
    return load_tokenizer(tiny_base)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "BATCH_CHARACTERS", 3_000)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_tables(tmp_path_factory.mktemp("corpus"), works(6, 60), tables=2)


def job_of(name: str, tokenizer: Tokenizer, piece: int = 3_000, **held: float) -> Job:
    item = ShelfItem(path=name, stream=True, **({"validation": 0.0, "test": 0.0} | held))
    return Job(open_corpus(item), tokenizer, TrainSettings(window=64), "", RunIndex([]), piece_tokens=piece)


def test_the_rows_are_those_of_the_works_piece_by_piece(tables: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    job = job_of(tables, tokenizer)
    prepare_corpus(job, tmp_path, None)
    rows, facts = load_corpus(tmp_path, 2, None, tokenizer.start)
    assert len(facts) > 4
    texts = [stretch.ids.tolist() for stretch in rows.stretches]
    expected = [[*tokenizer.encode(passage.passage.text), tokenizer.end_of_text] for passage in job.corpus.passages()]
    assert texts == expected
    assert rows.ends_not_learned().tolist() == []
    assert sum(f.rows for f in facts) == len(rows)
    assert sum(f.tokens for f in facts) == rows.count().text == sum(map(len, expected))
    assert sum(f.works for f in facts) == sum(f.table_rows for f in facts) == 60
    assert sum(f.words["train"] for f in facts) == sum(len(text.split()) for text in works(6, 60))


def test_as_many_windows_as_are_wanted_and_no_table_more(tables: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    heard: list[int] = []
    prepare_corpus(job_of(tables, tokenizer), tmp_path, 50, ears=Ears(lambda facts: heard.append(facts.rows)))
    rows, facts = load_corpus(tmp_path, 2, 50, tokenizer.start)
    assert len(rows) == 50
    assert sum(heard[:-1]) < 50 <= sum(heard)
    assert [path.parent.name for path, _ in standing_pieces(tmp_path, 2)] == ["table-00000"] * len(facts)
    every, _ = load_corpus(tmp_path, 2, None, tokenizer.start)
    picked = [index * len(every) // 50 for index in range(50)]
    assert [rows.arrays(i).targets.tolist() for i in range(50)] == [every.arrays(i).targets.tolist() for i in picked]
    assert picked[-1] > 0.9 * len(every), "from all that was prepared, not from its first works"


def test_a_table_is_the_same_whether_it_is_made_at_once_or_after_others(
    tables: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    job = job_of(tables, tokenizer)
    prepare_table(job, 1, tmp_path / "alone", None)
    prepare_corpus(job, tmp_path / "all", None)
    alone, every = (sorted((tmp_path / name / "table-00001").rglob("*.npy")) for name in ("alone", "all"))
    assert [path.read_bytes() for path in alone] == [path.read_bytes() for path in every]


def test_what_is_held_out_is_not_tokenised_and_rows_that_are_bad_are_counted(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    name = write_tables(tmp_path / "corpus", works(8, 60), tables=1)
    table = Path(name.replace("*", "0"))
    lines = table.read_text(encoding="utf-8").splitlines()
    lines[3:3] = ['{"text": ', '{"text": ""}', json.dumps({"text": None})]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    job = job_of(name, tokenizer, piece=10**6, validation=0.2, test=0.2)
    prepare_corpus(job, tmp_path / "made", None)
    (_, facts), *more = standing_pieces(tmp_path / "made", 1)
    assert not more
    assert facts.table_rows == 63
    assert sum(facts.dropped.values()) == 3
    assert facts.works == 60
    assert facts.words["train"] + facts.words["validation"] + facts.words["test"] == 60 * 160
    assert facts.words["test"] > 0
    rows, _ = load_corpus(tmp_path / "made", 1, None, tokenizer.start)
    trained = [work for work in job.corpus.works() if work.split == "train"]
    assert len(rows.stretches) == len(trained)


def test_a_corpus_without_a_row_to_learn_from_says_why(tokenizer: Tokenizer, tmp_path: Path) -> None:
    name = write_tables(tmp_path / "corpus", works(8, 6), tables=1)
    job = job_of(name, tokenizer, test=0.5, validation=0.499)
    held = Job(job.corpus, tokenizer, job.settings, "", RunIndex(works(8, 6)))
    with pytest.raises(BookError, match="gives no text to train on"):
        prepare_corpus(held, tmp_path / "made", None)


def test_targets_are_thinned_out_as_the_rows_are_made(tables: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    plain = job_of(tables, tokenizer)
    thin = Job(plain.corpus, tokenizer, plain.settings, "", plain.held, keep=lambda ids, _: ids % 2 == 0)
    prepare_corpus(thin, tmp_path, 20)
    rows, facts = load_corpus(tmp_path, 2, None, tokenizer.start)
    ends = {tokenizer.end_of_text}
    learned = {int(t) for i in range(len(rows)) for t in rows.arrays(i).targets if t >= 0}
    assert all(token % 2 == 0 or token in ends for token in learned)
    assert sum(f.trained for f in facts) == rows.count().trained < rows.count().text


def test_one_piece_holds_what_rows_made_in_memory_hold(tables: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    job = job_of(tables, tokenizer, piece=10**9)
    prepare_table(job, 0, tmp_path, None)
    rows, _ = load_corpus(tmp_path, 1, None, tokenizer.start)
    passages = [p.passage for p in job.corpus.passages() if p.after.shard == 0]
    expected = make_rows(encode(passages, tokenizer, "train"), job.settings, tokenizer.start)
    assert len(rows) == len(expected)
    for index in range(len(rows)):
        assert rows.arrays(index).inputs.tolist() == expected.arrays(index).inputs.tolist()


def test_a_torn_piece_is_a_gap_and_is_prepared_again(tables: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    job = job_of(tables, tokenizer)
    prepare_corpus(job, tmp_path, None)
    whole, _ = load_corpus(tmp_path, 2, None, tokenizer.start)
    (*_, (last, _)) = before = standing_pieces(tmp_path, 2)
    (last / ABOUT).write_text('{"rows": ', encoding="utf-8")
    assert standing_pieces(tmp_path, 2) == before[:-1]
    prepare_corpus(job, tmp_path, None)
    again, _ = load_corpus(tmp_path, 2, None, tokenizer.start)
    assert len(again) == len(whole)
