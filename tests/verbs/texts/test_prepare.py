"""Prepared once, found again, whole or made again, the same whoever makes it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corpora import works, write_novel, write_tables
from quire.planner.schedule import BatchChoice
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe
from quire.tokens import shards
from quire.tokens.tokenizer import Tokenizer
from quire.verbs.texts.making import Company
from quire.verbs.texts.prepare import MADE_OF, StageData, prepare_stage

CHOICE = BatchChoice(1, 8, "for tests")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_tables(tmp_path_factory.mktemp("corpus"), works(5, 90), tables=2)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "PIECE_TOKENS", 2_000)
    monkeypatch.setattr(shards, "BATCH_CHARACTERS", 4_000)


def streaming(corpus: str, *more: dict[str, object], **settings: object) -> Recipe:
    shelf = [{"path": corpus, "stream": True, "test": 0.1, "validation": 0.1}, *more]
    return load_recipe(
        {"base": "embedded", "stages": [{"name": "wide", "shelf": shelf, "window": 64, **settings}]}
    ).recipe


def digest(data: StageData) -> str:
    """Of every row, in order."""
    found = hashlib.sha256()
    for rows in (*data.rows, *data.validation):
        for index in range(len(rows)):
            row = rows.arrays(index)
            found.update(row.inputs.tobytes() + row.targets.tobytes() + row.positions.tobytes())
    return found.hexdigest()


def files(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"}


def test_what_was_prepared_is_found_again_and_nothing_is_written(
    corpus: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    recipe = streaming(corpus, samples=120)
    first = prepare_stage(recipe, 0, tokenizer, tmp_path)
    before = files(tmp_path)
    again = prepare_stage(recipe, 0, tokenizer, tmp_path)
    assert digest(again) == digest(first)
    assert files(tmp_path) == before
    assert len(first.rows[0]) == first.rows[0].per_epoch == 120
    made_of = json.loads((first.folder / MADE_OF).read_text(encoding="utf-8"))
    assert made_of["settings"]["window"] == 64
    assert made_of["sources"] == first.material.hashes()


def test_the_key_changes_with_what_decides_a_token_and_with_nothing_else(
    corpus: str, novel: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    def folder(**settings: object) -> Path:
        recipe = load_recipe(
            {"shelf": [{"path": str(novel)}]}, {f"train.{k}": v for k, v in ({"window": 64} | settings).items()}
        ).recipe
        return prepare_stage(recipe, 0, tokenizer, tmp_path).folder

    plain = folder()
    assert folder(epochs=7, learning_rate=1e-3, keep=1) == plain
    others = {folder(window=32), folder(stride=16), folder(parts=2), folder(goldfish=4), folder(pack=False)}
    assert len(others) == 5
    assert plain not in others


def test_two_streams_of_the_same_tables_keep_the_rows_that_each_asks_for(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """One reads the French rows, one the English, which are in capitals."""
    table = tmp_path / "both.jsonl"
    rows = [{"lang": "fr", "text": text} for text in works(5, 40)]
    rows += [{"lang": "en", "text": text.upper()} for text in works(6, 40)]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    shelf = [
        {"path": str(table), "stream": True, "where": {"lang": lang}, "validation": 0.2, "test": 0}
        for lang in ("fr", "en")
    ]
    recipe = load_recipe({"base": "embedded", "stages": [{"name": "wide", "shelf": shelf, "window": 64}]}).recipe
    data = prepare_stage(recipe, 0, tokenizer, tmp_path / "home")
    french, english = (tokenizer.decode(rows.stretches[0].ids.tolist()) for rows in data.parts[0].streams)
    assert not french.isupper()
    assert english.isupper()


def test_a_damaged_piece_is_told_and_made_again_and_no_other(corpus: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    recipe = streaming(corpus)
    first = digest(prepare_stage(recipe, 0, tokenizer, tmp_path))
    pieces = sorted(tmp_path.glob("*/stream-*/table-*/piece-*"))
    assert len(pieces) > 6
    victim = pieces[len(pieces) // 2]
    data = bytearray((victim / "ids.npy").read_bytes())
    data[-5] ^= 1
    (victim / "ids.npy").write_bytes(data)
    (pieces[1] / "bounds.npy").unlink()
    shutil.rmtree(pieces[2])
    book = next(tmp_path.glob("*/books"))
    (book / "validation-0" / "piece-00000" / "ids.npy").write_bytes(b"")
    before = files(tmp_path)
    said: list[str] = []
    assert digest(prepare_stage(recipe, 0, tokenizer, tmp_path, tell=said.append)) == first
    told = [line for line in said if "it is prepared again" in line]
    assert len(told) == 3, "two pieces and the books; the one that is missing is only made"
    assert any(str(victim) in line for line in told)
    changed = {Path(name).parent for name, at in files(tmp_path).items() if before.get(name) != at}
    assert changed >= {
        victim,
        pieces[1],
        pieces[2],
    }
    untouched = set(pieces) - {victim, pieces[1], pieces[2]}
    assert not untouched & changed


def test_an_interrupted_preparation_goes_on_from_its_last_piece(
    corpus: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    recipe = streaming(corpus)
    whole = prepare_stage(recipe, 0, tokenizer, tmp_path / "whole")

    class Enough(Exception):
        pass

    heard: list[str] = []

    def stop_after_three(line: str) -> None:
        heard.append(line)
        if len(heard) == 3:
            raise Enough

    with pytest.raises(Enough):
        prepare_stage(recipe, 0, tokenizer, tmp_path / "cut", tell=stop_after_three)
    there = files(tmp_path / "cut")
    assert len(list((tmp_path / "cut").glob("*/stream-*/table-*/piece-*"))) == 3
    again = prepare_stage(recipe, 0, tokenizer, tmp_path / "cut")
    assert digest(again) == digest(whole)
    assert {name: at for name, at in files(tmp_path / "cut").items() if name in there} == there, "nothing made twice"


_CHILD = """
import sys
from pathlib import Path
from quire.recipe.load import load_recipe
from quire.tokens import shards
from quire.tokens.tokenizer import load_tokenizer
from quire.verbs.texts.prepare import prepare_stage
shards.PIECE_TOKENS, shards.BATCH_CHARACTERS = 2_000, 4_000
corpus, base, home = sys.argv[1:]
shelf = [{"path": corpus, "stream": True, "test": 0.1, "validation": 0.1}]
recipe = load_recipe({"base": "embedded", "stages": [{"name": "wide", "shelf": shelf, "window": 64}]}).recipe
prepare_stage(recipe, 0, load_tokenizer(Path(base)), Path(home))
"""


def test_killed_at_any_moment_the_next_one_ends_with_the_same_rows(
    corpus: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """SIGKILL as soon as one, then five more pieces are there; half-written ones are cleared away."""
    home = tmp_path / "home"
    whole = prepare_stage(streaming(corpus), 0, tokenizer, tmp_path / "whole")
    total = len(list((tmp_path / "whole").glob("*/stream-*/table-*/piece-*")))
    seen = 0
    for more in (1, 5):
        child = subprocess.Popen([sys.executable, "-c", _CHILD, corpus, str(tokenizer.folder), str(home)])
        deadline = time.monotonic() + 60
        while len(list(home.glob("*/stream-*/table-*/piece-*"))) < seen + more and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        seen = len(list(home.glob("*/stream-*/table-*/piece-*")))
    assert seen >= 6
    kept = {name: at for name, at in files(home).items() if "/piece-" in name and "/." not in name}
    again = prepare_stage(streaming(corpus), 0, tokenizer, home)
    assert digest(again) == digest(whole)
    assert {name: at for name, at in files(home).items() if name in kept} == kept
    assert not list(home.rglob(".*quire-new*"))
    assert total == len(list(home.glob("*/stream-*/table-*/piece-*")))


@pytest.mark.parametrize("settings", [{"samples": 90}, {}], ids=["samples", "whole"])
def test_several_processes_share_the_tables_and_end_with_the_same_rows(
    settings: dict[str, object], corpus: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """Two processes in one: whoever meets lets the other work until it meets as well."""
    from threading import Barrier, Thread

    recipe = streaming(corpus, **settings)
    alone = prepare_stage(recipe, 0, tokenizer, tmp_path / "alone")
    barrier = Barrier(2, timeout=120)
    data: dict[int, StageData] = {}

    def work(number: int) -> None:
        company = Company(number, 2, lambda: barrier.wait() and None)
        data[number] = prepare_stage(recipe, 0, tokenizer, tmp_path / "both", company=company)

    threads = [Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert digest(data[0]) == digest(data[1]) == digest(alone)
    assert data[0].folder.name == alone.folder.name
    assert data[0].account(CHOICE) == alone.account(CHOICE)


def test_every_word_of_a_stream_is_accounted_for(corpus: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    every = sum(len(text.split()) for text in works(5, 90))
    data = prepare_stage(streaming(corpus), 0, tokenizer, tmp_path)
    ledger = data.account(CHOICE)
    assert ledger.read_words == every
    assert ledger.words["trained"] > 0.6 * every
    count = data.rows[0].count()
    assert ledger.tokens["trained"] + ledger.tokens["context only"] == count.text
    assert ledger.tokens["trained"] == count.trained
    assert data.facts.words == ledger.words["trained"] + ledger.words["context only"]
    assert data.facts.rows_per_epoch == (len(data.rows[0]),)
    assert len(data.validation[0]) > 0


def test_a_book_and_a_stream_in_one_shelf_by_weight_and_in_parts(
    corpus: str, novel: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    recipe = streaming(corpus, {"path": str(novel), "weight": 2.5}, samples=600, parts=2)
    said: list[str] = []
    data = prepare_stage(recipe, 0, tokenizer, tmp_path, tell=said.append)
    for part, rows in zip(data.parts, data.rows, strict=True):
        own = len(part.own[0])
        assert rows.weights is not None
        assert set(rows.weights[:own]) == {2.5}
        assert set(rows.weights[own:]) == {1.0}
        assert abs(rows.per_epoch - 600) <= 2
    assert len(data.validation) == 2
    assert all(len(rows) > 0 for rows in data.validation)
    ledger = data.account(CHOICE)
    assert sum(ledger.tokens.values()) > 0
    assert any("windows out of" in line for line in said)


def test_a_corpus_that_is_too_small_says_how_often_it_will_be_seen(
    corpus: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    said: list[str] = []
    data = prepare_stage(streaming(corpus, samples=100_000), 0, tokenizer, tmp_path, tell=said.append)
    assert 0 < len(data.rows[0]) < 100_000
    assert "100,000 windows were asked for: each is seen" in said[-1]
    assert "read to its end" in said[-1]


def test_replay_is_a_share_of_the_rows_from_an_earlier_book(novel: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    other = write_novel(tmp_path / "other.md", seed=2, chapters=10)
    earlier = load_recipe({"shelf": [{"path": str(other)}]}, {"train.window": 64}).recipe
    given = {"shelf": [{"path": str(novel)}], "from": "runs/first"}
    now = load_recipe(given, {"train.window": 64, "train.replay": "25%"}).recipe
    data = prepare_stage(now, 0, tokenizer, tmp_path / "home", earlier=earlier)
    (part,) = data.parts
    assert part.replayed is not None
    own = len(part.own[0])
    assert data.rows[0].per_epoch == pytest.approx(own / 0.75, abs=1)
    assert data.forgetting is not None
    assert len(data.forgetting) > 0
    ledger = data.account(CHOICE)
    assert ledger.tokens["replayed"] > 0


def test_goldfish_leaves_out_targets_and_counts_them_as_context(
    novel: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    def counted(**settings: object) -> tuple[int, int, int]:
        given = {f"train.{key}": value for key, value in ({"window": 64} | settings).items()}
        data = prepare_stage(load_recipe({"shelf": [{"path": str(novel)}]}, given).recipe, 0, tokenizer, tmp_path)
        count = data.rows[0].count()
        assert data.account(CHOICE).tokens["trained"] == count.trained
        return count.text, count.trained, data.validation[0].count().trained

    plain, masked = counted(), counted(goldfish=3)
    assert plain[0] == masked[0]
    assert masked[1] == pytest.approx(plain[1] * 2 / 3, rel=0.05)
    assert plain[2] == masked[2], "what is held out is measured whole"
