"""Which of several processes this one is, as the program that started them says in the environment.

torchrun, `accelerate launch` and `quire train --processes` all speak the same way: RANK, WORLD_SIZE, LOCAL_RANK.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from quire.errors import RunError

# What `quire train --processes` adds to it.
LAUNCHED = "QUIRE_LAUNCHED"  # it tells itself what became of its workers
LIFELINE = "QUIRE_LIFELINE"  # a handle that is closed when the launcher is no more
LISTENER = "QUIRE_LISTENER"  # the handle of its open socket, so that the port on which processes meet is surely free


@dataclass(frozen=True)
class Place:
    """`number` of `count` processes in all, `local` of `beside` on this machine; `launched` by Quire's own launcher."""

    number: int = 0
    count: int = 1
    local: int = 0
    beside: int = 1
    launched: bool = False

    @property
    def first(self) -> bool:
        """Whether this is the one that writes events, voice and samples, and speaks."""
        return self.number == 0


def place_here(environment: Mapping[str, str] | None = None) -> Place:
    """This process's place.  RunError where the environment contradicts itself."""
    says = os.environ if environment is None else environment
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    try:
        count = int(says.get("WORLD_SIZE", "1"))
        number = int(says.get("RANK", "0"))
        local = int(says.get("LOCAL_RANK", number))
        beside = int(says.get("LOCAL_WORLD_SIZE", count))
    except ValueError:
        raise _contradiction({name: says[name] for name in names if name in says}) from None
    whole = 0 <= number < count and 0 <= local < beside <= count
    if not whole or (count > 1 and ("RANK" not in says or "MASTER_ADDR" not in says or "MASTER_PORT" not in says)):
        raise _contradiction({name: says[name] for name in names if name in says})
    return Place(number, count, local, beside, LAUNCHED in says)


def _contradiction(said: Mapping[str, str]) -> RunError:
    told = ", ".join(f"{name}={value}" for name, value in said.items())
    return RunError(
        f"the environment names no place among several processes ({told}; MASTER_ADDR and MASTER_PORT go with it)",
        "start them with quire train --processes N or torchrun, or clear these variables",
        "processes",
    )
