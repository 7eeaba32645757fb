"""`quire search`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quire.cli import screen
from quire.cli.failing import usage_error
from quire.cli.flags import AsJson, Set, base_flag, parse_set
from quire.cli.progress import Display, number, watching
from quire.run.events import Event
from quire.units import parse_duration, show_duration

if TYPE_CHECKING:
    from quire.verbs.search import Search
    from quire.verbs.searching.journal import Journal, Trial
    from quire.verbs.searching.sampler import Prune

EXAMPLES = (
    "quire search novel.epub",
    "quire search recipe.yaml --trials 40 --prune hyperband --max-time 8h",
    "quire search novel.epub --space train.learning_rate=1e-5..1e-3/log --space 'train.method.lora.rank=8|16|32'",
    "quire search novel-search --trials 60",
)
_MOST_SHOWN = 12


def search(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A recipe, a book, sample:NAME, or a search to go on with.")
    ],
    trials: Annotated[
        int | None,
        typer.Option("--trials", metavar="N", help="Trials, the recipe as it is included: 20, or as many as before."),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option("--repeats", metavar="N", help="Other seeds for the winner and the recipe: 3, or as before."),
    ] = None,
    space: Annotated[
        list[str],
        typer.Option("--space", metavar="SPACE", help="KEY=LOW..HIGH, KEY=LOW..HIGH/log, KEY=a|b|c, or a YAML file."),
    ] = [],
    prune: Annotated[
        str | None,
        typer.Option("--prune", metavar="HOW", help="Give up hopeless trials: median (default), hyperband, none."),
    ] = None,
    max_time: Annotated[
        str | None, typer.Option("--max-time", metavar="TIME", help="Stop, resumable, after so long: 90m, 8h.")
    ] = None,
    base: Annotated[str | None, base_flag()] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="Its folder. Default: runs/NAME-search.", show_default=False),
    ] = None,
    settings: Set = [],
    download: Annotated[bool, typer.Option("--download", help="Let base: auto fetch a base from the hub.")] = False,
    as_json: AsJson = False,
) -> None:
    """Looks for the settings of the lowest held-out loss; without --space around the recipe's own values.

    The first trial is the recipe as it is; at the end it and the winner are trained again by other seeds, so that luck
    is not taken for a gain. Ctrl-C saves and leaves with exit code 75; the same command goes on.
    """
    from quire.verbs.search import search as carry_out

    limit = _seconds(max_time) if max_time is not None else None
    with _looking(screen.progress()) as display:
        done = carry_out(
            source,
            trials=trials,
            repeats=repeats,
            space=space,
            prune=cast("Prune | None", prune),
            max_time=limit,
            base=base,
            run=run,
            settings=parse_set(settings),
            download=download,
            listener=display,
        )
    if as_json:
        screen.print_json({"folder": str(done.path), **done.journal.to_json()})
        return
    show(done, screen.results())


def show(done: Search, console: Console) -> None:
    """The trials from the best on, what mattered, and what it comes to."""
    console.print(trials_table(done.journal))
    if done.journal.repeats:
        console.print()
        console.print(_repeats_table(done.journal))
    console.print()
    _show_importance(done.journal, console)
    console.print(escape(done.verdict))
    if done.winner is not None:
        console.print(f"\nthe winner as a recipe: quire train {escape(shlex.quote(str(done.winner)))}")
        console.print(f"its voice: quire write {escape(shlex.quote(str(done.voice)))}")
    print(done.path)


def trials_table(journal: Journal) -> Table:
    """The best first, then those without a loss."""
    names = [dimension.name for dimension in journal.space]
    table = screen.plain_table(
        "trial", "held-out loss", *names, "steps", "time", "", numbers=("trial", "held-out loss")
    )
    ordered = sorted(journal.trials, key=lambda trial: (trial.loss is None, trial.loss, trial.number))
    first = journal.trials[:1]
    kept = ordered[:_MOST_SHOWN] + [trial for trial in first if trial not in ordered[:_MOST_SHOWN]]
    for trial in kept:
        table.add_row(*_cells(trial, journal))
    if len(kept) < len(ordered):
        table.add_row("…", f"{len(ordered) - len(kept)} more")
    return table


def _cells(trial: Trial, journal: Journal) -> list[str]:
    from quire.verbs.searching.space import shown

    loss = f"{trial.loss:.4f}" if trial.loss is not None else "–"
    values = [shown(trial.params[d.key]) if d.key in trial.params else "–" for d in journal.space]
    note = "the recipe as it is" if trial.number == 0 else ""
    if trial.state != "finished":
        note = f"{note}; {trial.reason or trial.state}".lstrip("; ")
    cells = [str(trial.number), loss, *values, str(trial.steps), show_duration(trial.seconds), note]
    return [escape(cell) for cell in cells]


def _repeats_table(journal: Journal) -> Table:
    """Both by the same other seeds, side by side."""
    again: dict[str, Any] = journal.outcome["repeated"]
    winner = f"trial {journal.outcome['winner']}"
    table = screen.plain_table("seed", "the recipe as it is", winner, "gain", numbers=("seed", winner, "gain"))
    for seed, before, after, gain in zip(
        *(again[key] for key in ("seeds", "original", "winner", "gains")), strict=True
    ):
        table.add_row(str(seed), f"{before:.4f}", f"{after:.4f}", f"{gain:+.4f}")
    return table


def _show_importance(journal: Journal, console: Console) -> None:
    found = journal.outcome["importance"]
    if not found:
        console.print(f"[dim]{escape(journal.outcome['importance_note'])}[/dim]")
        return
    table = screen.plain_table("what mattered", "share", "95 % interval", numbers=("share",))
    for row in found:
        table.add_row(escape(row["key"]), f"{row['share']:.0%}", f"{row['low']:.0%} … {row['high']:.0%}")
    console.print(table)
    console.print()


class _Course:
    """A listener of `search`: a line for every trial, and a bar for the one under way."""

    def __init__(self, console: Console, display: Display) -> None:
        self._console = console
        self._display = display

    def __call__(self, event: Event) -> None:
        line = line_of(event)
        if line is not None:
            self._console.print(line)
        elif event.kind in ("step", "part_start"):
            self._display(event)


def line_of(event: Event) -> str | None:
    """What the search tells, in words with rich's marks; None for the rest."""
    values = event.values
    match event.kind:
        case "space":
            lines = [escape(str(line)) for line in cast("list[str]", values["lines"])]
            whence = "around the recipe's own values" if values["derived"] else "as given"
            return "\n  ".join([f"[bold]searching, {whence}[/bold]", *lines])
        case "trial":
            return f"[dim]{_name(event)}{_params(event)}[/dim]"
        case "trial_end":
            return f"{_name(event)}: {_ending(event)}"
        case "note":
            return escape(str(values["text"]))
        case "recovered":
            return "[yellow]![/yellow] memory ran out: smaller batches, the same rows a step"
    return None


def _name(event: Event) -> str:
    values = event.values
    if values["seed"] is not None:
        which = "the recipe as it is" if values["number"] == 0 else f"trial {values['number']}"
        return f"{which} again, seed {values['seed']}"
    whole = "" if values["number"] else ", the recipe as it is"
    return f"trial {values['number']} ({int(number(event, 'number') or 0) + 1} of {values['of']}){whole}"


def _params(event: Event) -> str:
    from quire.verbs.searching.space import shown

    params = cast("dict[str, Any]", event.values["params"])
    told = ", ".join(f"{key.rpartition('.')[2]} {shown(value)}" for key, value in params.items())
    return f": {escape(told)}" if told else ""


def _ending(event: Event) -> str:
    loss, values = number(event, "loss"), event.values
    if values["state"] != "finished" or loss is None:
        return escape(str(values["reason"]))
    best = values["best"] == values["number"] and values["seed"] is None
    note = " [green](best so far)[/green]" if best else ""
    return f"held-out loss {loss:.4f}{note}"


@contextmanager
def _looking(console: Console) -> Iterator[_Course]:
    with watching(console) as display:
        yield _Course(console, display)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        usage_error(f"--max-time {text}: {error}")
