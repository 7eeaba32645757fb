"""The process that renders a base's chat template: a program from a stranger, in a language that can loop and fill
memory, however sandboxed.

It is walled in as the readers of strangers' files are: no files, no network, no programs, bounded memory and time.
A request and its answer are a line of JSON each.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import jinja2
from jinja2 import ext, nodes, parser, sandbox

from quire.books.limits import Limits
from quire.books.walls import confine
from quire.books.walls.launch import hear_signals

IDLE_SECONDS = 60.0
# The day that templates are told it is: the same words in training today and in a resumed one tomorrow.
TODAY = datetime(2024, 7, 26)


class Spoken(ext.Extension):
    """`{% generation %}…{% endgeneration %}`, by which some templates mark answers: rendered as what is inside."""

    tags = {"generation"}  # noqa: RUF012  (Jinja's own way)

    def parse(self, parser: parser.Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Refused(Exception):
    """What a template says when it refuses a conversation."""


def render(template: jinja2.Template, values: dict[str, Any], most: int) -> str:
    """The text of a template.  Raises ValueError where it is longer than `most` characters."""
    pieces: list[str] = []
    length = 0
    for piece in template.generate(values):
        length += len(piece)
        if length > most:
            raise ValueError(f"writes more than {most:,} characters")
        pieces.append(piece)
    return "".join(pieces)


def environment() -> sandbox.ImmutableSandboxedEnvironment:
    """What chat templates expect to find, as transformers and others offer it."""
    made = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Spoken, "jinja2.ext.loopcontrols"]
    )

    def refuse(message: str) -> str:
        raise Refused(message)

    def as_json(value: object, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    made.globals |= {"raise_exception": refuse, "strftime_now": TODAY.strftime}
    made.filters["tojson"] = as_json
    return made


def answer(compile_: Callable[[], jinja2.Template], request: dict[str, Any], most: int) -> dict[str, str]:
    """The text, or why there is none, in words that go after “the chat template …”."""
    try:
        return {"text": render(compile_(), request, most)}
    except Refused as refusal:
        return {"refused": " ".join(str(refusal).split())[:200]}
    except jinja2.exceptions.SecurityError as error:
        return {"fault": f"does what no template may ({' '.join(str(error).split())[:160]})"}
    except MemoryError:
        return {"fault": "needs more memory than a template may have"}
    except RecursionError:
        return {"fault": "calls itself without end"}
    except ValueError as error:
        return {"fault": " ".join(str(error).split())[:200]}
    except Exception as error:
        return {"fault": f"fails ({type(error).__name__}: {' '.join(str(error).split())[:160]})"}


def _lines(source: int) -> Iterator[bytes]:
    """Lines as they come; it ends when none has come for a while."""
    waiting = bytearray()
    while select.select([source], [], [], IDLE_SECONDS)[0]:
        data = os.read(source, 1 << 20)
        if not data:
            return
        waiting += data
        while (end := waiting.find(b"\n")) >= 0:
            yield bytes(waiting[:end])
            del waiting[: end + 1]


def main() -> None:
    """Answer requests: the first line names the template and the bounds, each further one a conversation.

    An empty answer says that the walls are up and work can begin.
    """
    hear_signals()
    if sys.platform == "linux":
        confine.die_with(int(sys.argv[1]))
    made = environment()
    made.from_string("{{ 1 }}").render()  # loads what Jinja loads late
    out = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (1, 2):
        os.dup2(null, standard)
    lines = _lines(0)
    begin = json.loads(next(lines))
    seconds, most = float(begin["seconds"]), int(begin["characters"])
    confine.bound(Limits(seconds=seconds, memory=int(begin["memory"])), endless=True)
    confine.lock_in(0)
    _say(out, {})
    compiled: list[jinja2.Template] = []

    def compile_() -> jinja2.Template:
        if not compiled:
            compiled.append(made.from_string(begin["template"]))
        return compiled[0]

    for line in lines:
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_PROF, 2 * seconds)  # should nobody wait for it any more
        _say(out, answer(compile_, begin["values"] | json.loads(line), most))


def _say(out: int, reply: dict[str, str]) -> None:
    data = json.dumps(reply).encode("ascii") + b"\n"
    while data:
        data = data[os.write(out, data) :]
