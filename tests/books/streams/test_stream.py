"""Streams of rows: in order, from any position, past what is bad, large, slow or deadly."""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from quire.books.book import Split
from quire.books.limits import MIB, PLAIN, Limits, ReadOptions
from quire.books.streams import lines as stream_lines
from quire.books.streams import stream
from quire.books.streams.child import answer
from quire.books.streams.lines import ENDLESS
from quire.books.streams.stream import (
    Held,
    Shard,
    StreamedWork,
    StreamPosition,
    Tally,
    stream_passages,
    stream_works,
)
from quire.errors import BookError

BEGINNING = StreamPosition()
NOTHING_HELD = Held(0, 0)


class _Near:
    """Stands in for the lines of a child: what it says, said in this process, which is quicker to start."""

    def __init__(self, request: bytes, limits: Limits, until: float) -> None:
        self.request = request

    def __enter__(self) -> _Near:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[bytes]:
        return (line.rstrip(b"\n") for line in answer(json.loads(self.request)))

    def begin(self) -> None:
        pass


@pytest.fixture
def apart() -> None:
    """For tests that need the child itself."""


@pytest.fixture(autouse=True)
def near(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "apart" not in request.fixturenames:
        monkeypatch.setattr(stream, "Lines", _Near)


def row(number: int) -> dict[str, object]:
    text = f"In year {number} the river rose {number} times, and the keeper wrote every one of them into his book."
    return {"id": number, "text": text, "age": "old" if number % 3 else "new"}


def write(path: Path, lines: Sequence[object]) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


def shard(path: Path, split: Split | None = None) -> Shard:
    return Shard(path.name, lambda: path, split)


def works(
    shards: Sequence[Shard],
    options: ReadOptions = PLAIN,
    start: StreamPosition = BEGINNING,
    tally: Tally | None = None,
    limits: Limits | None = None,
    until: float = ENDLESS,
) -> list[StreamedWork]:
    return list(stream_works(shards, options, NOTHING_HELD, start, tally, limits, until))


def test_every_position_gives_the_works_that_follow_it(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", [row(0), "", row(1), "no json", row(2)])
    (tmp_path / "b.csv").write_text("text,n\n" + "".join(f'"{row(n)["text"]}",{n}\n' for n in (3, 4)))
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(row(n)) + "\n" for n in (5, 6)).encode()))
    shards = [shard(first), shard(tmp_path / "b.csv"), shard(tmp_path / "c.jsonl.gz")]
    tally = Tally()
    every = works(shards, tally=tally)
    assert [work.book.text for work in every] == [row(n)["text"] for n in range(7)]
    assert (tally.rows, tally.works, tally.whole) == (8, 7, True)
    assert tally.dropped == {"line that is no JSON": 1}
    assert str(tally.examples["line that is no JSON"][0].place) == "row 4"
    for number in (0, 2, 3, 5):
        assert works(shards, start=every[number].after) == every[number + 1 :]


@pytest.mark.usefixtures("apart")
def test_the_child_gives_what_is_said_near(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row(0), "no json", row(1)])
    tally = Tally()
    assert [work.book.text for work in works([shard(path)], tally=tally)] == [row(n)["text"] for n in range(2)]
    assert (tally.rows, tally.whole) == (3, True)


def test_works_and_places_are_named_after_the_table_not_after_its_file_here(tmp_path: Path) -> None:
    path = write(tmp_path / "cached.jsonl", [row(1), row(2)])
    work, _ = works([Shard("hub:owner/name/train.jsonl", lambda: path)])
    assert (work.book.path, work.book.title) == ("hub:owner/name/train.jsonl", "train, line 1")
    (block,) = work.book.chapters[0].blocks
    assert block.place.source == "hub:owner/name/train.jsonl"


def test_a_value_that_nothing_has_names_those_that_exist(tmp_path: Path) -> None:
    shards = [shard(write(tmp_path / f"{name}.jsonl", [row(n) for n in range(4)])) for name in "ab"]
    tally = Tally()
    assert len(works(shards, ReadOptions(where=(("AGE", ("New",)),)), tally=tally)) == 4
    assert (tally.rows, tally.left) == (8, 4)
    with pytest.raises(BookError, match="no row has age = 'lost'; its values are new, old"):
        works(shards, ReadOptions(where=(("age", ("lost",)),)))
    with pytest.raises(BookError, match="no column 'century'"):
        works(shards, ReadOptions(where=(("century", ("lost",)),)))


def test_a_column_that_is_not_there_is_told_before_all_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row(1)])
    with pytest.raises(BookError, match="has no column 'body'; its columns are id, text, age") as caught:
        works([shard(path)], ReadOptions(text="body"))
    assert "--text-column" in caught.value.then
    assert "text:" in caught.value.then


@pytest.mark.usefixtures("apart")
def test_a_row_beyond_the_bounds_costs_itself_alone(tmp_path: Path) -> None:
    large = {"text": "word " * 400_000}
    deadly = '{"text": [' + "[]," * 2_000_000 + "1]}"
    path = write(tmp_path / "a.jsonl", [row(0), large, row(1), deadly, row(2)])
    tally = Tally()
    kept = works([shard(path)], tally=tally, limits=Limits(text=MIB, memory=64 * MIB))
    assert [work.book.text for work in kept] == [row(n)["text"] for n in range(3)]
    assert tally.rows == 5
    assert sorted(tally.dropped) == ["row that needs too much memory", "row with more than 1 MB of text"]


