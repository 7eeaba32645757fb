"""Every value of a recipe with its unit, where it came from, and what it does (`quire plan --explain`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quire.recipe.keys import field_of, flatten
from quire.recipe.load import Loaded


@dataclass(frozen=True)
class Explained:
    """One key.  `value` is as a recipe would write it."""

    key: str
    value: Any
    unit: str
    origin: str
    help: str


def explain(loaded: Loaded) -> list[Explained]:
    """All keys, in the schema's order."""
    rows = []
    for dotted, value in flatten(loaded.recipe).items():
        key = field_of(dotted)
        assert key is not None
        rows.append(Explained(dotted, value, key.unit, loaded.provenance[dotted], key.help))
    return rows
