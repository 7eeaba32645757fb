from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.prompts.conversation import conversation_in
from quire.recipe.load import load_recipe
from quire.tokens.tokenizer import load_tokenizer
from quire.verbs.texts import pages as module
from quire.verbs.texts.material import Material, gather
from quire.verbs.texts.pages import pages
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


def test_pages_of_conversations_are_conversations(tmp_path: Path, tiny_base: Path) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Who is {n}?"},
                {"role": "assistant", "content": f"Nobody, {n}. " * 9},
            ]
        }
        for n in range(40)
    ]
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    made = gather(load_recipe({"shelf": [str(path)], "train": {"window": 128}}).recipe)
    found = pages(made, load_tokenizer(tiny_base), "train")
    assert len(found) == len(set(found)) > 10
    assert all(conversation_in(page) is not None for page in found)
