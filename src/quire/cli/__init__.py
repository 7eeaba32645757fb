"""The command line: parse, call a verb, show.  Imports late, so that `quire --help` answers at once."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command in `sys.argv` and leave with its exit code."""
    if sys.argv[1:2] in (["train"], ["search"]):
        from quire.training.watch import hold_back
        from quire.verbs.processes.launch import end_with_launcher

        hold_back()
        end_with_launcher()
    try:
        from quire.cli.app import run
    except KeyboardInterrupt:
        sys.exit(130)
    code = run(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: an impatient Ctrl-C shall not change the exit code
    sys.exit(code)
