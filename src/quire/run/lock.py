"""One process at a time in a run folder.  The lock dies with its process, so a stale file is no obstacle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quire.errors import RunError
from quire.run.atomic import make_folder, named_disk_errors


@contextmanager
def hold(path: Path, wait: bool = False) -> Iterator[None]:
    """Hold the lock file at `path`.  Where a living process holds it: wait for it, or raise RunError naming it."""
    import fcntl

    handle = _open(path)
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
        _say(handle, f"{os.getpid()}\n")
        yield
        # The file stays: removing it would let two processes lock two files of the same name.
        _say(handle, "")
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    try:
        with named_disk_errors(path):
            make_folder(path.parent)
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError as error:
        raise RunError(
            f"{path.parent} cannot be written ({error.strerror})",
            "make it writable, or choose another folder with --run DIR",
        ) from error


def _say(handle: int, holder: str) -> None:
    """Name the holder; the lock holds without its name too, so a disk that cannot take it is no obstacle."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, holder.encode(), 0)


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
