"""`quire bench`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quire.cli import screen
from quire.cli.flags import AsJson, Set, parse_set

if TYPE_CHECKING:
    from quire.verbs.bench import Bench
    from quire.verbs.benching.figures import Figure, TrainingOutcome, WritingOutcome

EXAMPLES = (
    "quire bench",
    "quire bench --base Qwen/Qwen2.5-0.5B --set train.window=512 --json",
    "quire bench --shapes 135M,1B --precisions bf16,int8 --windows 512,1024",
)


def bench(
    base: Annotated[str, typer.Option("--base", metavar="BASE", help="The base to train.")] = "embedded",
    settings: Set = [],
    shapes: Annotated[
        str,
        typer.Option(
            "--shapes",
            metavar="NAMES",
            help="Train bases of these shapes with random weights instead: 7M, 135M, 360M, 1B, 3B, 8B.",
        ),
    ] = "",
    precisions: Annotated[
        str, typer.Option("--precisions", metavar="NAMES", help="And these number formats: bf16, int8, fp32, nf4.")
    ] = "",
    windows: Annotated[
        str, typer.Option("--windows", metavar="TOKENS", help="And windows of so many tokens: 512,1024.")
    ] = "",
    book: Annotated[
        str, typer.Option("--book", metavar="PATH", help="A text for them, longer than the bundled novella.")
    ] = "sample:novella",
    everything: Annotated[
        bool, typer.Option("--all", help="Measure starting, reading, tokenising, packing and writing as well: minutes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Reads the bundled novella, trains a few steps on it in a temporary folder, and writes with the result.

    What the figures mean, and those of a whole measurement, stands in docs/performance.md."""
    from quire.cli.progress import watching
    from quire.verbs.bench import bench as measure

    console = screen.progress()
    with watching(console) as display:
        found = measure(
            base,
            settings=parse_set(settings),
            listener=display,
            shapes=named(shapes),
            precisions=named(precisions),
            windows=lengths(windows),
            book=book,
            everything=everything,
            tell=lambda text: console.print(f"{text} …"),
        )
    if as_json:
        screen.print_json(found.to_json())
        return
    show(found)


def show(found: Bench) -> None:
    """The tables of what was measured; none for what was not."""
    if found.figures:
        table = screen.plain_table("measured", "value", "how", numbers=("value",))
        for figure in found.figures:
            table.add_row(figure.name, shown(figure), figure.how)
        screen.results().print(table)
    if found.training:
        numbers = ("window", "tokens/s", "of the roofline", "weights", "peak memory")
        table = screen.plain_table("training", "precision", *numbers, "how", numbers=numbers)
        for outcome in found.training:
            table.add_row(*training_row(outcome))
        screen.results().print(table)
    if found.writing:
        table = screen.plain_table("writing", "precision", "at once", "tokens/s", numbers=("at once", "tokens/s"))
        for written in found.writing:
            table.add_row(*writing_row(written))
        screen.results().print(table)


def shown(figure: Figure) -> str:
    """The value with its unit."""
    from quire.units import show_size

    if figure.unit == "bytes":
        return show_size(figure.value)
    digits = 0 if figure.value >= 100 else 2 if figure.value >= 0.1 else 4
    return f"{figure.value:,.{digits}f} {figure.unit}"


def training_row(outcome: TrainingOutcome) -> tuple[str, ...]:
    """The cells of a case: what was measured, or why nothing was."""
    from quire.units import show_size

    found = outcome.found
    name = (outcome.shape, outcome.precision, f"{outcome.window:,}")
    if found is None:
        return (*name, "–", "–", "–", "–", outcome.problem or "")
    steps = "1 step" if found.steps == 1 else f"the median of {found.steps} steps"
    twice = ", activations computed twice" if found.twice else ""
    sizes = show_size(found.weights_bytes), show_size(found.peak_bytes)
    return (*name, f"{found.tokens_per_second:,.0f}", f"{found.fraction:.0%}", *sizes, steps + twice)


def writing_row(outcome: WritingOutcome) -> tuple[str, ...]:
    """The cells of a case: what was measured, or why nothing was."""
    rate = f"{outcome.found.tokens_per_second:,.1f}" if outcome.found is not None else outcome.problem or ""
    return outcome.shape, outcome.precision, str(outcome.batch), rate


def named(text: str) -> list[str]:
    """`"135M, 1B"` → `["135M", "1B"]`."""
    return [name.strip() for name in text.split(",") if name.strip()]


def lengths(text: str) -> list[int]:
    """`"512,1024"` → `[512, 1024]`.  RecipeError for what is no number."""
    from quire.errors import RecipeError

    wrong = [name for name in named(text) if not name.isdigit()]
    if wrong:
        raise RecipeError(f"--windows: {wrong[0]} is no number of tokens", "name some such as 512,1024")
    return [int(name) for name in named(text)]
