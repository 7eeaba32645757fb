"""search.json: all that a search knows, rewritten as a whole whenever something has happened.

It is the only truth: every trial stands in it before it begins, and what the sampler and the pruner are shown is made
of it anew each time, so that a search that was killed goes on as if it had not been.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from quire.errors import RunError
from quire.run.atomic import write_text
from quire.verbs.searching.space import Dimension

FORMAT = 1
FILE = "search.json"

State = Literal["running", "finished", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """One training of the search, or of the repeats (`seed` says by which seed then).

    `curve` holds held-out losses by tenths of the training, `loss` that of the voice as it was saved; `reason` says
    why it failed or where it was pruned.
    """

    number: int
    params: Mapping[str, Any]
    state: State = "running"
    loss: float | None = None
    curve: tuple[tuple[int, float], ...] = ()
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    reason: str = ""
    seed: int | None = None

    @property
    def folder(self) -> str:
        """Where it lies in the search's folder."""
        if self.seed is None:
            return f"trials/{self.number:04d}"
        return f"repeats/{self.number:04d}-seed-{self.seed}"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trial:
        return cls(**{**data, "curve": tuple((tenth, loss) for tenth, loss in data["curve"])})


@dataclass(frozen=True)
class Asked:
    """What a search was asked for.  Going on with it, none of this may change."""

    source: str
    recipe: str  # a hash of what the source said
    base: str | None
    settings: Mapping[str, Any]
    space: Sequence[str]
    prune: str
    seed: int


@dataclass(frozen=True)
class Journal:
    """A search as it stands."""

    asked: Asked
    wanted: int = 0
    repeats_wanted: int = 0
    space: tuple[Dimension, ...] = ()
    trials: tuple[Trial, ...] = ()
    repeats: tuple[Trial, ...] = ()
    outcome: Mapping[str, Any] = field(default_factory=dict)

    def with_trial(self, trial: Trial) -> Journal:
        """The same with `trial` added, or in place of what was known of it."""
        known = self.trials if trial.seed is None else self.repeats
        place = next((i for i, t in enumerate(known) if (t.number, t.seed) == (trial.number, trial.seed)), len(known))
        changed = (*known[:place], trial, *known[place + 1 :])
        return replace(self, trials=changed) if trial.seed is None else replace(self, repeats=changed)

    @property
    def finished(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.state == "finished")

    @property
    def best(self) -> Trial | None:
        """The finished trial of the lowest loss, the earliest of equals."""
        return min(self.finished, key=lambda trial: (trial.loss, trial.number), default=None)

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self), "space": [dimension.to_json() for dimension in self.space]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Journal:
        """The inverse of `to_json`."""
        return cls(
            asked=Asked(**data["asked"]),
            wanted=data["wanted"],
            repeats_wanted=data["repeats_wanted"],
            space=tuple(Dimension.from_json(dimension) for dimension in data["space"]),
            trials=tuple(Trial.from_json(trial) for trial in data["trials"]),
            repeats=tuple(Trial.from_json(trial) for trial in data["repeats"]),
            outcome=data["outcome"],
        )


def is_search(folder: Path) -> bool:
    return (folder / FILE).is_file()


def write_journal(folder: Path, journal: Journal) -> None:
    """Whole or not at all, and on the disk when this returns."""
    write_text(folder / FILE, json.dumps(journal.to_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def read_journal(folder: Path) -> Journal | None:
    """The search in `folder`; None where none was begun.  RunError where the file is not one of this Quire."""
    try:
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise RunError(f"{folder / FILE} cannot be read: {error}", "search anew with --run NEW", "search") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        number = data.get("format") if isinstance(data, dict) else None
        raise RunError(
            f"{folder / FILE} has the format {number}, and this Quire reads {FORMAT}",
            "upgrade Quire, or search anew with --run NEW",
            "search",
        )
    return Journal.from_json(data)
