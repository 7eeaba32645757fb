"""The recipes that come with the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.recipe.load import load_recipe
from quire.recipe.schema import BaseChoice
from quire.units import Warmup

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_recipe_loads_and_is_named_after_its_file(path: Path) -> None:
    recipe = load_recipe(path).recipe
    assert recipe.name == path.stem
    assert recipe.shelf


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_recipe_explains_itself(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert f"quire train recipes/{path.name}" in text


def test_the_incremental_way_has_every_number_of_the_field() -> None:
    recipe = load_recipe(RECIPES / "novel-in-parts.yaml").recipe
    train, lora = recipe.train, recipe.train.method.lora
    assert recipe.base == BaseChoice(gpu="meta-llama/Llama-3.2-3B-Instruct", cpu="meta-llama/Llama-3.2-1B-Instruct")
    assert recipe.shelf[0].validation == 0.1
    assert train.chunk is not None
    assert (train.parts, train.chunk.sentences, train.window, train.epochs) == (10, 10, 1024, 3)
    assert (train.batch, train.accumulate, train.learning_rate, train.schedule) == (1, 8, 5e-5, "linear")
    assert (train.warmup, train.weight_decay) == (Warmup(steps=100), 0.01)
    assert lora is not None
    assert (lora.rank, lora.alpha, lora.dropout, lora.targets) == (8, 32, 0.05, ["q_proj", "v_proj"])
    assert (recipe.write.top_p, recipe.write.top_k) == (0.9, 50)


def test_poetry_leaves_the_other_poems_out() -> None:
    recipe = load_recipe(RECIPES / "poetry.yaml").recipe
    assert recipe.shelf[0].where == {"age": "Renaissance", "type": "Love"}
    assert (recipe.write.num_beams, recipe.write.no_repeat_ngram_size, recipe.write.repetition_penalty) == (5, 3, 1.2)
    assert recipe.write.num_return_sequences == 3
