"""`quire plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from quire.cli import screen
from quire.cli.flags import AsJson, Set, base_flag, parse_set
from quire.units import show_duration, show_size

if TYPE_CHECKING:
    from quire.planner.plan import Plan
    from quire.verbs.plan import PlanReport

EXAMPLES = (
    "quire plan novel.epub",
    "quire plan recipe.yaml --explain",
    "quire plan novel.epub --base Qwen/Qwen2.5-0.5B --set train.window=512",
)


def plan(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A book, a folder of books, sample:NAME, a recipe, or a run.")
    ],
    base: Annotated[str | None, base_flag()] = None,
    settings: Set = [],
    explain: Annotated[
        bool, typer.Option("--explain", help="Show every setting, its value, and where that came from.")
    ] = False,
    as_json: AsJson = False,
    download: Annotated[
        bool, typer.Option("--download", help="Let base: auto choose one that must be fetched.")
    ] = False,
) -> None:
    """Reads the book and, of the base, only its configuration and tokenizer."""
    from quire.verbs.plan import plan as make_plan

    report = make_plan(source, base=base, settings=parse_set(settings), download=download)
    if as_json:
        screen.print_json(report.to_json())
        return
    console = screen.results()
    show_plan(report, console)
    if explain:
        console.print()
        show_settings(report, console)


def show_plan(report: PlanReport, console: Console) -> None:
    """The plan in a dozen lines, then what to beware of."""
    table = screen.plain_table("", "")
    table.show_header = False
    for name, value in rows(report):
        table.add_row(f"[bold]{name}[/bold]", escape(value))
    console.print(table)
    for warned in report.plan.warnings:
        console.print(f"[yellow]![/yellow] {escape(warned.text)}")
        console.print(f"  try: {escape(warned.remedy)} (more: docs/guide.md#{warned.guide})")


def rows(report: PlanReport) -> list[tuple[str, str]]:
    """What is shown, as names and values."""
    plan, text = report.plan, report.plan.text
    about = "" if text.counted else "about "
    held_out = f"{text.tokens_validation:,} for validation, {text.tokens_test:,} for the judge"
    return [
        ("text", f"{report.title}, {report.language or 'unknown language'}, {text.words:,} words to train on"),
        ("tokens", f"{about}{text.tokens_train:,} to train on, {held_out}"),
        ("base", f"{report.base.name} ({report.base.reason})"),
        ("learns", f"{plan.trainable:,} of {plan.parameters:,} parameters ({plan.share:.2%})"),
        ("precision", plan.precision),
        ("rows", f"{plan.rows:,} an epoch; {plan.choice.batch} × {plan.choice.accumulate} for a step"),
        ("steps", _steps(plan)),
        ("memory", f"about {show_size(plan.memory.total)} at the peak"),
        ("disk", f"about {show_size(plan.disk_bytes)}"),
        ("time", _time(plan)),
    ]


def show_settings(report: PlanReport, console: Console) -> None:
    """Every setting with its origin."""
    table = screen.plain_table("setting", "value", "from", "what it does")
    for row in report.explained:
        unit = f" {row.unit}" if row.unit and row.value is not None else ""
        table.add_row(row.key, escape(f"{_plain(row.value)}{unit}"), escape(row.origin), escape(row.help))
    console.print(table)


def _steps(plan: Plan) -> str:
    parts = f" in {len(plan.parts)} parts" if len(plan.parts) > 1 else ""
    return f"{plan.steps:,}{parts}, {plan.tokens:,} tokens in all"


def _time(plan: Plan) -> str:
    if plan.seconds is None or plan.speed is None:
        return "not known for this machine"
    speed = f"{plan.speed.tokens_per_second:,.0f} tokens/s, reckoned from {plan.speed.basis}"
    return f"about {show_duration(plan.seconds)} ({speed})"


def _plain(value: Any) -> str:
    return "–" if value is None or value in ([], {}, "") else str(value)
