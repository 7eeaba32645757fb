"""How a command ends when it cannot go on: two lines and an exit code, never a traceback on the screen."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer

from quire.errors import Echo, QuireError, Stopped

FIXABLE = 2
BUG = 1
INTERRUPTED = 128 + signal.SIGINT

# typer's own name for wrong usage of any kind is not public; this one, the kind "a parameter was bad", is.
_WrongUsage: Any = typer.BadParameter.__mro__[1]


def guarded(command: Callable[[], object], arguments: Sequence[str], verb: str | None) -> int:
    """Call `command`, which carries out `arguments`; tell on stderr what went wrong, if anything did.

    Returns the exit code.
    """
    usage = f"quire {verb} --help" if verb else "quire --help"
    again = shlex.join(["quire", *arguments])
    try:
        code = command()
        sys.stdout.flush()
    except _WrongUsage as error:
        return tell(error.format_message().rstrip("."), usage, FIXABLE)
    except Echo as error:
        return error.exit_code
    except QuireError as error:
        then = error.then or (again if isinstance(error, Stopped) else usage)
        return tell(error.what, _with_guide(then, error.guide), error.exit_code)
    except typer.Exit as leave:
        return leave.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return tell("interrupted", again, INTERRUPTED)
    except (BrokenPipeError, SystemExit):  # typer makes the one into the other
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
    """Name the bug and the file that holds its traceback: in the run folder, or else a temporary one."""
    from quire.verbs.crash import kept_file

    path = kept_file(error) or _keep(error)
    kind = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    what = f"this is a bug in Quire ({_one_line(kind)[:200]}); its traceback is in {path}"
    return tell(what, "report it with that file and what quire doctor prints", BUG)


def usage_error(message: str) -> NoReturn:
    """Wrong usage that the parser cannot see, such as two flags that exclude each other."""
    raise typer.BadParameter(message)


def _with_guide(then: str, guide: str) -> str:
    return f"{then} (more: docs/guide.md#{guide})" if guide else then


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _keep(error: Exception) -> Path:
    handle, name = tempfile.mkstemp(prefix="quire-crash-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    return Path(name)


def _reader_left() -> int:
    """Whoever read our output has enough (`quire read --text … | head`): end quietly, also when Python flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
