"""The shapes that the bench trains: those of known bases, filled with random weights where they are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quire.errors import RecipeError
from quire.planner.shape import BaseShape, shape_of

POSITIONS = 131_072  # none of the windows that are measured is longer


@dataclass(frozen=True)
class Shape:
    """What a base is like without its weights: `like` says whose shape it is, `config` as its config.json does."""

    name: str
    like: str
    config: Mapping[str, object]

    @property
    def base(self) -> BaseShape:
        """As the planner's arithmetic knows it."""
        return shape_of(self.config)


def _llama(
    hidden: int, layers: int, heads: tuple[int, int], intermediate: int, vocabulary: int, tied: bool = True
) -> Mapping[str, object]:
    """`heads` are those of queries and of keys and values."""
    return {
        "model_type": "llama",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1],
        "intermediate_size": intermediate,
        "vocab_size": vocabulary,
        "tie_word_embeddings": tied,
        "max_position_embeddings": POSITIONS,
    }


# The only table of them; sizes as the makers' config.json files give them.
SHAPES: Mapping[str, Shape] = {
    shape.name: shape
    for shape in (
        Shape("7M", "the embedded base", _llama(256, 6, (4, 2), 704, 8192)),
        Shape("135M", "SmolLM-135M", _llama(576, 30, (9, 3), 1536, 49152)),
        Shape("360M", "SmolLM-360M", _llama(960, 32, (15, 5), 2560, 49152)),
        Shape("1B", "TinyLlama-1.1B", _llama(2048, 22, (32, 4), 5632, 32000, tied=False)),
        Shape("3B", "Llama-3.2-3B", _llama(3072, 28, (24, 8), 8192, 128256)),
        Shape("8B", "Llama-3.1-8B", _llama(4096, 32, (32, 8), 14336, 128256, tied=False)),
    )
}


def shapes_named(names: Sequence[str]) -> tuple[Shape, ...]:
    """The shapes of these names.  RecipeError names one that there is not."""
    unknown = [name for name in names if name not in SHAPES]
    if unknown:
        raise RecipeError(f"--shapes: no shape is called {unknown[0]}", f"choose among {', '.join(SHAPES)}")
    return tuple(SHAPES[name] for name in names)
