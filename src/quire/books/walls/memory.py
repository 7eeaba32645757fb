"""How much memory there is for a reader, where a container or a shell gives less than a book may have."""

from __future__ import annotations

import sys
from pathlib import Path

from quire.books.limits import MIB

SHARE = 0.75
"""Of what is given, at most so much is one reader's; the rest is for whoever waits for it."""
LEAST = 128 * MIB
_MOUNTS = Path("/sys/fs/cgroup")


def room(wanted: int, groups: Path = Path("/proc/self/cgroup"), mounts: Path = _MOUNTS) -> int:
    """`wanted` bytes, or less where this process is in a control group that has less, or was bound to less itself.

    A group that meets its limit may be ended as a whole, so a reader must meet its own before.
    """
    given = _bound() + [most for file in _limits(groups, mounts) if (most := _number(file)) is not None]
    return min([wanted, *(max(LEAST, int(most * SHARE)) for most in given)])


def _bound() -> list[int]:
    """What `ulimit -v` leaves this process, and with it all those that it starts."""
    if sys.platform == "win32":
        return []
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return [] if soft == resource.RLIM_INFINITY else [soft]


def _limits(groups: Path, mounts: Path) -> list[Path]:
    """The files that may hold a limit: of this process's group and of all those above it, in both versions."""
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        lines = []
    # Inside a container its own group is the root, whatever /proc says.
    found = [mounts / "memory.max", mounts / "memory" / "memory.limit_in_bytes"]
    for line in lines:
        _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        root, name = (mounts, "memory.max") if not controllers else (mounts / "memory", "memory.limit_in_bytes")
        if not controllers or "memory" in controllers.split(","):
            here = Path(path.lstrip("/"))
            found += [root / group / name for group in (here, *here.parents)]
    return found


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such file, or `max`
        return None
