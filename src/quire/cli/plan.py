"""`quire plan`."""

from __future__ import annotations

import json
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from quire.cli import screen
from quire.cli.flags import AsJson, Set, base_flag, parse_set
from quire.planner.enough import pages
from quire.recipe.load import DEFAULT
from quire.recipe.schema import PLAIN_STAGE
from quire.units import show_duration, show_size

if TYPE_CHECKING:
    from quire.planner.cautions import Warned
    from quire.planner.fitting import Rung
    from quire.planner.plan import Plan
    from quire.verbs.plan import PlanReport, StagePlan

NAMES = 11  # columns of the longest name, so that all stages stand alike

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
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out the measurement of some seconds; the time is then a guess.")
    ] = False,
    processes: Annotated[
        int, typer.Option("--processes", min=1, metavar="N", help="Plan for N processes, each on a device of its own.")
    ] = 1,
) -> None:
    """Reads the book and, of the base, only its configuration and tokenizer.

    Meanwhile a process of its own computes a few layers of such a base, with random weights, for some seconds.
    """
    from quire.verbs.plan import plan as make_plan

    report = make_plan(
        source,
        base=base,
        settings=parse_set(settings),
        download=download,
        measure=not quick,
        processes=processes,
        tell=lambda text: screen.progress().print(text, style="dim"),
    )
    if as_json:
        screen.print_json(report.to_json())
        return
    console = screen.results()
    show_plan(report, console)
    if explain:
        console.print()
        show_settings(report, console)


def show_plan(report: PlanReport, console: Console) -> None:
    """The plan on a page: what there is to learn from, each stage, what it takes in all, and what to beware of."""
    several = len(report.stages) > 1
    _show(console, heading(report))
    for number, stage in enumerate(report.stages):
        if several:
            console.print(f"\n[bold]Stage {number + 1} of {len(report.stages)}: {escape(stage.stage.name)}[/bold]")
        _show(console, rows(report, stage))
    if several:
        console.print("\n[bold]In all[/bold]")
        _show(console, in_all(report))
    told: list[Warned] = []
    for stage in report.stages:
        _show_ladder(stage, console)
        for warned in stage.plan.warnings:
            if warned not in told:
                told.append(warned)
                _show_warning(warned, console, f"{stage.stage.name}: " if several else "")


def heading(report: PlanReport) -> list[tuple[str, str]]:
    """What all stages share: the book that decides, and the base."""
    language = report.language or "unknown language"
    text = report.plan.text
    return [
        ("text", f"{report.title}, {language}: {text.words:,} words to learn from, {pages(text.words)}"),
        ("base", f"{report.base.name}: {report.base.reason}"),
    ]


def rows(report: PlanReport, stage: StagePlan) -> list[tuple[str, str]]:
    """What is shown of a stage, as names and values."""
    plan, text = stage.plan, stage.plan.text
    about = "" if text.counted else "about "
    held_out = f"{text.tokens_validation:,} to watch it by, {text.tokens_test:,} for the judge"
    return [
        ("tokens", f"{about}{text.tokens_train:,} pieces of words; kept back: {held_out}"),
        ("enough?", stage.enough.text),
        ("learns", f"{_method(report, stage)}: {plan.trainable:,} of {plan.parameters:,} weights ({plan.share:.2%})"),
        ("windows", _windows(stage)),
        ("steps", _steps(stage)),
        ("memory", _memory(report, plan)),
        ("disk", f"about {show_size(plan.disk_bytes)} of {show_size(report.machine.disk_free_bytes)} free"),
        ("time", _time(report, plan)),
        ("precision", f"{plan.precision}: {stage.precision_reason}"),
        ("batch", f"{plan.choice.batch} × {plan.choice.accumulate}: {plan.choice.reason}"),
        ("activations", _activations(stage)),
    ]


def in_all(report: PlanReport) -> list[tuple[str, str]]:
    """What the whole curriculum takes."""
    steps = sum(stage.plan.steps for stage in report.stages)
    seconds = report.seconds
    return [
        ("steps", f"{steps:,}"),
        ("memory", f"about {show_size(report.memory_bytes)} at the peak"),
        ("disk", f"about {show_size(report.disk_bytes)}"),
        ("time", "not known for this machine" if seconds is None else f"about {show_duration(seconds)}"),
    ]


def _show(console: Console, facts: list[tuple[str, str]]) -> None:
    table = screen.plain_table("", "")
    table.show_header = False
    table.columns[0].min_width = NAMES
    table.columns[0].no_wrap = True
    for name, value in facts:
        table.add_row(f"[bold]{name}[/bold]", escape(value))
    console.print(table)


def _show_warning(warned: Warned, console: Console, where: str) -> None:
    console.print(f"[yellow]![/yellow] {where}{escape(warned.text)}")
    console.print(f"  try: {escape(warned.remedy)} (more: docs/guide.md#{warned.guide})")