@pytest.mark.usefixtures("apart")
def test_a_row_that_kills_its_reader_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is among the first, by which the table's columns are told."""
    deadly = {"text": "dead"}
    path = write(tmp_path / "a.jsonl", [deadly, row(0), row(1), deadly, deadly, row(2), deadly])
    (tmp_path / "killing.py").write_text(
        "import os, sys\n"
        "from quire.books.rows import json_rows\n"
        "from quire.books.streams import child as stream_child\n"
        "parse = json_rows.parse_line\n"
        "def deadly(data, *more):\n"
        "    return os._exit(9) if b'dead' in data else parse(data, *more)\n"
        "json_rows.parse_line = deadly\n"
        "main = stream_child.main\n"
    )
    start = stream_lines.launch
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "site-packages")])
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "killing.py").rename(tmp_path / "site-packages" / "killing.py")
    monkeypatch.setattr(stream_lines, "launch", lambda _, **pipes: start("killing", **pipes))
    tally = Tally()
    kept = works([shard(path)], tally=tally)
    assert [work.book.text for work in kept] == [row(n)["text"] for n in range(3)]
    assert tally.dropped == {"row whose reader crashed (exit status 9)": 4}


def test_tables_that_cannot_be_read_are_listed_and_the_others_read(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and then nothing")
    good = write(tmp_path / "good.jsonl", [row(0)])
    tally = Tally()
    assert len(works([shard(tmp_path / "bad.parquet"), shard(good)], tally=tally)) == 1
    assert [(bad.path, bad.code) for bad in tally.unreadable] == [("bad.parquet", "damaged")]
    with pytest.raises(BookError, match="damaged Parquet"):
        works([shard(tmp_path / "bad.parquet")])


def test_where_the_first_tables_cannot_be_read_the_others_are_not_even_fetched(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.jsonl", [{"n": n}]) for n in range(9)]
    fetched: list[Path] = []

    def make(path: Path) -> Shard:
        def fetch() -> Path:
            fetched.append(path)
            return path

        return Shard(path.name, fetch)

    with pytest.raises(BookError, match=r"0\.jsonl has no column of text among n"):
        works([make(path) for path in paths])
    assert len(fetched) == 3


@pytest.mark.usefixtures("apart")
def test_a_stream_ends_when_its_time_has_come(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row(n) for n in range(30_000)])
    tally = Tally()
    found = works([shard(path)], tally=tally, until=time.monotonic() + 0.1)
    assert 0 < len(found) < 30_000
    assert not tally.whole


def test_held_out_works_are_the_same_however_often_a_work_comes(tmp_path: Path) -> None:
    rows = [row(n) for n in range(200)]
    shouted = [{"text": str(one["text"]).upper()} for one in rows]
    path = write(tmp_path / "a.jsonl", [*rows, *shouted])
    found = [work.split for work in stream_works([shard(path)], PLAIN, Held(0.1, 0.2))]
    assert found[:200] == found[200:]
    assert 20 <= found[:200].count("test") <= 60
    assert 5 <= found[:200].count("validation") <= 35
    other = [work.split for work in stream_works([shard(path)], PLAIN, Held(0.1, 0.2, seed=8))]
    assert other != found


def test_a_data_set_keeps_its_own_splits(tmp_path: Path) -> None:
    paths = {split: write(tmp_path / f"{split}.jsonl", [row(n) for n in range(40)]) for split in ("train", "test")}
    shards = [shard(paths["train"], "train"), shard(paths["test"], "test")]
    splits = [work.split for work in stream_works(shards, PLAIN, Held(0.3, 0.3))]
    assert "test" not in splits[:40]
    assert "validation" in splits[:40]
    assert splits[40:] == ["test"] * 40


def test_passages_are_the_chapters_of_a_work_all_on_one_side(tmp_path: Path) -> None:
    text = "\n\n".join(f"CHAPTER {n}\n\n{row(n)['text']}\n\n{row(n + 50)['text']}" for n in range(1, 5))
    path = write(tmp_path / "a.jsonl", [{"title": "A Life", "text": text}, row(9)])
    found = list(stream_passages(stream_works([shard(path)], PLAIN, Held(0.4, 0.4))))
    assert [(one.passage.book, one.passage.chapter) for one in found] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]
    assert len({one.passage.split for one in found[:4]}) == 1
    assert [one.passage.ends_work for one in found] == [False, False, False, True, True]
    assert found[0].passage.text.startswith("CHAPTER 1")


def test_speeches_of_plays_are_no_stream(tmp_path: Path) -> None:
    speech = {"play": "The Lock", "act": "I", "scene": "I", "speaker": "KEEPER", "text": "Who goes there?"}
    with pytest.raises(BookError, match="speeches of plays, which are read together"):
        works([shard(write(tmp_path / "a.jsonl", [speech] * 4))])


def test_a_streamed_conversation_is_a_passage_that_knows_its_turns(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Who rows?"}, {"role": "assistant", "content": "She does."}]
    path = write(tmp_path / "chats.jsonl", [{"messages": turns}] * 3)
    for streamed in stream_passages(stream_works([shard(path)], ReadOptions(), Held())):
        passage = streamed.passage
        assert passage.kind == "conversations"
        assert [passage.text[turn.start : turn.stop] for turn in passage.turns] == ["Who rows?", "She does."]
