"""What the bench hands back: single figures, and what became of a training or a writing in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One thing that was measured; `how` says what of."""

    name: str
    value: float
    unit: str
    how: str


@dataclass(frozen=True)
class Trained:
    """A training step of a shape in a precision and a window, the median of `steps`; `first` is that before them.

    `roofline` are the tokens a second that the products alone would allow at `rates` (operations a second, measured in
    the same process), `weights_bytes` those of the base, `peak_bytes` the most that the process held while it trained.
    """

    tokens_per_second: float
    roofline: float
    seconds: float
    first: float
    steps: int
    weights_bytes: int
    peak_bytes: int
    losses: tuple[float, ...]
    rates: Mapping[str, float]
    twice: bool  # activations computed twice, to save memory
    device: str
    threads: int

    @property
    def fraction(self) -> float:
        """Of the roofline."""
        return self.tokens_per_second / self.roofline


@dataclass(frozen=True)
class Wrote:
    """Tokens of all texts together that a shape writes in a second: `batch` texts of `tokens` tokens each, the reading
    of a prompt of one sentence included."""

    tokens_per_second: float
    tokens: int
    weights_bytes: int
    device: str
    threads: int


@dataclass(frozen=True)
class TrainingOutcome:
    """What became of one case; `problem` says why there is nothing where there is nothing."""

    shape: str
    precision: str
    window: int
    found: Trained | None
    problem: str | None = None

    @property
    def key(self) -> str:
        return f"training/{self.shape}/{self.precision}/{self.window}"

    def to_json(self) -> dict[str, Any]:
        """`found` with its fraction of the roofline."""
        facts = asdict(self)
        if self.found is not None:
            facts["found"]["fraction"] = self.found.fraction
        return {"key": self.key, **facts}


@dataclass(frozen=True)
class WritingOutcome:
    """What became of one case; `problem` says why there is nothing where there is nothing."""

    shape: str
    precision: str
    batch: int
    found: Wrote | None
    problem: str | None = None

    @property
    def key(self) -> str:
        return f"writing/{self.shape}/{self.precision}/{self.batch}"

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, **asdict(self)}


Outcome = TrainingOutcome | WritingOutcome


def trained_of(facts: Mapping[str, Any]) -> Trained:
    """A `Trained` as one process tells it to another."""
    known = {field.name: facts[field.name] for field in fields(Trained)}
    return Trained(**{**known, "losses": tuple(facts["losses"])})


def wrote_of(facts: Mapping[str, Any]) -> Wrote:
    """A `Wrote` as one process tells it to another."""
    return Wrote(**{field.name: facts[field.name] for field in fields(Wrote)})
