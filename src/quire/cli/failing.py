"""How a command ends when it cannot go on: two lines and an exit code, never a traceback on the screen."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import typer

from quire.errors import QuireError

FIXABLE = 2
BUG = 1
INTERRUPTED = 128 + signal.SIGINT

# typer's own name for wrong usage of any kind is not public; this one, the kind "a parameter was bad", is.
_WrongUsage: Any = typer.BadParameter.__mro__[1]

_run_folder: Path | None = None


def keep_crashes_in(folder: Path) -> None:
    """From now on a bug's traceback is kept in this run folder."""
    global _run_folder
    _run_folder = folder


def guarded(command: Callable[[], object], verb: str | None) -> int:
    """Call `command`; tell on stderr what went wrong, if anything did, and return the exit code."""
    usage = f"quire {verb} --help" if verb else "quire --help"
    try:
        code = command()
        sys.stdout.flush()
    except _WrongUsage as error:
        return tell(error.format_message().rstrip("."), usage, FIXABLE)
    except QuireError as error:
        return tell(error.what, _with_guide(error.then or usage, error.guide), error.exit_code)
    except typer.Exit as leave:
        return leave.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return tell("interrupted", "give the same command again", INTERRUPTED)
    except BrokenPipeError:
        return _reader_left()
    except Exception as error:
        return tell_bug(error)
    return code if isinstance(code, int) else 0


def tell(what: str, then: str, code: int) -> int:
    """Print the two lines and hand the exit code on."""
    print(f"error: {_one_line(what)}", file=sys.stderr)
    print(f"try: {_one_line(then)}", file=sys.stderr)
    return code


def tell_bug(error: Exception) -> int:
    """Keep the traceback in a file and name it."""
    text = "".join(traceback.format_exception(error))
    path = _write_crash(text)
    if path is None:
        print(text, file=sys.stderr)
    kind = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    where = f"; the details are in {path}" if path else ""
    return tell(f"this is a bug in Quire ({_one_line(kind)[:200]}){where}", "quire doctor, and report both", BUG)


def usage_error(message: str) -> NoReturn:
    """Wrong usage that the parser cannot see, such as two flags that exclude each other."""
    raise typer.BadParameter(message)


def _with_guide(then: str, guide: str) -> str:
    return f"{then} (more: docs/guide.md#{guide})" if guide else then


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _write_crash(text: str) -> Path | None:
    """The first of these that can be written: the run folder, the system's temporary folder."""
    try:
        if _run_folder is not None and _run_folder.is_dir():
            path = _run_folder / "crash.txt"
            path.write_text(text, encoding="utf-8")
            return path
    except OSError:
        pass
    try:
        handle, name = tempfile.mkstemp(prefix="quire-crash-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return Path(name)
    except OSError:
        return None


def _reader_left() -> int:
    """Whoever read our output has enough (`quire read --text … | head`): end quietly, also when Python flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
