"""`quire runs`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quire.cli import screen
from quire.cli.failing import usage_error
from quire.cli.flags import AsJson
from quire.units import show_size

if TYPE_CHECKING:
    from quire.verbs.runs import RunEntry

EXAMPLES = (
    "quire runs",
    "quire runs remove first-try second-try",
    "quire runs remove novel-search --yes",
)


def runs(
    what: Annotated[list[str] | None, typer.Argument(metavar="[list | remove RUN...]", show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lists the runs and searches under ./runs, or removes some of them for good.

    A run that is being trained is not removed, and no link is followed. What results.csv says of a run stays there.
    """
    action, *names = what or ["list"]
    if action == "list" and not names:
        _list(as_json)
    elif action == "remove" and names:
        _remove(names, yes, as_json)
    else:
        usage_error(f"{' '.join(what or [])}: say quire runs, or quire runs remove RUN")


def _list(as_json: bool) -> None:
    from quire.verbs.runs import runs as list_all

    found = list_all()
    if as_json:
        screen.print_json({"runs": [entry.to_json() for entry in found]})
        return
    console = screen.results()
    if not found:
        console.print("no runs here; begin one with: quire train BOOK")
        return
    show(found, console)


def show(found: list[RunEntry], console: Console) -> None:
    """A line for each, and what they take together."""
    table = screen.plain_table("name", "state", "steps", "base", "size", "last changed", numbers=("steps", "size"))
    for entry in found:
        steps = f"{entry.steps:,}" + (" trials" if entry.kind == "search" else "")
        changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.changed))
        cells = (entry.name, entry.state, steps, entry.base, show_size(entry.size_bytes), changed)
        table.add_row(*(escape(cell) for cell in cells))
    console.print(table)
    if len(found) > 1:
        console.print(f"\n{len(found)} in all, {show_size(sum(entry.size_bytes for entry in found))}")


def _remove(names: list[str], yes: bool, as_json: bool) -> None:
    from quire.verbs.runs import find_entries, remove_run

    entries = find_entries(names)
    if not yes:
        _ask(entries)
    removed = [remove_run(entry.path) for entry in entries]
    if as_json:
        screen.print_json({"removed": [entry.to_json() for entry in removed]})
        return
    for entry in removed:
        screen.results().print(f"removed {escape(str(entry.path))} ({show_size(entry.size_bytes)})")


def _ask(entries: list[RunEntry]) -> None:
    """Nothing goes without a yes: from the keyboard, or by the flag."""
    if not sys.stdin.isatty():
        usage_error("removing asks first, and nobody is there to answer: add --yes")
    for entry in entries:
        screen.progress().print(f"{escape(str(entry.path))}: {entry.state}, {show_size(entry.size_bytes)}")
    typer.confirm(f"remove {len(entries)} for good?", abort=True, err=True)
