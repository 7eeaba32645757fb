"""Texts are those that a run, or a corpus, was cut into, and every word of them is in one place."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from benchmarks.base.task import Task
from benchmarks.base.texts import UNSEEN, Texts, beginning, keep, load_texts, of_corpus, of_run, samples

from corpora import works
from littleruns import little_run
from madeworks import book_of, pieces_of, silence
from quire.errors import BookError, RunError


def write_corpus(path: Path) -> list[str]:
    texts = works(5, 10, paragraphs=6, words=60)
    rows = [
        {"id": f"made:{n}", "author": f"A {n}", "title": f"T {n}", "year": None if n == 3 else 1800 + n, "lang": "en"}
        | {"licence": "CC0", "text": text}
        for n, text in enumerate(texts)
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return texts


def test_a_corpus_without_a_run_holds_out_what_is_named(tmp_path: Path) -> None:
    texts = write_corpus(tmp_path / "corpus" / "one.jsonl")
    found = of_corpus(tmp_path / "corpus", ["made:3", "made:4"], tmp_path / "home", silence)
    assert [work.id for work in found.of("test")] == ["made:3", "made:4"]
    third = found.of("test")[0]
    assert (third.year, third.name, third.source, third.licence) == (None, "A 3, T 3", "made", "CC0")
    assert found.text(third) == texts[3]
    assert found.of("test")[1].name == "A 4, T 4 (1804)"
    assert len(found.of("train")) == 8
    assert load_texts(tmp_path / "home") == found
    with pytest.raises(BookError, match="holds no work made:77"):
        of_corpus(tmp_path / "corpus", ["made:77"], tmp_path / "home", silence)


def test_a_run_tells_what_it_held_out(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus" / "one.jsonl"
    texts = write_corpus(corpus)
    sha = hashlib.sha256(corpus.read_bytes()).hexdigest()
    shares = {"shelf.0.format": "prose", "shelf.0.text": "text", "shelf.0.test": "20%", "shelf.0.validation": "10%"}
    little_run(tmp_path / "run", settings=shares, sources={str(corpus): sha})
    found = of_run(tmp_path / "run", tmp_path / "home", silence)
    by_id = {work.id: work for work in found.works}
    assert sorted(by_id) == [f"made:{n}" for n in range(10)]
    assert len(found.of("test")) == 2
    assert len(found.of("validation")) == 1
    assert {found.text(by_id[f"made:{n}"]) for n in range(10)} == set(texts)
    assert Task(tmp_path / "home", tmp_path / "run").texts() == found
    corpus.write_text(corpus.read_text().replace("T 9", "T nine"), encoding="utf-8")
    with pytest.raises(RunError, match="is not what"):
        of_run(tmp_path / "run", tmp_path / "home", silence)


def test_texts_of_another_run_are_not_taken_for_this_ones(
    kept: Texts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = little_run(tmp_path / "run").path
    monkeypatch.setattr("benchmarks.base.task.of_run", lambda *_asked: "made anew")
    assert Task(kept.folder).texts() == kept
    assert Task(kept.folder, run).texts() == "made anew"


def test_conversations_are_kept_but_are_no_books(tmp_path: Path) -> None:
    from dataclasses import replace

    book = book_of(0, ["Who is there?", "The tide."])
    pieces = pieces_of([book, replace(book, kind="conversations")], ["train", "train"])
    found = keep(tmp_path, "made", pieces, silence)
    assert [work.kind for work in found.works] == ["prose", "conversations"]
    assert len(found.of("train")) == 1


def test_files_of_somebody_else_stay_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for words in ("Who is there?", "The tide."):
        found = keep(tmp_path, "made", pieces_of([book_of(0, [words])], ["train"]), silence)
    assert sorted(path.name for path in tmp_path.glob("*.txt")) == ["0000-train.txt", "notes.txt"]
    assert found.text(found.of("train")[0]).endswith("The tide.")


def test_samples_are_beginnings_by_language(kept: Texts) -> None:
    found = list(samples(kept, None, 100))
    assert [(one.id, one.language, one.size) for one in found] == [("made:1", "en", 100), ("made:3", "fr", 100)]
    assert found[0].text.startswith("A River\n\n")


def test_a_beginning_cuts_no_character() -> None:
    assert beginning("aéb", 2) == "a"
    assert beginning("aéb", 3) == "aé"
    assert beginning("aéb", 0) == "aéb"


def test_unseen_books_are_read_by_their_files(kept: Texts, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    books = shared_data / "books"
    assert [name for name in UNSEEN if not (books / name).is_file()] == []
    monkeypatch.setattr("benchmarks.base.texts.UNSEEN", {"FRA01302_Flaubert.txt": "Madame Bovary", "none.txt": "None"})
    (found,) = (one for one in samples(kept, books, 1000) if one.unseen)
    assert (found.name, found.language) == ("Madame Bovary", "fr")
    assert 990 < found.size <= 1000