def _show_ladder(stage: StagePlan, console: Console) -> None:
    """What would not fit, step by step, down to what would."""
    if not stage.would_fit:
        return
    console.print("\n[bold]What would fit instead[/bold]")
    table = screen.plain_table("", "", "", numbers=("",))
    table.show_header = False
    for rung in stage.would_fit:
        sign = "[green]fits[/green]" if rung.fits else "[red]does not fit[/red]"
        table.add_row(escape(rung.what), show_size(rung.memory_bytes), sign)
    console.print(table)
    last = stage.would_fit[-1]
    if last.fits:
        console.print(f"  try: {escape(' '.join(as_flags(last, stage.stage.name)))}")
    console.print()


def as_flags(rung: Rung, stage: str) -> list[str]:
    """What to add to the command for it."""
    path = "train" if stage == PLAIN_STAGE else f"stages.{stage}"
    base = [f"--base {value}" for key, value in rung.changes.items() if key == "base"]
    return base + [
        f"--set {quote(f'{path}.{key}={value if isinstance(value, str) else json.dumps(value)}')}"
        for key, value in rung.changes.items()
        if key != "base"
    ]


def show_settings(report: PlanReport, console: Console) -> None:
    """Every setting with its origin."""
    table = screen.plain_table("setting", "value", "from", "what it does")
    for row in report.explained:
        unit = f" {row.unit}" if row.unit and row.value is not None else ""
        table.add_row(row.key, escape(f"{_plain(row.value)}{unit}"), escape(row.origin), escape(row.help))
    console.print(table)


def _method(report: PlanReport, stage: StagePlan) -> str:
    """What learns, and who has said so."""
    adapter = stage.stage.method.adapter
    what = "all weights" if adapter is None else f"{stage.stage.method.kind}, rank {adapter.rank}"
    path = "train" if stage.stage.name == PLAIN_STAGE else f"stages.{stage.stage.name}"
    keys = report.loaded.provenance.items()
    said = [origin for key, origin in keys if key.startswith(f"{path}.method.") and origin != DEFAULT]
    return f"{what} ({said[0].removeprefix('advice: ') if said else 'unless told otherwise'})"


def _windows(stage: StagePlan) -> str:
    settings, plan = stage.stage, stage.plan
    words = 10 * round(settings.window * plan.text.words / max(1, plan.text.tokens_train) / 10)
    stride = f", one every {settings.stride:,}" if settings.stride and settings.stride < settings.window else ""
    return f"{plan.rows:,}, of at most {settings.window:,} tokens{stride}; some {words:,} words are seen at once"


def _steps(stage: StagePlan) -> str:
    plan, settings = stage.plan, stage.stage
    parts = f" in {len(plan.parts)} parts" if len(plan.parts) > 1 else ""
    seen = plan.steps * plan.choice.rows_per_step / max(1, plan.rows)
    times = settings.epochs if not settings.steps and not settings.samples else seen
    read = "the text is read once" if times == 1 else f"the text is read {times:.3g} times"
    return f"{plan.steps:,}{parts}: {read}, {plan.tokens:,} tokens in all"


def _memory(report: PlanReport, plan: Plan) -> str:
    machine, memory = report.machine, plan.memory
    room = machine.shared(plan.processes).room
    where = f"{show_size(room)} {'of the GPU' if machine.gpu else 'free'}"
    largest = (
        ("weights", memory.weights + memory.adapter),
        ("learning", memory.gradients + memory.optimiser),
        ("activations", memory.activations),
        ("predictions", memory.logits),
        ("programs", memory.runtime),
    )
    each = f" on each of {plan.processes} devices" if plan.processes > 1 else ""
    shown = ", ".join(f"{name} {show_size(size)}" for name, size in largest)
    peak = "" if memory.total == memory.step else "; most when the base is loaded or the voice is checked"
    if memory.total > memory.needed:
        peak += f", {show_size(memory.total - memory.needed)} of it the base's own file, which makes room when it must"
    return f"about {show_size(memory.total)} at the peak{each}, of {where} ({shown}{peak})"


def _activations(stage: StagePlan) -> str:
    said = stage.stage.checkpointing
    if said != "auto":
        return f"{'computed twice' if said else 'kept'}: as the recipe says"
    return "computed twice: they would not fit otherwise" if stage.plan.checkpointing else "kept: they fit"


def _time(report: PlanReport, plan: Plan) -> str:
    if plan.seconds is None or plan.speed is None:
        return "not known for this machine"
    rate = plan.speed.tokens_per_second
    speed = f"{rate:,.{0 if rate >= 10 else 1}f} tokens a second, reckoned from {plan.speed.basis}"
    if plan.times is None or report.measured is None:
        return f"about {show_duration(plan.seconds)} ({speed})"
    times = plan.times
    goes = (
        ("learning", times.steps),
        ("watching", times.validation),
        ("saving", times.saving),
        ("samples", times.samples),
        ("loading", times.loading),
    )
    shown = ", ".join(f"{name} {show_duration(seconds)}" for name, seconds in goes if seconds >= 0.5)
    threads = report.measured.threads
    with_threads = f" with {threads} threads" if threads > 1 else ""
    return f"about {show_duration(plan.seconds)}: {shown} ({speed}{with_threads})"


def _plain(value: Any) -> str:
    return "–" if value is None or value in ([], {}, "") else str(value)
