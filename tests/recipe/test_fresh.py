from __future__ import annotations

import pytest
from pydantic import ValidationError

from quire.recipe.fresh import Fresh, FreshBase
from quire.recipe.schema import Recipe


def test_what_is_not_said_of_a_shape_is_the_small_one() -> None:
    base = Recipe.model_validate({"base": {"fresh": {"layers": 2}}}).base
    assert base == FreshBase(fresh=Fresh(layers=2))
    assert (Fresh().hidden, Fresh().vocabulary) == (256, 8192)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ({"hidden": 100, "heads": 3}, "hidden 100 is no multiple of heads 3"),
        ({"heads": 4, "key_value_heads": 3}, "heads 4 is no multiple of key_value_heads 3"),
        ({"hidden": 36, "heads": 4}, "must be an even number"),
    ],
)
def test_a_shape_whose_heads_do_not_come_out_is_refused(shape: dict[str, int], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Recipe.model_validate({"base": {"fresh": shape}})
