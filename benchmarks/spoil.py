"""Quire with gradients that are not finite in some steps: `python -m benchmarks.spoil spoiled=3,7,8,9 ARGUMENTS`.

The steps are named by their number, so that a run that goes on meets the same ones as a run that was left alone.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Container, Sequence

from quire.cli.app import run as quire

SPOILED = "spoiled"


def run(arguments: Sequence[str]) -> int:
    """`quire ARGUMENTS`, spoiled where the first of them says so; the exit code."""
    if not is_spoiled(arguments):
        return quire(arguments)
    spoil([int(step) for step in arguments[0].partition("=")[2].split(",")])
    return quire(arguments[1:])


def is_spoiled(arguments: Sequence[str]) -> bool:
    """Whether this is more than Quire alone."""
    return arguments[0].startswith(f"{SPOILED}=")


def spoil(steps: Container[int]) -> None:
    """From now on this process computes gradients that are not finite in these steps."""
    from transformers import PreTrainedModel

    from quire.training import loop
    from quire.training.state import TrainState

    real_step, real_norm = loop.step, loop.gradient_norm
    at = 0

    def step(work: loop.Work, part: loop.Part, frame: loop.Frame, state: TrainState, last: int) -> None:
        nonlocal at
        at = state.step + 1
        real_step(work, part, frame, state, last)

    def norm(model: PreTrainedModel, clip: float) -> float:
        if at in steps:
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.grad.fill_(math.nan)
        return real_norm(model, clip)

    loop.step, loop.gradient_norm = step, norm


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
