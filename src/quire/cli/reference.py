"""Writes docs/cli.md: the help pages of all verbs, as the command line itself shows them (`make docs`)."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stdout

from quire.cli.app import VERBS, run

HEAD = """# The command line

Written by `make docs` from the help pages. Results go to standard output, progress and errors to standard error.

| exit code | meaning |
|---|---|
| 0 | done |
| 2 | you can put it right: one line `error: …`, one line `try: …` |
| 75 | training stopped on request and can be resumed (130 or 143 after a second signal) |
| 1 | a bug in Quire; the traceback is kept in a file that is named |
"""


def reference() -> str:
    """The page as Markdown."""
    pages = [HEAD, _page("quire", ["--help"]), *(_page(f"quire {verb}", [verb, "--help"]) for verb in VERBS)]
    return "\n".join(pages)


def _page(title: str, arguments: list[str]) -> str:
    os.environ["COLUMNS"] = "100"  # the width of help pages must not depend on who makes them
    page = io.StringIO()
    with redirect_stdout(page):
        run(arguments)
    lines = (line.rstrip() for line in page.getvalue().strip().splitlines())
    return f"## {title}\n\n```text\n" + "\n".join(lines) + "\n```\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
