"""`quire write`."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from quire.cli import screen
from quire.cli.failing import usage_error
from quire.cli.flags import AsJson, SetWrite, given, key_flag, parse_set
from quire.errors import QuireError
from quire.recipe.schema import WriteSettings
from quire.verbs import quiet
from quire.verbs.voices import open_run
from quire.verbs.write import write as stream
from quire.verbs.write import write_all
from quire.writing.visible import without_controls

EXAMPLES = (
    'quire write novel "The door opened"',
    "quire write novel --prompt-file opening.txt --max-new-tokens 400 --seed 3",
    'echo "My love" | quire write sonnets --num-return-sequences 3',
)
STDIN = "-"
PIPE_WAIT = 2.0  # seconds for the first byte of a pipe that nobody asked for by name


def write(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, its name under runs, or a voice folder.")],
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="Text to go on from; - or a pipe for standard input.")
    ] = None,
    prompt_file: Annotated[
        str | None,
        typer.Option("--prompt-file", metavar="FILE", help="Read the prompt from a file; - for standard input."),
    ] = None,
    settings: SetWrite = [],
    as_json: AsJson = False,
    max_new_tokens: Annotated[str | None, key_flag(WriteSettings, "max_new_tokens")] = None,
    temperature: Annotated[str | None, key_flag(WriteSettings, "temperature")] = None,
    top_k: Annotated[str | None, key_flag(WriteSettings, "top_k")] = None,
    top_p: Annotated[str | None, key_flag(WriteSettings, "top_p")] = None,
    min_p: Annotated[str | None, key_flag(WriteSettings, "min_p")] = None,
    repetition_penalty: Annotated[str | None, key_flag(WriteSettings, "repetition_penalty")] = None,
    no_repeat_ngram_size: Annotated[str | None, key_flag(WriteSettings, "no_repeat_ngram_size")] = None,
    num_beams: Annotated[str | None, key_flag(WriteSettings, "num_beams")] = None,
    num_return_sequences: Annotated[str | None, key_flag(WriteSettings, "num_return_sequences")] = None,
    stop: Annotated[list[str], key_flag(WriteSettings, "stop")] = [],
    seed: Annotated[str | None, key_flag(WriteSettings, "seed")] = None,
) -> None:
    """The text appears as it is written; prompt, text, seed and settings are added to the run's samples.md."""
    flags = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "no_repeat_ngram_size": no_repeat_ngram_size,
        "num_beams": num_beams,
        "num_return_sequences": num_return_sequences,
        "stop": stop,
        "seed": seed,
    }
    if prompt is not None and prompt_file is not None:
        usage_error("give the prompt or --prompt-file, not both")
    quiet.hush()
    quiet.stay_offline()
    _show(run, prompt_from(prompt, prompt_file), parse_set(settings) | given("write", flags), as_json)


def _show(run: str, text: str, asked: Mapping[str, object], as_json: bool) -> None:
    """Write from the prompt `text` and show what comes, in the way that was asked for."""
    several = open_run(run, asked, ("write",)).recipe.write.num_return_sequences > 1
    if as_json or several:
        written = write_all(run, text, settings=asked)
        if as_json:
            screen.print_json(written.to_json())
        else:
            texts = [f"{number}.\n{without_controls(one)}" for number, one in enumerate(written.texts, start=1)]
            print("\n\n".join(texts))
        return
    pieces = stream(run, text, settings=asked)
    if sys.stdout.isatty():
        screen.results().print(f"[bold]{escape(text)}[/bold]", end="", soft_wrap=True)
    for piece in pieces:
        print(without_controls(piece), end="", flush=True)
    print()


def prompt_from(prompt: str | None, file: str | None) -> str:
    """What to go on from: the words given, a file, or standard input where it is named (`-`) or something is piped in.

    Empty where there is none, and then the recipe's `write.prompt` holds.
    """
    if file is not None:
        return read_prompt(file)
    if prompt == STDIN or (prompt is None and piped_in()):
        return read_prompt(STDIN)
    return prompt or ""


def piped_in() -> bool:
    """Whether standard input is a file or a pipe with something in it.

    Not a terminal, not /dev/null, not closed; and a pipe that stays silent, as a program that starts Quire may leave
    behind, is not waited for.
    """
    try:
        descriptor = sys.stdin.fileno()
        mode = os.fstat(descriptor).st_mode
    except (AttributeError, OSError, ValueError):  # no standard input at all
        return False
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return bool(select.select([descriptor], [], [], PIPE_WAIT)[0])
    return stat.S_ISREG(mode)


def read_prompt(name: str) -> str:
    """The text of a file, or of standard input for `-`, without the line end that editors put at the end of a file."""
    shown = "standard input" if name == STDIN else name
    try:
        if name == STDIN:
            text = sys.stdin.read() if sys.stdin is not None else ""
        else:
            text = Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise QuireError(f"{shown} cannot be read: {error.strerror}", "name a text file with --prompt-file") from error
    except UnicodeDecodeError:
        raise QuireError(f"{shown} is not text in UTF-8", "save it as UTF-8") from None
    return text.removesuffix("\n")
