"""Works of invented words, kept as texts, and a base of random weights that writes and scores them."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.base.task import Task
from benchmarks.base.texts import Texts, keep

import corpora
from madeworks import book_of, pieces_of, silence


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Texts:
    """Four works of two vocabularies: in each language one that was learned and one that was held out."""
    books = []
    for number, (seed, language) in enumerate([(1, "en"), (1, "en"), (2, "fr"), (2, "fr")]):
        texts = corpora.works(seed, number + 1, paragraphs=3, words=80)
        books.append(book_of(number, texts[-1].split("\n\n"), language))
    home = tmp_path_factory.mktemp("texts")
    return keep(home, "made works", pieces_of(books, ["train", "test", "train", "test"]), silence)


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tiny  # brings torch, which most of these tests do without

    return tiny.save_base(tmp_path_factory.mktemp("base"), "llama")


@pytest.fixture
def task(kept: Texts, base_folder: Path, tmp_path: Path) -> Task:
    """What is told of them; nothing older to compare with."""
    return Task(kept.folder, base=str(base_folder), first="", count=2, tokens=4, bytes=400, pictures=tmp_path)
