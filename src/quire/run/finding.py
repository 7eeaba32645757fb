"""One answer of `judge`, as judges give it and cards, reports and pages read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Compared:
    """What a finding is held against, measured in the same way; `low` and `high` bound its 95 % interval."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Finding:
    """A value, its 95 % interval, what it is compared with, and what that means in one plain sentence.

    `question` is the question's key (`loss`, `copying`), `name` says what was measured, `unit` in what.  `value` is
    None where no value can be given honestly; the verdict then says why.  `details` is JSON.
    """

    question: str
    name: str
    value: float | None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    compared_with: tuple[Compared, ...] = ()
    verdict: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As report.json holds it."""
        return {**asdict(self), "compared_with": [asdict(other) for other in self.compared_with]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """The inverse of `to_json`."""
        others = tuple(Compared(**other) for other in data.get("compared_with", ()))
        return cls(**{**data, "compared_with": others})
