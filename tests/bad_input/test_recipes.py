"""Recipes and bases that cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from refusals import Shown, refused, train_command


def test_all_mistakes_of_a_recipe_are_told_at_once(tmp_path: Path, book: Path, capsys: Shown) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"shelf: [{book}]\ntrain: {{learning_rat: 1e-4, window: many, epochs: -1}}\nwrite: {{top_p: 3}}\n",
        encoding="utf-8",
    )
    error, _ = refused(capsys, "plan", str(recipe))
    for word in ("learning_rat", "learning_rate", "train.window", "train.epochs", "write.top_p"):
        assert word in error


@pytest.mark.parametrize("text", ["shelf: [unclosed\n", "- just\n- a list\n", "\x00\x01", "{}\n"])
def test_a_recipe_that_is_none_is_named(text: str, tmp_path: Path, capsys: Shown) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(text, encoding="utf-8")
    assert "mine.yaml" in refused(capsys, "plan", str(recipe))[0]


@pytest.mark.parametrize("verb", ["plan", "train"])
def test_an_unknown_hub_id_names_itself_and_the_ways_without_a_hub(
    verb: str, book: Path, tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error, remedy = refused(capsys, verb, str(book), "--base", "nobody/nothing-at-all")
    assert "nobody/nothing-at-all" in error
    assert "embedded" in remedy
    assert "folder" in remedy


def test_a_base_folder_that_holds_pickles_only_is_not_opened(
    book: Path, tiny_base: Path, tmp_path: Path, capsys: Shown
) -> None:
    base = tmp_path / "old"
    shutil.copytree(tiny_base, base)
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    error, remedy = refused(capsys, *train_command(book, base, tmp_path / "run"))
    assert str(base) in error
    assert "pytorch_model.bin" in error
    assert "safetensors" in remedy


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json"])
def test_a_base_folder_that_lacks_a_file_is_named_with_it(
    missing: str, book: Path, tiny_base: Path, tmp_path: Path, capsys: Shown
) -> None:
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    (base / missing).unlink()
    error, _ = refused(capsys, *train_command(book, base, tmp_path / "run"))
    assert str(base) in error
    assert missing.removesuffix(".json") in error


def test_a_base_with_damaged_weights_is_named(book: Path, tiny_base: Path, tmp_path: Path, capsys: Shown) -> None:
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    weights = (base / "model.safetensors").read_bytes()
    (base / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    assert str(base) in refused(capsys, *train_command(book, base, tmp_path / "run"))[0]
