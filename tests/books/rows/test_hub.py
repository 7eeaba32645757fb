"""Data sets on the hub, spoken to on loopback: tables, splits, parts, revisions, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from loopback_hub import LoopbackHub, point_client, serve_hub
from quire.books.reading import read_shelf
from quire.books.rows import hub
from quire.books.rows.hub import Dataset, HubFile, find_dataset
from quire.errors import BookError, RecipeError
from quire.recipe.schema import ShelfItem

VERSE = "The mill has stopped, {}\nAnd we\nHave all night\nTo listen."
POEMS = [{"title": f"Poem {n}", "content": VERSE.format(n), "age": "Modern" if n % 2 else "Old"} for n in range(12)]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with serve_hub() as there:
        folder = tmp_path / "served"
        (folder / "data").mkdir(parents=True)
        for split, rows in (("train", POEMS[:8]), ("test", POEMS[8:10]), ("validation", POEMS[10:])):
            parquet.write_table(pa.Table.from_pylist(rows), folder / "data" / f"{split}-00000-of-00001.parquet")
        (folder / "README.md").write_text("---\n---\n", encoding="utf-8")
        (folder / "poems.py").write_text("raise SystemExit('never run')", encoding="utf-8")
        there.datasets["owner/poems"] = folder
        point_client(monkeypatch, there.url, tmp_path / "cache")
        yield there


def add(served: LoopbackHub, tmp_path: Path, name: str, files: dict[str, str]) -> None:
    folder = tmp_path / name.replace("/", "-")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    served.datasets[name] = folder


def splits(dataset: Dataset) -> list[tuple[str, str]]:
    return [(file.path, file.split) for file in dataset.files]


ROW = json.dumps({"text": "Some words that are a text."})


def test_a_data_set_is_read_with_its_own_splits(served: LoopbackHub) -> None:
    shelf = read_shelf([ShelfItem(hub="owner/poems")])
    assert sorted(book.title for book in shelf) == sorted(str(row["title"]) for row in POEMS)
    assert {(book.title, book.split) for book in shelf} >= {
        ("Poem 0", "train"),
        ("Poem 9", "test"),
        ("Poem 11", "validation"),
    }
    assert shelf.sources == (f"hub:owner/poems@{served.commit('owner/poems')}",)
    book = shelf.books[0]
    assert book.path.startswith("hub:owner/poems/data/")
    assert book.chapters[0].blocks[0].place.source == book.path
    assert not any(file.endswith(".py") for file in served.fetched)


def test_a_split_that_is_named_is_read_alone_and_then_cut_like_any_text(served: LoopbackHub) -> None:
    shelf = read_shelf([ShelfItem(hub="owner/poems", split="train", where={"age": "modern"})])
    assert [book.split for book in shelf] == [None] * 4
    assert len(served.fetched) == 1
    with pytest.raises(BookError, match="no split 'extra'; it has test, train, validation"):
        find_dataset("owner/poems", "extra")


def test_what_is_in_no_table_is_an_error_and_in_one_of_several_is_enough(served: LoopbackHub) -> None:
    rows = [json.dumps({"text": "Some words.", "age": age}) for age in ("old", "new")]
    add(
        served, Path(served.datasets["owner/poems"]).parent, "a/b", {"train-0.jsonl": rows[0], "train-1.jsonl": rows[1]}
    )
    assert len(read_shelf([ShelfItem(hub="a/b", where={"age": "NEW"})])) == 1
    with pytest.raises(BookError, match=r"hub:a/b/train-0\.jsonl: no row has age = 'none'; its values are old"):
        read_shelf([ShelfItem(hub="a/b", where={"age": "none"})])


def test_the_second_time_nobody_is_asked(served: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_shelf([ShelfItem(hub="owner/poems")])
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    served.datasets.clear()
    assert read_shelf([ShelfItem(hub="owner/poems")]) == first
    with pytest.raises(BookError, match="not in the cache and was not fetched \\(HF_HUB_OFFLINE is set\\)"):
        read_shelf([ShelfItem(hub="owner/other")])


def test_unknown_gated_and_unreachable_ones_are_said_in_two_lines(
    served: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(BookError, match="knows no data set owner/nothing"):
        read_shelf([ShelfItem(hub="owner/nothing")])
    served.gated.add("owner/poems")
    with pytest.raises(BookError, match="is gated: its owner wants to be asked first") as raised:
        read_shelf([ShelfItem(hub="owner/poems")])
    assert f"{served.url}/datasets/owner/poems" in raised.value.then
    point_client(monkeypatch, "http://127.0.0.1:9", tmp_path / "other")
    with pytest.raises(BookError, match="was not fetched") as raised:
        read_shelf([ShelfItem(hub="owner/poems")])
    assert "hf_secret" not in f"{raised.value.what} {raised.value.then}"
    assert "\n" not in raised.value.what


def test_a_data_set_of_a_program_is_not_run(served: LoopbackHub, tmp_path: Path) -> None:
    add(served, tmp_path, "a/script", {"script.py": "raise SystemExit", "dataset_infos.json": "{}"})
    with pytest.raises(BookError, match="but a program, which is not run") as raised:
        find_dataset("a/script")
    assert raised.value.then == "try hub:a/script@refs/convert/parquet"


def test_one_too_large_to_be_read_at_once_is_not_even_fetched(
    served: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_BYTES", 1000)
    with pytest.raises(BookError, match="too much to be read at once") as raised:
        read_shelf([ShelfItem(hub="owner/poems")])
    assert "stream: true" in raised.value.then
    assert served.fetched == []


def test_a_stream_is_not_held_in_memory(served: LoopbackHub) -> None:
    with pytest.raises(RecipeError, match="is a stream, which is not held in memory"):
        read_shelf([ShelfItem(hub="owner/poems", stream=True)])
    assert served.fetched == []


def test_parts_by_the_card(served: LoopbackHub, tmp_path: Path) -> None:
    files = {f"{part}/{name}.jsonl": ROW for part in ("en", "fr") for name in ("train-0", "train-1", "heldout")}
    add(served, tmp_path, "a/parts", files)
    served.cards["a/parts"] = {
        "configs": [
            {
                "config_name": part,
                "data_files": [
                    {"split": "train", "path": f"{part}/train-*.jsonl"},
                    {"split": "test", "path": [f"{part}/heldout.jsonl"]},
                ],
            }
            for part in ("en", "fr")
        ]
    }
    with pytest.raises(BookError, match="several parts: en, fr") as raised:
        find_dataset("a/parts")
    assert raised.value.then == "name one: hub:a/parts/en"
    assert splits(find_dataset("a/parts/fr")) == [
        ("fr/train-0.jsonl", "train"),
        ("fr/train-1.jsonl", "train"),
        ("fr/heldout.jsonl", "test"),
    ]
    with pytest.raises(BookError, match="no part 'de'; it has en, fr"):
        find_dataset("a/parts/de")


def test_parts_and_splits_by_folders_and_names(served: LoopbackHub, tmp_path: Path) -> None:
    names = [
        "en/train/0.jsonl",
        "en/test/0.jsonl",
        "fr/train/0.jsonl",
        "en/train/0.csv",
        ".hidden/a.jsonl",
        "../x.jsonl",
    ]
    add(served, tmp_path, "a/folders", dict.fromkeys(names, ROW))
    assert splits(find_dataset("a/folders/en")) == [("en/test/0.jsonl", "test"), ("en/train/0.jsonl", "train")]
    with pytest.raises(BookError, match="no part 'de'; its folders are en, fr"):
        find_dataset("a/folders/de")


@pytest.mark.parametrize(
    "name", ["name", "owner/name", "owner/name/part", "owner/na.me@refs/convert/parquet", "a/b/c@v1"]
)
def test_names_that_can_be_data_sets_are_asked_for(served: LoopbackHub, name: str) -> None:
    with pytest.raises(BookError, match="knows no data set"):
        find_dataset(name)


@pytest.mark.parametrize("name", ["", "a/b/c/d", "/a", "a b", "../a", "a/..", "https://x", "a/b@", "../../etc"])
def test_names_that_can_be_none_are_not(name: str) -> None:
    with pytest.raises(BookError, match="is no id"):
        find_dataset(name)


def test_files_that_a_card_names_outside_are_not_taken() -> None:
    known = {"files": [["../../x.jsonl", 1], ["/etc/y.jsonl", 1], ["a.jsonl", 1]], "configs": None, "revision": "x"}
    assert hub._tables("a/b", known, None) == [HubFile("a.jsonl", 1, "train")]
