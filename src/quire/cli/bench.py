"""`quire bench`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quire.cli import screen
from quire.cli.flags import AsJson, Set, parse_set

if TYPE_CHECKING:
    from quire.verbs.bench import Figure

EXAMPLES = ("quire bench", "quire bench --base Qwen/Qwen2.5-0.5B --set train.window=512 --json")


def bench(
    base: Annotated[str, typer.Option("--base", metavar="BASE", help="The base to train.")] = "embedded",
    settings: Set = [],
    as_json: AsJson = False,
) -> None:
    """Reads the bundled novella, trains a few steps on it in a temporary folder, and writes with the result."""
    from quire.cli.progress import watching
    from quire.verbs.bench import bench as measure

    with watching(screen.progress()) as display:
        found = measure(base, settings=parse_set(settings), listener=display)
    if as_json:
        screen.print_json(found.to_json())
        return
    table = screen.plain_table("measured", "value", "how", numbers=("value",))
    for figure in found.figures:
        table.add_row(figure.name, shown(figure), figure.how)
    screen.results().print(table)


def shown(figure: Figure) -> str:
    """The value with its unit."""
    from quire.units import show_size

    if figure.unit == "bytes":
        return show_size(figure.value)
    return f"{figure.value:,.2f} {figure.unit}" if figure.value < 100 else f"{figure.value:,.0f} {figure.unit}"
