"""The command line: parse, call a verb, show.  Imports late, so that `quire --help` answers at once."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command in `sys.argv` and leave with its exit code."""
    if sys.argv[1:2] == ["train"]:
        from quire.training.watch import hold_back

        hold_back()
    try:
        from quire.cli.app import run
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run(sys.argv[1:]))
