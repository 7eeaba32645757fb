"""Which number formats a machine can compute in."""

from __future__ import annotations

from importlib.util import find_spec

from quire.errors import RecipeError
from quire.planner.facts import MachineFacts


def require_precision(wanted: str, machine: MachineFacts) -> None:
    """RecipeError for `train.precision: fp16` without a GPU: processors have no fast products of such numbers."""
    if wanted == "fp16" and machine.gpu is None:
        raise RecipeError("train.precision: fp16 does not work on a processor", "use auto, bf16 or fp32", "precision")


def has_nf4() -> bool:
    """Whether bitsandbytes is here, which has the 4 bits of qlora on a GPU."""
    return find_spec("bitsandbytes") is not None
