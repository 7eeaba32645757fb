"""What every part of the measurement is told: the base, its texts, its run, and how much of them to take."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.base.texts import INDEX, Texts, load_texts, mark_of, of_run
from benchmarks.facts import ROOT
from quire.planner.bases import find_base

if TYPE_CHECKING:
    from quire.model.base import Base

FIRST_VERSION = "d14dc46"
"""The last commit that holds the base's first version."""
EMBEDDED = "src/quire/assets/embedded"


@dataclass(frozen=True)
class Task:
    """`base` is a name or a folder; `run` the pretraining run, where there is one; `home` the folder of texts; `bytes`
    the most that is measured of a work (0: all); `books` the folder of books by authors that the corpus lacks; `first`
    the commit of the base to compare with, empty for none; `count` the texts to write in each language."""

    home: Path
    run: Path | None = None
    base: str = "embedded"
    books: Path | None = None
    bytes: int = 0
    first: str = FIRST_VERSION
    count: int = 40
    tokens: int = 200
    pictures: Path = ROOT / "docs"

    def texts(self) -> Texts:
        """The texts that were kept; where a run is named and they are not its, those of the run, kept now."""
        if (self.home / INDEX).is_file():
            kept = load_texts(self.home)
            if self.run is None or kept.mark == mark_of(self.run):
                return kept
        if self.run is None:
            raise FileNotFoundError(f"{self.home} holds no texts: name the run with --run, or make them with --corpus")
        return of_run(self.run, self.home, tell)

    def load(self) -> Base:
        """The base, in 32 bits, on this machine's device."""
        return load(self.base)


def load(name: str) -> Base:
    """A base by name or folder, in 32 bits, on this machine's device."""
    from quire.model.base import load_base
    from quire.model.machine import device_name

    return load_base(find_base(name), "fp32", device_name())


def tell(text: str) -> None:
    """A line for whoever waits."""
    print(text, flush=True)


@contextmanager
def first_version(commit: str) -> Iterator[Base]:
    """The embedded base as it was at a commit, read out of the history."""
    with TemporaryDirectory(prefix="quire-base-") as home:
        folder = Path(home)
        for name in _git("ls-tree", "--name-only", f"{commit}:{EMBEDDED}").decode("utf-8").split():
            (folder / name).write_bytes(_git("show", f"{commit}:{EMBEDDED}/{name}"))
        yield load(str(folder))


def _git(*asked: str) -> bytes:
    return subprocess.run(["git", *asked], capture_output=True, check=True, cwd=ROOT).stdout  # noqa: S603, S607
