from __future__ import annotations

from quire.recipe.explain import explain
from quire.recipe.load import load_recipe


def test_every_value_says_where_it_comes_from_and_what_it_does() -> None:
    loaded = load_recipe({"shelf": ["/a"], "train": {"window": 512}}, {"train.epochs": 2}, name="novel.yaml")
    rows = {row.key: row for row in explain(loaded)}
    assert (rows["train.window"].value, rows["train.window"].unit) == (512, "tokens")
    assert rows["train.window"].origin == "novel.yaml"
    assert rows["train.epochs"].origin == "set by hand"
    assert rows["shelf.0.test"].value == "10%"
    assert rows["train.method.lora.rank"].origin == "default"
    assert all(row.help for row in rows.values())
    assert "stages" not in rows
