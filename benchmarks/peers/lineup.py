"""Who runs, on what, and with which settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quire.verbs.benching.shapes import SHAPES as KNOWN


@dataclass(frozen=True)
class Shape:
    """A Llama's measures; `steps` are windows that take each trainer half a minute to three minutes on two cores
    with AVX512-BF16."""

    name: str
    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    intermediate: int
    vocabulary: int
    tied: bool
    steps: int


def _of(name: str, steps: int) -> Shape:
    """The bench's shape of this name."""
    base = KNOWN[name].base
    measures = (base.hidden, base.layers, base.heads, base.key_value_heads, base.intermediate, base.vocabulary)
    return Shape(name, *measures, base.tied, steps)


SHAPES = {name: _of(name, steps) for name, steps in (("135M", 10), ("360M", 5), ("1B", 4), ("8B", 20))}


@dataclass(frozen=True)
class Entrant:
    """One trainer with one precision; `peer` names its environment, `module` its script."""

    name: str
    peer: str
    module: str
    precision: str


CPU = (
    Entrant("hf", "hf", "hf_trainer", "fp32"),
    Entrant("trl", "trl", "trl_sft", "bf16"),
    Entrant("unsloth", "unsloth", "unsloth_sft", "bf16"),
    Entrant("quire", "quire", "quire_train", "bf16"),
    Entrant("quire-int8", "quire", "quire_train", "int8"),
)
CUDA = (
    Entrant("trl", "trl", "trl_sft", "bf16"),
    Entrant("unsloth", "unsloth", "unsloth_sft", "bf16"),
    Entrant("quire", "quire", "quire_train", "bf16"),
)
NF4 = (
    Entrant("trl-nf4", "trl", "trl_sft", "nf4"),
    Entrant("unsloth-nf4", "unsloth", "unsloth_sft", "nf4"),
    Entrant("quire-nf4", "quire", "quire_train", "nf4"),
)
PEERS = ("hf", "trl", "unsloth", "quire")


@dataclass(frozen=True)
class Adapter:
    """What is trained, and over which window, on a kind of device."""

    rank: int
    alpha: int
    targets: tuple[str, ...]
    window: int
    steps: int | None
    """None: as the shape says."""


ADAPTERS = {
    "cpu": Adapter(8, 16, ("q_proj", "v_proj"), 1024, None),
    "cuda": Adapter(16, 16, ("all-linear",), 2048, 40),
}


def entrants(device: str, shape: Shape, peers: Sequence[str]) -> tuple[Entrant, ...]:
    """Those of `peers`, in the order in which each round runs them; nf4 where a GPU trains the 8B shape."""
    every = CPU if device == "cpu" else (*CUDA, *(NF4 if shape.name == "8B" else ()))
    unknown = [name for name in peers if name not in PEERS]
    if unknown:
        raise ValueError(f"no peer is called {', '.join(unknown)}: there are {', '.join(PEERS)}")
    return tuple(one for one in every if one.peer in peers)
