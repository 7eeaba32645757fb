"""The shapes are those of the bases they are named after."""

from __future__ import annotations

import pytest

from quire.errors import RecipeError
from quire.verbs.benching.shapes import SHAPES, shapes_named


# As the makers' pages count them: with embeddings, tied ones once.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("7M", 6_524_160),
        ("135M", 134_515_008),
        ("360M", 361_821_120),
        ("1B", 1_100_048_384),
        ("3B", 3_212_749_824),
        ("8B", 8_030_261_248),
    ],
)
def test_a_shape_has_as_many_parameters_as_its_base(name: str, parameters: int) -> None:
    assert SHAPES[name].base.parameters == parameters


def test_a_shape_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match="no shape is called 2B") as refused:
        shapes_named(["135M", "2B"])
    assert "360M" in refused.value.then
