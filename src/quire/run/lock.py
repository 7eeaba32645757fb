"""One process at a time in a run folder.  The lock dies with its process, so a stale file is no obstacle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quire.errors import RunError


@contextmanager
def hold(path: Path, wait: bool = False) -> Iterator[None]:
    """Hold the lock file at `path`.  Where a living process holds it: wait for it, or raise RunError naming it."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            pid = os.read(handle, 32).decode("ascii", "replace").strip()
            raise RunError(
                f"{path.parent} is in use by process {pid or '(not yet named)'}",
                f"wait for it, stop it with: kill {pid}, or choose another folder with --run DIR",
                "run-in-use",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
        # The file stays: removing it would let two processes lock two files of the same name.
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def holder(path: Path) -> int | None:
    """The number of the living process that holds the lock at `path`, or None."""
    import fcntl

    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(handle, 32).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(handle)
    return None
