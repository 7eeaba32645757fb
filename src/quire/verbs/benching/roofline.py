"""How fast a training step could be at best: its operations over the rate at which this machine multiplies matrices.

Counted are the products that nobody can leave out: with the weights (layers' matrices and output head; the embeddings
are looked up), forward and for the gradient of their input, for under an adapter the weights themselves have none; and
those of causal attention, of which only the lower triangle is needed.  Norms, softmax, the adapter's thin products and
the optimiser count as nothing, so that 100 % cannot be reached.  A multiplication with an addition is two operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quire.planner.shape import BaseShape

FORWARD_AND_INPUT = 2 * 2  # operations for each weight and token: the product, and the gradient of what went in
ATTENTION_PRODUCTS = 2 + 4  # forward: scores and their sum of values; backward: gradients of both sides of both


@dataclass(frozen=True)
class Work:
    """Operations of one row, forward and backward, in products with the layers' matrices, the head, and attention."""

    layers: int
    head: int
    attention: int

    @property
    def total(self) -> int:
        return self.layers + self.head + self.attention


def work_of(shape: BaseShape, window: int) -> Work:
    """The operations of a row of `window` tokens that is one text from its first token to its last."""
    matrices = shape.layers * sum(linear.inputs * linear.outputs for linear in shape.linears)
    width = next(linear.outputs for linear in shape.linears if linear.name == "q_proj")  # of all heads together
    seen = window * (window + 1) // 2
    return Work(
        layers=FORWARD_AND_INPUT * matrices * window,
        head=FORWARD_AND_INPUT * shape.vocabulary * shape.hidden * window,
        attention=ATTENTION_PRODUCTS * 2 * width * seen * shape.layers,
    )


def best_seconds(work: Work, rates: Mapping[str, float], layers: str, rest: str) -> float:
    """Seconds of the row at `rates` (operations a second), the layers' matrices in one format and the rest in another.

    They differ for a base in 8 bits, whose head and attention are computed in 16.
    """
    return work.layers / rates[layers] + (work.head + work.attention) / rates[rest]
