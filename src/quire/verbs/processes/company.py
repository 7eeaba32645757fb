"""A call of `train` in several processes: the first decides, the others are told and do their share."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quire.errors import RunError
from quire.run.folder import RunFolder
from quire.run.place import place_here

if TYPE_CHECKING:
    from quire.training.together.ranks import Ranks

_WAIT = 10.0  # seconds; a network file system may show a new file late


@dataclass
class Call:
    """What the first process tells the others, once: how to go on, or nothing where there is nothing to do.

    `ranks` is None in a run of one process, which needs no torch to find that a name is wrong.
    """

    ranks: Ranks | None
    made: bool = False

    def make(self, folder: RunFolder, message: str) -> None:
        """Say that the run's recipe stands in its folder, and that it is to be carried out; the others say nothing."""
        if self.ranks is not None and self.ranks.first and not self.made:
            self.made = True
            self._tell(folder, message)

    def close(self, folder: RunFolder) -> None:
        """Say that there is nothing to do, where nothing was said before."""
        self.make(folder, "")

    def _tell(self, folder: RunFolder, message: str) -> None:
        """Tell it, with a sign in the folder by which the others see that it is the same one."""
        assert self.ranks is not None
        ranks, sign = self.ranks, f".quire-sign-{secrets.token_hex(8)}"
        ranks.told(f"{message}\n{sign}")
        ranks.lead((folder.path / sign).touch)
        ranks.meet()
        ranks.lead((folder.path / sign).unlink)


@contextmanager
def company() -> Iterator[Ranks | None]:
    """Join the other processes, if this one was started among several; None if it is alone."""
    if place_here().count == 1:
        yield None
        return
    from quire.training.together.ranks import joined

    with joined() as ranks:
        yield ranks


def heard(ranks: Ranks, path: Path) -> str:
    """In every process but the first: wait for its call, and see that the run folder is the one that it speaks of.

    Raises RunError where it is not: every machine must see the same files.
    """
    message, sign = ranks.told().split("\n")
    ranks.lead(lambda: None)
    until = time.monotonic() + _WAIT

    def look() -> None:
        while not (path / sign).exists():
            if time.monotonic() > until:
                raise RunError(
                    f"{path} is not the run folder of the first process",
                    "put the run where all machines see the same files: --run DIR",
                    "processes",
                )
            time.sleep(0.1)

    look()
    ranks.meet()
    ranks.lead(lambda: None)
    return message
