from __future__ import annotations

from pathlib import Path

import pytest

from quire.recipe.load import load_recipe
from quire.tokens.tokenizer import load_tokenizer
from quire.verbs import pages as module
from quire.verbs.material import Material, gather
from quire.verbs.pages import pages
from toy import toy_book


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    book = toy_book(tmp_path_factory.mktemp("book") / "river.md", chapters=12)
    return gather(load_recipe({"shelf": [str(book)], "train": {"window": 64, "parts": 2}}).recipe)


def test_trained_pages_come_from_training_text_and_unseen_ones_from_test_text(
    material: Material, tiny_base: Path
) -> None:
    tokenizer = load_tokenizer(tiny_base)
    for split in ("train", "test"):
        text = "".join("".join(p.text.split()) for p in material.passages if p.split == split)
        found = pages(material, tokenizer, split)  # type: ignore[arg-type]
        assert found
        assert all("".join(page.split()) in text for page in found)


def test_there_are_as_many_as_a_judge_has_time_for(
    material: Material, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = load_tokenizer(tiny_base)
    every = pages(material, tokenizer, "train")
    monkeypatch.setattr(module, "MOST_TOKENS", 100)
    assert 2 <= len(pages(material, tokenizer, "train")) < len(every)
