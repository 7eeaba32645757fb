"""What the reading of one file may cost, whatever the file claims about itself."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one file: seconds of wall clock, bytes of memory over the start, bytes of text, bytes on disk."""

    seconds: float = 60.0
    memory: int = 1024 * MIB
    text: int = 200 * MIB
    file: int = 1024 * MIB


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a recipe says about the rows of a data set; readers of other formats ignore it.

    `where` maps a column to the values that are kept, compared without regard to the case of letters.
    """

    text: str | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    format: str | None = None
