"""The traceback of a bug is kept in the run folder, where whoever looks into it finds the rest of the story too."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quire.errors import QuireError, Stopped

_NOTE = "the traceback is kept in "


@contextmanager
def crash_kept_in(file: Path) -> Iterator[None]:
    """Write the traceback of what is raised in the block to `file`, unless the user can put it right; raise it on.

    Where the block ends as it should, or was asked to, an older one goes: that bug is passed.
    """
    try:
        yield
    except QuireError as error:
        if isinstance(error, Stopped):
            _forget(file)
        raise
    except Exception as error:
        with suppress(OSError):
            file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
            error.add_note(f"{_NOTE}{file}")
        raise
    _forget(file)


def _forget(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)


def kept_file(error: Exception) -> Path | None:
    """Where `crash_kept_in` has put the traceback of `error`, if it has."""
    notes: list[str] = vars(error).get("__notes__", [])
    return next((Path(note.removeprefix(_NOTE)) for note in notes if note.startswith(_NOTE)), None)
