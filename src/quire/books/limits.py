"""What the reading of one file may cost, whatever the file claims about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a child process need not load pydantic
    from quire.recipe.schema import KeptMatter

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one work: seconds of wall clock, bytes of memory over the start, characters of text; for its file:
    bytes on disk; and the longest time without a page, chapter or row (`silence`, seconds).

    In a file of many works (a row each) the seconds begin anew with every row.
    """

    seconds: float = 60.0
    memory: int = 1024 * MIB
    text: int = 200 * MIB
    file: int = 1024 * MIB
    silence: float = 10.0


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a recipe or a reader's flags say about one source.

    `where` maps a column to the values that are kept, compared without regard to the case of letters; `text` and
    `where` are for rows of data sets.  `matter`: `chapters` keeps the story alone, `text` also what its author wrote
    around it (dedication, preface, afterword, …), `all` title page, imprint, contents, index and advertisements too.
    `ocr` lets pages that are pictures be recognised, where `ocrmypdf` is installed.
    """

    text: str | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    format: str | None = None
    matter: KeptMatter = "text"
    ocr: bool = False


PLAIN = ReadOptions()
