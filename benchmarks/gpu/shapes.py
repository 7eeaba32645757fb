"""What is computed: the bench's shapes, and a tiny one by which a processor tries the command itself."""

from __future__ import annotations

from dataclasses import dataclass

from quire.planner.shape import BaseShape
from quire.verbs.benching.shapes import SHAPES as KNOWN
from quire.verbs.benching.shapes import Shape

RANK, ALPHA = 16, 32

TINY = Shape(
    "tiny",
    "nothing",
    {
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 160,
        "vocab_size": 300,
        "tie_word_embeddings": False,
        "max_position_embeddings": 256,
    },
)


@dataclass(frozen=True)
class Size:
    """A shape with rows of `window` tokens: `rows` of them are computed at once, or half as many where memory runs
    out."""

    shape: Shape
    rows: int
    window: int = 2048

    @property
    def base(self) -> BaseShape:
        return self.shape.base


SIZES = {"tiny": Size(TINY, 2, 96), "1B": Size(KNOWN["1B"], 8), "8B": Size(KNOWN["8B"], 4)}
