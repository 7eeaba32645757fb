"""Cases in order, each in a process of its own: nothing of one is left in the next, and none can end the bench."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from quire.errors import RecipeError
from quire.verbs.benching.figures import TrainingOutcome, WritingOutcome, trained_of, wrote_of
from quire.verbs.benching.shapes import Shape

COMMAND = (sys.executable, "-W", "ignore", "-m", "quire.verbs.benching.child")
PRECISIONS = ("bf16", "int8", "fp32", "nf4", "fp16")
SECONDS = 10.0  # of steps after the first; one is made however long it takes
MOST_SECONDS = 300.0  # of a case with all that belongs to it
WRITTEN = 48  # tokens of each text
MOST_ROWS = 10  # of text for a case: it makes fewer steps


def training_case(
    shape: Shape,
    precision: str,
    window: int,
    ids: Sequence[int],
    seconds: float = SECONDS,
    limit: float = MOST_SECONDS,
) -> TrainingOutcome:
    """Train a base of this shape on the text of `ids`; what could not be done says why, and nothing is raised."""
    wanted = MOST_ROWS * window + 1
    arguments = {"precision": precision, "window": window, "ids": list(ids[:wanted]), "seconds": seconds}
    told = _ask("training", shape, arguments, limit)
    found = trained_of(told["found"]) if "found" in told else None
    return TrainingOutcome(shape.name, precision, window, found, told.get("problem"))


def writing_case(
    shape: Shape, precision: str, batch: int, tokens: int = WRITTEN, limit: float = MOST_SECONDS
) -> WritingOutcome:
    """Write with a base of this shape; what could not be done says why, and nothing is raised."""
    told = _ask("writing", shape, {"precision": precision, "batch": batch, "tokens": tokens}, limit)
    found = wrote_of(told["found"]) if "found" in told else None
    return WritingOutcome(shape.name, precision, batch, found, told.get("problem"))


def check_cases(precisions: Sequence[str], windows: Sequence[int], tokens: int) -> None:
    """RecipeError names a precision that there is not, and a window that a book of so many `tokens` cannot fill."""
    unknown = [precision for precision in precisions if precision not in PRECISIONS]
    if unknown:
        raise RecipeError(f"--precisions: {unknown[0]} is none", f"choose among {', '.join(PRECISIONS)}")
    short = [window for window in windows if window < 1]
    if short:
        raise RecipeError(f"--windows: {short[0]} is no number of tokens", "name some such as 512,1024")
    long = [window for window in windows if window >= tokens]
    if long:
        raise RecipeError(
            f"--windows: a window of {long[0]} tokens is longer than the book, which has {tokens}",
            "name a longer book with --book",
        )


def _ask(kind: str, shape: Shape, arguments: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """The child's answer, or the problem that kept it from giving one."""
    question = json.dumps({"kind": kind, "config": dict(shape.config), "arguments": arguments})
    try:
        done = subprocess.run(  # noqa: S603
            COMMAND, input=question + "\n", capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return {"problem": f"it took more than {limit:.0f} seconds"}
    if done.returncode == -signal.SIGKILL:
        return {"problem": "it was killed, as processes are when memory runs out"}
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        return {"problem": lines[-1].strip()}
    return told
