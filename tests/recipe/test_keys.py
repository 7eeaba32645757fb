from __future__ import annotations

import pytest

from quire.recipe.keys import field_of, flatten, nearest, walk
from quire.recipe.load import load_recipe


@pytest.mark.parametrize(
    ("unknown", "known"),
    [
        (("learning_rte",), "train.learning_rate"),
        (("train", "lr"), "train.learning_rate"),
        (("train", "method", "lora", "r"), "train.method.lora.rank"),
        (("lora_alpha",), "train.method.lora.alpha"),
        (("shelf", 2, "wehre"), "shelf.2.where"),
        (("shelf", 0, "tset"), "shelf.0.test"),
        (("temperature",), "write.temperature"),
        (("zzz",), None),
    ],
)
def test_nearest_key_is_named_in_full(unknown: tuple[str | int, ...], known: str | None) -> None:
    assert nearest(unknown) == known


def test_every_key_of_a_recipe_is_a_key_of_the_schema() -> None:
    for base in ("embedded", {"gpu": "a", "cpu": "b"}, {"fresh": {}}):
        recipe = load_recipe({"shelf": ["/a", "sample:poems"], "base": base, "train": {"chunk": {}}}).recipe
        assert all(field_of(key) for key in flatten(recipe))


def test_every_working_key_of_the_schema_is_walked_once() -> None:
    dotted = [key.dotted for key in walk()]
    assert len(dotted) == len(set(dotted))
    assert {"base.gpu", "base.fresh.layers", "shelf[].where", "train.method.lora.rank", "from"} <= set(dotted)
