"""Starting Python beside this one: with the same modules in reach, without this one's secrets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What Python and its libraries need; tokens and other secrets of the environment stay outside.
PASSED_ON = (
    *("PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "VIRTUAL_ENV", "HOME", "SYSTEMROOT", "LANG", "LC_ALL"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
)
# One thread each: who reads a book computes nothing, and threads of libraries need memory and processes.
_FEW_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# Where our modules lie may have been settled while this process ran (by a notebook, a test), so it is told.
_BEGIN = (
    f"import sys, importlib; sys.path += [p for p in sys.argv.pop().split({os.pathsep!r}) if p not in sys.path];"
    "importlib.import_module(sys.argv.pop(1)).main()"
)


def launch(
    module: str, *arguments: str, stdin: int, stdout: int = subprocess.DEVNULL, new_session: bool = False
) -> subprocess.Popen[bytes]:
    """Start `main()` of one of our modules in a new process, which finds `arguments` in `sys.argv`.

    Raises OSError where no process can be started.
    """
    environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    with signals_held_back():
        return subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-P", "-X", "utf8", "-c", _BEGIN, module, *arguments, os.pathsep.join(_libraries())],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            env=environment | _FEW_THREADS,
            start_new_session=new_session,
        )


def _libraries() -> list[str]:
    """Where this package and installed ones are; other folders on the path, a script's own say, are not passed on."""
    own = str(Path(__file__).absolute().parents[3])
    return [own, *(path for path in sys.path if path.endswith(("site-packages", "dist-packages")))]


def hear_signals() -> None:
    """For the process that was started: signals mean what they mean by default, whatever its parent's parents
    ignored.  (A shell's `trap '' CHLD` would have the kernel forget how children ended.)"""
    for name in ("SIGCHLD", "SIGXCPU", "SIGALRM"):
        if name in signal.Signals.__members__:
            signal.signal(signal.Signals[name], signal.SIG_DFL)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """A process started inside stays deaf to Ctrl-C and SIGTERM, which reach whole groups of processes: what they
    mean is the parent's to say.  This thread hears what was sent to it meanwhile at the end; others hear as ever."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ending(status: int) -> str:
    """How a process ended, in a few words: by a signal where `status` is below 0."""
    if status >= 0:
        return f"exit status {status}" if status else "it said nothing"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
