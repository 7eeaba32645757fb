from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.planner.schedule import seed_of_stage
from quire.prompts.conversation import conversation_in
from quire.recipe.load import load_recipe
from quire.tokens.stream import Stream
from quire.tokens.tokenizer import load_tokenizer
from quire.verbs.texts import pages as module
from quire.verbs.texts.material import Material, gather, rows_of
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
        found = pages(material, tokenizer, split, 7)  # type: ignore[arg-type]
        assert found
        assert all("".join(page.split()) in text for page in found)


def test_there_are_as_many_as_a_judge_has_time_for(
    material: Material, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = load_tokenizer(tiny_base)
    every = pages(material, tokenizer, "train", 7)
    monkeypatch.setattr(module, "MOST_TOKENS", 100)
    assert 2 <= len(pages(material, tokenizer, "train", 7)) < len(every)


def test_the_first_that_a_stage_learns_are_asked_for(
    material: Material, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the order of the stage's own seed: what another stage saw first is not what this one must have seen."""
    tokenizer = load_tokenizer(tiny_base)
    monkeypatch.setattr(module, "MOST_TOKENS", 1)
    rows = rows_of(material, tokenizer, "train", 1)
    for seed in (7, seed_of_stage(7, 2)):
        first = next(iter(Stream(len(rows), seed, 1, rows.weights).take(1)))
        stretch = rows.rows[first][0]
        learned = tokenizer.decode(rows.stretches[stretch.stretch].ids[stretch.first : stretch.last].tolist())
        assert pages(material, tokenizer, "train", seed)[0] == learned
    assert pages(material, tokenizer, "train", 7) != pages(material, tokenizer, "train", seed_of_stage(7, 2))


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
    found = pages(made, load_tokenizer(tiny_base), "train", 7)
    assert len(found) == len(set(found)) > 10
    assert all(conversation_in(page) is not None for page in found)
