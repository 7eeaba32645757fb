"""What a stage starts from: a base and, where an adapter was learned before, that adapter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quire.planner.bases import BaseFiles


@dataclass(frozen=True)
class Start:
    """`base` is the base that an adapter lies on, or whose weights go on learning; `adapter` the voice folder of what
    was learned on it before, None where there is nothing yet or where the base itself has learned."""

    base: BaseFiles
    adapter: Path | None = None
