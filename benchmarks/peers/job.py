"""What one trainer is asked to do.  Nothing but the standard library: every peer's own environment imports this."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """Train adapters on `base` with the text of the file `text`, and print one line of JSON about it.

    `window` is in tokens.  The first `warm` windows' worth of text is not timed, the next `steps` windows' worth is.
    `targets` are names of linear layers, or `all-linear`.  `precision`: `fp32`, `bf16`, `int8` or `nf4`.  `device`:
    `cpu` or `cuda`.  `out` is a folder for whatever the trainer writes.
    """

    base: str
    text: str
    out: str
    window: int
    steps: int
    warm: int
    rank: int
    alpha: int
    targets: tuple[str, ...]
    precision: str
    device: str = "cpu"
    seed: int = 7
    learning_rate: float = 2e-4

    @property
    def windows(self) -> int:
        """All windows that are trained, timed or not."""
        return self.warm + self.steps

    @property
    def peft_targets(self) -> str | list[str]:
        """As PEFT wants them."""
        return "all-linear" if self.targets == ("all-linear",) else list(self.targets)

    def write(self, path: Path) -> None:
        """As `read` reads it."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Job:
        """A job that `write` wrote."""
        told = json.loads(path.read_text(encoding="utf-8"))
        return Job(**{**told, "targets": tuple(told["targets"])})


def job_of_command_line(arguments: Sequence[str] | None = None) -> Job:
    """The job whose file is the only argument."""
    (path,) = sys.argv[1:] if arguments is None else arguments
    return Job.read(Path(path))


def seek_windows(tokens: Sequence[int], window: int, count: int) -> list[list[int]]:
    """The first `count` windows of `tokens`, each full; from the start again where the text is too short."""
    whole = len(tokens) // window
    if whole == 0:
        raise ValueError(f"{len(tokens)} tokens are less than one window of {window}")
    places = (number % whole * window for number in range(count))
    return [list(tokens[at : at + window]) for at in places]
