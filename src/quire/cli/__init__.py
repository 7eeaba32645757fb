"""The command line: parse, call a verb, show.  Imports late, so that `quire --help` answers at once."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command in `sys.argv` and leave with its exit code."""
    from quire.cli.app import run

    sys.exit(run(sys.argv[1:]))
