"""`quire judge`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from quire.cli import screen
from quire.cli.flags import AsJson, SetJudge, parse_set
from quire.cli.progress import watching
from quire.run.finding import Finding
from quire.verbs import quiet

EXAMPLES = (
    "quire judge novel",
    "quire judge runs/novel --json",
    "quire judge novel --set 'judge.prompts=[\"The door opened.\"]'",
)


def judge(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or its name under runs.")],
    settings: SetJudge = [],
    as_json: AsJson = False,
) -> None:
    """Compares base and voice on text of the book that neither has trained on, and looks for copied passages.

    Writes report/report.html into the run folder, a page that opens without a network.
    """
    from quire.verbs.judge import judge as look

    quiet.hush()
    quiet.stay_offline()
    with watching(screen.progress()) as display:
        report = look(run, settings=parse_set(settings), listener=display)
    if as_json:
        print((report.folder / "report.json").read_text(encoding="utf-8").rstrip("\n"))
        return
    console = screen.results()
    show_findings(report.findings, console)
    console.print()
    for verdict in report.verdicts:
        console.print(escape(verdict))
    console.print(f"\nreport: {escape(str(report.page))}")


def show_findings(findings: tuple[Finding, ...], console: Console) -> None:
    """Every finding as a row."""
    table = screen.plain_table("measured", "value", "95 % interval", "compared with", numbers=("value",))
    for finding in findings:
        others = ", ".join(f"{other.name} {shown(other.value, finding.unit)}" for other in finding.compared_with)
        unit = f" {finding.unit}" if finding.unit not in ("", "share", finding.name) else ""
        value = shown(finding.value, finding.unit) + unit
        table.add_row(escape(finding.name), escape(value), interval(finding), escape(others))
    console.print(table)


def shown(value: float | None, unit: str = "") -> str:
    """A value in as many digits as tell something; a share in percent."""
    if value is None:
        return "–"
    if unit == "share":
        return f"{value:.1%}"
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def interval(finding: Finding) -> str:
    """`1.52 … 1.61`, or nothing where there is none."""
    if finding.low is None or finding.high is None:
        return ""
    return f"{shown(finding.low, finding.unit)} … {shown(finding.high, finding.unit)}"
