"""`quire train`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.markup import escape

from quire.cli import screen
from quire.cli.failing import tell, usage_error
from quire.cli.flags import Set, base_flag, parse_set
from quire.run.folder import RUNS
from quire.run.place import place_here
from quire.units import parse_duration
from quire.verbs.source import load_source

if TYPE_CHECKING:
    from quire.verbs.train import Run

EXAMPLES = (
    "quire train novel.epub",
    "quire train sample:novella --base embedded --set train.epochs=1",
    "quire train recipe.yaml --run runs/second-try --max-time 90m",
    "quire train recipe.yaml --processes 4",
    "quire train recipes/unfinished-novel.yaml --stage acculturate --prepare-only",
)


def train(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="A book, a folder of books, sample:NAME, a recipe, or a run to resume."),
    ],
    base: Annotated[str | None, base_flag()] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="The run folder. Default: runs/ and the name.", show_default=False),
    ] = None,
    settings: Set = [],
    stage: Annotated[
        str | None, typer.Option("--stage", metavar="NAME", help="Of a recipe with stages, train this one alone.")
    ] = None,
    prepare_only: Annotated[
        bool, typer.Option("--prepare-only", help="Make the data ready, of one --stage or of all; train nothing.")
    ] = False,
    max_time: Annotated[
        str | None, typer.Option("--max-time", metavar="TIME", help="Stop, resumable, after so long: 90m, 1h30m.")
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Let base: auto fetch a larger base from the hub.")
    ] = False,
    processes: Annotated[
        int, typer.Option("--processes", metavar="N", min=1, help="Train in so many processes of this machine.")
    ] = 1,
) -> None:
    """Ctrl-C once finishes the step, saves and leaves with exit code 75; twice leaves at once. Nothing is lost.

    The last line on standard output is the run folder.
    """
    from quire.cli.progress import watching
    from quire.verbs.train import train as carry_out

    limit = _seconds(max_time) if max_time is not None else None
    if processes > 1:
        load_source(source, base, parse_set(settings))  # a mistake is told here, once
        _launch(context.obj, processes)
    console = screen.progress(quiet=not place_here().first)
    with watching(console) as display:
        done = carry_out(
            source,
            base=base,
            run=run,
            settings=parse_set(settings),
            stage=stage,
            prepare_only=prepare_only,
            max_time=limit,
            download=download,
            listener=display,
        )
    name = escape(shlex.quote(done.path.name if done.path.parent == RUNS else str(done.path)))
    for line in _what_now(done, name, prepare_only, stage):
        console.print(line, soft_wrap=True)  # a command stays one line, to be copied
    if place_here().first:
        print(done.path)


def _launch(arguments: list[str], processes: int) -> NoReturn:
    """Start the same command as several workers and leave as they do."""
    from quire.verbs.processes.launch import arguments_without, launch

    if place_here().count > 1:
        usage_error("--processes: this is one of several processes already")
    ended = launch(arguments_without(arguments, "--processes"), processes, shlex.join(["quire", *arguments]))
    if ended.said:
        print(ended.said, file=sys.stderr)
    raise typer.Exit(tell(ended.what, ended.then, ended.code) if ended.what else ended.code)


def _what_now(done: Run, name: str, prepared: bool, stage: str | None) -> list[str]:
    """What has come of it, where that is not plain, and the next thing to do.

    The run is what is gone on with: it knows its settings, which the source alone does not.
    """
    again = f"next: quire train {escape(shlex.quote(str(done.path)))}"
    if done.left and not prepared:
        was = f"stage {stage} was trained already" if done.already_finished else f"stage {stage} is trained"
        left = f"{again} --stage {done.left[0]}, or without --stage for all that is left"
        return [f"{was}; {len(done.left)} to go", left]
    lines = []
    if done.already_finished:
        lines.append(f"{name} is already finished, after {done.steps} steps; to train anew, name another with --run")
    elif prepared:
        return ["the data is ready", again]
    return [*lines, f'next: quire judge {name}, or quire write {name} "…"']


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        usage_error(f"--max-time {text}: {error}")
