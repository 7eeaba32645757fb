"""Whether the winner is better, or was only luckier: both again, by other seeds.

The winner was chosen because it did best by one seed, so that this seed says too much in its favour.  Another seed
holds out other text and draws other numbers, for both alike: differences are taken seed by seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from quire.verbs.searching.journal import Journal, Trial

# Student's t, 97.5 %, for 1 to 30 degrees of freedom (the usual tables).
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True)
class Pairs:
    """Losses of the recipe as it is and of the winner by the same other seeds; `low` and `high` bound the mean gain."""

    seeds: tuple[int, ...]
    original: tuple[float, ...]
    winner: tuple[float, ...]

    @property
    def gains(self) -> tuple[float, ...]:
        return tuple(before - after for before, after in zip(self.original, self.winner, strict=True))

    @property
    def gain(self) -> float | None:
        return mean(self.gains) if self.seeds else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %, by Student's t over the seeds; None with fewer than two."""
        if len(self.seeds) < 2:
            return None
        centre = mean(self.gains)
        factor = _T[min(len(self.seeds) - 1, len(_T)) - 1]
        half = factor * stdev(self.gains) / math.sqrt(len(self.seeds))
        return centre - half, centre + half

    @property
    def beats(self) -> bool | None:
        """Whether the winner is better beyond the noise; None where that cannot be said."""
        return self.interval[0] > 0 if self.interval is not None else None

    def to_json(self) -> dict[str, Any]:
        """With what it comes to."""
        low, high = self.interval or (None, None)
        lists = {"seeds": list(self.seeds), "original": list(self.original), "winner": list(self.winner)}
        return {**lists, "gains": list(self.gains), "gain": self.gain, "low": low, "high": high}


def pairs_of(journal: Journal, winner: Trial) -> Pairs:
    """The seeds by which both have finished."""
    original, other = _by_seed(journal, 0), _by_seed(journal, winner.number)
    seeds = tuple(sorted(original.keys() & other.keys()))
    return Pairs(seeds, tuple(original[s] for s in seeds), tuple(other[s] for s in seeds))


def verdict_of(journal: Journal) -> str:
    """What the search has shown, in a sentence or two."""
    winner = journal.best
    if winner is None:
        return "No trial has finished, so there is no winner."
    original = journal.trials[0]
    if winner.number == 0:
        return f"Nothing that was tried did better than the recipe as it is (held-out loss {winner.loss:.4f})."
    if original.loss is None:
        return (
            f"Trial {winner.number} did best (held-out loss {winner.loss:.4f}); the recipe as it is failed: "
            f"{original.reason}."
        )
    assert winner.loss is not None
    first = (
        f"Trial {winner.number} did best: held-out loss {winner.loss:.4f}, the recipe as it is {original.loss:.4f}, by "
        "the seed by which it was chosen."
    )
    failed = [trial for trial in journal.repeats if trial.number in (0, winner.number) and trial.state == "failed"]
    lost = f" Of the repeats {len(failed)} failed ({failed[0].reason})." if failed else ""
    return f"{first} {_again(pairs_of(journal, winner))}{lost}"


def _again(pairs: Pairs) -> str:
    if pairs.gain is None:
        return "Neither was repeated by another seed, so the difference may be luck: add --repeats 3."
    seeds = f"{len(pairs.seeds)} other seed{'s' if len(pairs.seeds) > 1 else ''}"
    spread = f"from {min(pairs.gains):+.4f} to {max(pairs.gains):+.4f}"
    if pairs.interval is None:
        return f"By {seeds} it gained {pairs.gain:+.4f} nats per token; one says nothing about chance: add --repeats 3."
    low, high = pairs.interval
    shown = f"{pairs.gain:+.4f} nats per token (95 % interval {low:+.4f} … {high:+.4f}; {spread})"
    if pairs.beats:
        return f"By {seeds} it gained {shown}: better beyond the noise."
    if high < 0:
        return f"By {seeds} it gained {shown}: it is worse than the recipe as it is; it was only lucky."
    return f"By {seeds} it gained {shown}: that is within the noise, so no gain has been shown."


def _by_seed(journal: Journal, number: int) -> dict[int, float]:
    return {
        trial.seed: trial.loss
        for trial in journal.repeats
        if trial.number == number and trial.state == "finished" and trial.seed is not None and trial.loss is not None
    }
