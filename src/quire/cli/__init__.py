"""The command line: parse, call a verb, show.  Imports late, so that `quire --help` answers at once."""

from __future__ import annotations

import gc
import signal
import sys

# How many more things than were freed there are when Python looks for garbage.  torch and transformers make a million
# while they are imported, all of which stay: looked through after every 700, and once more at the end, they cost a
# command that loads them 2.4 of 7.1 s (measured).
SELDOM = (100_000, 50, 100)


def main() -> None:
    """Run the command in `sys.argv` and leave with its exit code."""
    gc.set_threshold(*SELDOM)
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
    gc.freeze()
    sys.exit(code)
