"""`quire chat`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Generator, Iterator
from typing import Annotated

import typer

from quire.cli.failing import tell
from quire.cli.flags import AsJson, SetWrite, given, key_flag, parse_set
from quire.errors import QuireError
from quire.recipe.schema import WriteSettings
from quire.verbs import quiet
from quire.verbs.chat import Chat
from quire.verbs.chat import chat as open_chat
from quire.writing.visible import without_controls

EXAMPLES = (
    "quire chat embedded",
    'quire chat holmes --persona "You are a detective in London." --temperature 0.7',
    'echo "Who is there?" | quire chat runs/holmes --seed 3',
)
ASK = "you> "
HELP = """\
/retry         another answer to what you said last
/undo          take the last exchange back
/persona TEXT  who answers from now on; without a text, nobody in particular
/save FILE     add the conversation to FILE.jsonl, which quire read and quire train take
/quit          leave, as Ctrl-D does
Ctrl-C cuts an answer off and keeps what came. A line that should begin with / begins with //."""


def chat(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run folder, its name under runs, a voice folder, or embedded.")
    ],
    persona: Annotated[
        str, typer.Option("--persona", metavar="TEXT", help="Who answers: the system message.", show_default=False)
    ] = "",
    settings: SetWrite = [],
    as_json: AsJson = False,
    max_new_tokens: Annotated[str | None, key_flag(WriteSettings, "max_new_tokens")] = None,
    temperature: Annotated[str | None, key_flag(WriteSettings, "temperature")] = None,
    seed: Annotated[str | None, key_flag(WriteSettings, "seed")] = None,
) -> None:
    """In a terminal you are asked line by line, and /help lists what else can be said. What is piped in is said line by
    line, and the answers go to standard output, with --json each exchange as a line of JSON. Nothing is kept unless you
    save it."""
    flags = {"max_new_tokens": max_new_tokens, "temperature": temperature, "seed": seed}
    quiet.hush()
    quiet.stay_offline()
    talk = Talk(open_chat(run, persona, settings=parse_set(settings) | given("write", flags)), as_json)
    if sys.stdin is not None and sys.stdin.isatty() and not as_json:
        talk.with_person()
    else:
        talk.with_pipe()


class Talk:
    """A chat as a terminal or a pipe has it: lines in, answers and notes out."""

    def __init__(self, chat: Chat, as_json: bool = False) -> None:
        self.chat, self.as_json = chat, as_json
        self._said_forgotten = False

    def with_person(self) -> None:
        """Ask for lines until somebody leaves.  What cannot be done is told, and the chat goes on."""
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  # lines can be edited, and earlier ones had back
        note("/help lists the commands; Ctrl-D leaves.")
        for line in asked_lines():
            try:
                self.show(self.heed(line))
            except KeyboardInterrupt:
                print(flush=True)
                note("(cut off)")
            except QuireError as error:
                tell(error.what, error.then, error.exit_code)

    def with_pipe(self) -> None:
        """Heed every line that comes.  What cannot be done ends the chat."""
        for line in piped_lines():
            self.show(self.heed(line))

    def heed(self, line: str) -> Generator[str, None, None] | None:
        """What a line asks for: an answer as it comes, or nothing where it was a command, which is then done."""
        match line.split(maxsplit=1):
            case ["/help"]:
                note(HELP)
            case ["/undo"]:
                note(f"taken back: {self.chat.undo()}")
            case ["/persona", *text]:
                self.chat.persona = "".join(text).strip()
                note("somebody else answers from now on" if text else "no persona from now on")
            case ["/save", file]:
                self.chat.save(file.strip())
                note(f"saved in {file.strip()}")
            case ["/retry"]:
                return self.chat.retry()
            case [word, *_] if word.startswith("/") and not word.startswith("//"):
                what = "names no file" if word == "/save" else "is no command, or not in this form"
                raise QuireError(f"{line.strip()} {what}", "/help lists them; a line of yours may begin with //")
            case _:
                return self.chat.say(line.strip().removeprefix("/") if line.strip().startswith("//") else line)
        return None

    def show(self, answer: Generator[str, None, None] | None) -> None:
        """Print an answer as it comes, if there is to be one, and what is to be said about it."""
        if answer is None:
            return
        if self.chat.forgotten and not self._said_forgotten:
            self._said_forgotten = True
            note("this model sees only so much at once: from here on the oldest turns are left out")
        with contextlib.closing(answer):
            for piece in answer:
                if not self.as_json:
                    print(without_controls(piece), end="", flush=True)
        last = self.chat.exchanges[-1]
        if self.as_json:
            facts = {"user": last.said, "character": last.answer, "seed": last.seed}
            print(json.dumps(facts, ensure_ascii=False), flush=True)
        else:
            print(flush=True)
        if not last.answer:
            note("(no answer came; /retry asks again)")


def asked_lines() -> Iterator[str]:
    """What a person types after each prompt, until Ctrl-C, Ctrl-D or /quit; empty lines are nothing."""
    while True:
        try:
            line = _ask()
        except (EOFError, KeyboardInterrupt):
            print(file=sys.stderr)
            return
        except UnicodeDecodeError:
            note("that was not text in UTF-8")
            continue
        if line.strip() == "/quit":
            return
        if line.strip():
            yield line


def piped_lines() -> Iterator[str]:
    """The lines of standard input, without empty ones, up to /quit."""
    try:
        for line in sys.stdin or ():
            if line.strip() == "/quit":
                return
            if line.strip():
                yield line
    except UnicodeDecodeError:
        raise QuireError("standard input is not text in UTF-8", "save it as UTF-8") from None
    except OSError as error:
        raise QuireError(f"standard input cannot be read: {error.strerror}", "pipe in a line for each turn") from error


def note(text: str) -> None:
    """Say something that is no part of the conversation."""
    print(without_controls(text), file=sys.stderr, flush=True)


def _ask() -> str:
    """One line of a person.  The prompt goes where they look, also when the answers go to a file."""
    if sys.stdout.isatty():
        return input(ASK)
    print(ASK, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line
