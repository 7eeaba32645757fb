"""From a recipe's item to a stream, and the first look into it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loopback_hub import point_client, serve_hub
from quire.books.streams.corpus import look, open_corpus
from quire.errors import BookError
from quire.recipe.schema import ShelfItem

TEXT = "In the {}th year the keeper painted his door, and the barge people said that it would bring him visitors."


def write(path: Path, numbers: range) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"words": TEXT.format(n)}) + "\n" for n in numbers), encoding="utf-8")


def item(path: Path, **more: object) -> ShelfItem:
    return ShelfItem.model_validate({"path": str(path), "stream": True} | more)


def test_a_folder_of_tables_is_a_stream_and_what_is_no_table_is_listed(tmp_path: Path) -> None:
    write(tmp_path / "c" / "b.jsonl", range(3))
    write(tmp_path / "c" / "a.jsonl", range(3, 5))
    (tmp_path / "c" / "novel.txt").write_text("Some words.")
    (tmp_path / "c" / "notes.xlsx").write_text("Some words.")
    corpus = open_corpus(item(tmp_path / "c", text="words"))
    assert [Path(shard.name).name for shard in corpus.shards] == ["a.jsonl", "b.jsonl"]
    assert {Path(bad.path).name: bad.code for bad in corpus.unreadable} == {
        "notes.xlsx": "not-a-book",
        "novel.txt": "wrong-kind",
    }
    assert [work.book.text for work in corpus.works()] == [TEXT.format(n) for n in (3, 4, 0, 1, 2)]
    assert [one.passage.text for one in corpus.passages()] == [TEXT.format(n) for n in (3, 4, 0, 1, 2)]


def test_train_and_test_files_are_what_they_say(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", range(20))
    write(tmp_path / "test.jsonl", range(20, 30))
    corpus = open_corpus(item(tmp_path, validation=0, test=0.5))
    assert look(corpus, seconds=60).splits == {"train": 20, "validation": 0, "test": 10}


def test_a_book_is_no_stream(tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_text("Some words.")
    with pytest.raises(BookError, match="holds no table to stream") as caught:
        open_corpus(item(tmp_path / "novel.txt"))
    assert "leave it out for books" in caught.value.then


def test_a_look_counts_all_and_keeps_the_first_works(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", range(500))
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write("{\n")
    seen = look(open_corpus(item(tmp_path / "a.jsonl")), seconds=60)
    assert seen.tally.whole
    assert (seen.tally.rows, seen.tally.works, sum(seen.splits.values())) == (501, 500, 500)
    assert seen.tally.dropped == {"line that is no JSON": 1}
    assert [book.text for book in seen.sample] == [TEXT.format(n) for n in range(12)]
    assert seen.splits["test"] > seen.splits["validation"] > 0


def test_of_a_data_set_on_the_hub_only_what_is_looked_at_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_hub() as served:
        for number in range(3):
            write(tmp_path / "served" / f"train-{number}.jsonl", range(number * 20_000, (number + 1) * 20_000))
        served.datasets["owner/texts"] = tmp_path / "served"
        point_client(monkeypatch, served.url, tmp_path / "cache")
        corpus = open_corpus(ShelfItem(hub="owner/texts", stream=True))
        assert served.fetched == []
        seen = look(corpus, seconds=0.1)
        assert served.fetched == ["owner/texts/train-0.jsonl"]
        assert seen.source == f"hub:owner/texts@{served.commit('owner/texts')}"
        assert (seen.tables, seen.tally.whole) == (3, False)
        assert seen.sample.books[0].path == "hub:owner/texts/train-0.jsonl"
