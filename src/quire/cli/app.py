"""Which verbs there are, and how one of them is run.

Only the module of the verb that was asked for is imported: its flags may need the recipe's schema, its work torch.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence

import typer

from quire.cli import failing

VERBS = {
    "read": "Show what was read, and what was dropped and why.",
    "plan": "Tokens, steps, memory, time, warnings; train nothing.",
    "train": "Train on a book or a recipe; the same again resumes.",
    "write": "Stream a continuation in the voice of a run.",
    "chat": "Talk with a voice, or with a base, in turns.",
    "judge": "The honest report on a run's voice.",
    "search": "Find settings of a lower held-out loss; resumable.",
    "compare": "Runs side by side, ranked where that can be done.",
    "runs": "List runs, or remove some of them.",
    "doctor": "What this machine can do, and what is missing.",
    "bench": "How fast this machine reads, trains and writes.",
}
"""Each is the function of the same name in the module `quire.cli.<verb>`, with its examples in `EXAMPLES`."""

LATER = ("cast", "export", "pull", "push", "rate", "serve", "studio")
"""Verbs that are planned and not built: their names are taken."""

ABOUT = "Teach a language model to write like a book."
START = ("quire read novel.epub", "quire train novel.epub", 'quire write novel "The door opened"')


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line (without the program's name) and return its exit code."""
    asked = list(arguments) or ["--help"]
    if asked[0] in LATER:
        return failing.tell(f"quire {asked[0]}: not yet", "quire --help lists what there is", failing.FIXABLE)
    verb = asked[0] if asked[0] in VERBS else None

    def carry_out() -> object:
        return build(verb)(args=asked, prog_name="quire", standalone_mode=False, obj=asked)

    return failing.guarded(carry_out, asked, verb)


def build(verb: str | None) -> typer.Typer:
    """The command line with `verb` as it works, or, where none is named, with every verb's name and line alone."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback(help=ABOUT, epilog=examples(START))(_top)
    for name in VERBS if verb is None else [verb]:
        if verb is None:
            app.command(name, help=VERBS[name])(_nothing)
        else:
            module = importlib.import_module(f"quire.cli.{name}")
            command = vars(module)[name]
            text = f"{VERBS[name]}\n\n{inspect.getdoc(command) or ''}"
            app.command(name, help=text, epilog=examples(module.EXAMPLES))(command)
    return app


def examples(commands: Sequence[str]) -> str:
    """Commands as the last lines of a help page, each on its own line (which is what the `\b` asks for)."""
    heading = "Example:" if len(commands) == 1 else "Examples:"
    return "\n".join(["\b", heading, *(f"  {command}" for command in commands)])


def _nothing() -> None:
    """Stands for a verb in the list of verbs, which shows only its line."""


def _version(asked: bool) -> None:
    if asked:
        from quire import __version__

        typer.echo(f"quire {__version__}")
        raise typer.Exit


def _top(
    version: bool = typer.Option(
        False, "--version", help="Show the version and leave.", is_eager=True, callback=_version
    ),
) -> None:
    assert not version
