"""`quire compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quire.cli import screen
from quire.cli.flags import AsJson
from quire.units import show_duration

if TYPE_CHECKING:
    from quire.verbs.compare import Comparison

EXAMPLES = (
    "quire compare first second third",
    "quire compare runs/* --csv results.csv --plot curves.png",
    "quire compare novel-search --json",
)
_SHOWN = 300  # characters of a sample
_SIDE_BY_SIDE = 5  # runs whose settings stand in columns


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run folders, or their names under runs.")],
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a line for each run, as in runs/results.csv.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw held-out losses over tokens: .png or .svg.")
    ] = None,
    samples: Annotated[bool, typer.Option("--samples", help="Show what they wrote to the same prompts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Settings that differ, steps, time, held-out losses and findings, of runs that are finished or not.

    Runs are ranked only where their numbers can be compared; where they cannot, it says why. A search stands for its
    trials.
    """
    from quire.verbs.compare import compare as put_side_by_side

    found = put_side_by_side(runs, csv_file=csv, plot_file=plot)
    if as_json:
        screen.print_json(found.to_json())
        return
    show(found, screen.results(), samples)


def show(found: Comparison, console: Console, samples: bool) -> None:
    """Tables of what was done, what was set otherwise, what was found; then who did better, or why nobody can say."""
    _show_runs(found, console)
    if found.differing:
        console.print()
        _show_differing(found, console)
    if any(line.findings for line in found.lines):
        console.print()
        _show_findings(found, console)
    console.print()
    for line in ranking(found):
        console.print(escape(line))
    if samples:
        _show_samples(found, console)


def ranking(found: Comparison) -> list[str]:
    """Sentences on who did better, by which number."""
    told = []
    if found.not_by_loss:
        told.append(f"Not ranked by held-out loss: {'; '.join(found.not_by_loss)}.")
    elif len(found.by_loss) > 1:
        unfinished = {line.name for line in found.lines if line.state != "finished"}
        names = [f"{name} (so far)" if name in unfinished else name for name in found.by_loss]
        told.append(f"By held-out loss, best first: {', '.join(names)}.")
    judged = [line.name for line in found.lines if line.findings]
    if found.not_by_bits and len(judged) > 1:
        told.append(f"Not ranked by bits per byte: {'; '.join(found.not_by_bits)}.")
    elif len(found.by_bits) > 1:
        told.append(f"By the judge's bits per byte, best first: {', '.join(found.by_bits)}.")
    told += [f"Undecided: {pair}." for pair in found.undecided]
    return told


def _show_runs(found: Comparison, console: Console) -> None:
    table = screen.plain_table(
        *("run", "state", "base", "method", "steps", "tokens", "time", "held-out loss", "best", "at step"),
        numbers=("steps", "tokens", "held-out loss", "best", "at step"),
    )
    for line in found.lines:
        last = line.stages[-1]
        facts = (line.name, line.state, line.base, line.method, f"{line.steps:,}", f"{line.tokens:,}")
        losses = (_loss(line.loss), _loss(last.best_loss), "–" if last.best_step is None else f"{last.best_step:,}")
        table.add_row(*(escape(cell) for cell in (*facts, show_duration(line.seconds), *losses)))
        for stage in line.stages[:-1]:
            losses = (_loss(stage.last_loss), _loss(stage.best_loss), str(stage.best_step or "–"))
            own = (f"  {stage.name}", "", "", "", f"{stage.steps:,}", f"{stage.tokens:,}", "", *losses)
            table.add_row(*(f"[dim]{escape(cell)}[/dim]" for cell in own))
    console.print(table)


def _show_differing(found: Comparison, console: Console) -> None:
    """A column for each run; of many a line for each."""
    from quire.verbs.searching.space import shown

    if len(found.lines) > _SIDE_BY_SIDE:
        short = [key.rpartition(".")[2] for key in found.differing]
        names = [name if short.count(name) == 1 else key for name, key in zip(short, found.differing, strict=True)]
        table = screen.plain_table("set otherwise", *names)
        for number, line in enumerate(found.lines):
            own = [row[number] for row in found.differing.values()]
            table.add_row(escape(line.name), *(escape("–" if value is None else shown(value)) for value in own))
        console.print(table)
        return
    table = screen.plain_table("set otherwise", *(line.name for line in found.lines))
    for key, values in found.differing.items():
        table.add_row(escape(key), *(escape("–" if value is None else shown(value)) for value in values))
    console.print(table)


def _show_findings(found: Comparison, console: Console) -> None:
    from quire.cli.judge import interval, shown

    table = screen.plain_table("found", *(line.name for line in found.lines))
    for name in dict.fromkeys(finding.name for line in found.lines for finding in line.findings):
        cells = []
        for line in found.lines:
            finding = line.finding(name)
            between = f" ({interval(finding)})" if finding and finding.low is not None else ""
            cells.append(f"{shown(finding.value, finding.unit)}{between}" if finding else "not judged")
        table.add_row(escape(name), *(escape(cell) for cell in cells))
    console.print(table)


def _show_samples(found: Comparison, console: Console) -> None:
    for prompt, texts in found.samples.items():
        console.print(f"\n[bold]{escape(prompt.strip())}[/bold]")
        for name, text in texts.items():
            short = text if len(text) <= _SHOWN else text[:_SHOWN].rpartition(" ")[0] + " …"
            console.print(f"[dim]{escape(name)}:[/dim] {escape(short.strip())}")


def _loss(value: float | None) -> str:
    return f"{value:.4f}" if value is not None else "–"
