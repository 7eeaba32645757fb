"""A base's own chat template: found in its folder, rendered in a process that can do no harm (`prompts.child`)."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from quire.books.limits import MIB
from quire.books.walls.launch import ending, launch
from quire.books.walls.memory import room
from quire.errors import BaseModelError
from quire.planner.bases import settings_in

Message = Mapping[str, str]

SECONDS = 10.0
"""A template that takes so long for one conversation will never end."""
MEMORY = 512 * MIB
_START_SECONDS = 60.0
_LEAST_CHARACTERS = 1_000_000
# What is written around the words of a turn, at the most; and the words may stand twice.
_AROUND = 20_000
_CHILD = "quire.prompts.child"
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")
WITHOUT = "choose another base; or take its chat template away, and conversations are written plainly"


@dataclass(frozen=True)
class ChatTemplate:
    """A template in Jinja, and the special tokens that it may ask for by name."""

    name: str
    text: str
    values: Mapping[str, str]


class Refusal(Exception):
    """A template's own words against a conversation, such as that roles must alternate."""


def find_template(folder: Path) -> ChatTemplate | None:
    """The chat template that lies in a base's or a voice's folder, if there is one."""
    settings = settings_in(folder / "tokenizer_config.json")
    text: object = _own_file(folder / "chat_template.jinja")
    for source in (settings, settings_in(folder / "chat_template.json")):
        text = text or _chosen(source.get("chat_template"))
    if not isinstance(text, str) or not text.strip():
        return None
    tokens = {name: _content(settings.get(name)) for name in _SPECIAL}
    return ChatTemplate(base_name(folder), text, {name: token for name, token in tokens.items() if token})


def _own_file(file: Path) -> str | None:
    """The template that has a file of its own, if it has.  BaseModelError where that is no text."""
    if not file.is_file():
        return None
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BaseModelError(f"{file} is not UTF-8: {error}", "download the base again", "chat-templates") from None


def base_name(folder: Path) -> str:
    """What a base is called by people: in the hub's cache its id, elsewhere the name of its folder."""
    if folder.parent.name == "snapshots":
        return folder.parent.parent.name.removeprefix("models--").replace("--", "/")
    return folder.name


def _chosen(said: object) -> object:
    """Of several templates the one called default."""
    if not isinstance(said, list):
        return said
    named = {item.get("name"): item.get("template") for item in said if isinstance(item, dict)}
    return named.get("default")


def _content(token: object) -> str:
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else ""


class TemplateWriter:
    """Writes conversations by a template.  The process that does it is started when it is needed, and again where it
    has left; it ends with this object."""

    def __init__(self, template: ChatTemplate, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self.template = template
        self._seconds, self._memory = seconds, memory
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._most = 0

    def __call__(self, messages: Sequence[Message], ask: bool) -> str:
        """The conversation as text; with `ask`, up to where the next answer begins.

        Raises Refusal where the template refuses it, BaseModelError where the template is no good.
        """
        size = sum(len(message["content"]) for message in messages)
        most = max(_LEAST_CHARACTERS, 2 * size + _AROUND * (1 + len(messages)))
        request = {"messages": list(messages), "add_generation_prompt": ask, "tools": None, "documents": None}
        line = json.dumps(request).encode("ascii") + b"\n"
        reply = self._ask(line, most)
        if "refused" in reply:
            raise Refusal(reply["refused"])
        if "text" not in reply:
            raise self._fault(reply.get("fault", "gave something else than text"))
        return reply["text"]

    def _ask(self, line: bytes, most: int) -> dict[str, str]:
        """One that was idle may have left meanwhile: then a fresh one is asked."""
        for fresh in (False, True):
            process = self._process
            try:
                foreign = self._owner != os.getpid()  # a process that was forked off has none of its own yet
                if fresh or process is None or foreign or process.poll() is not None or most > self._most:
                    process, fresh = self._start(most), True
                _send(process, line)
                return self._hear(process, self._seconds)
            except EOFError:
                status = process.wait() if process is not None else 0
                self.close()
                if fresh:
                    raise self._fault(f"made the process that renders it end ({ending(status)})") from None
        raise AssertionError("a fresh process either answers or has its fault told")

    def _start(self, most: int) -> subprocess.Popen[bytes]:
        self.close()
        self._most = max(most, 2 * self._most if most > self._most else self._most)
        try:
            process = launch(_CHILD, str(os.getpid()), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise BaseModelError(
                f"no process could be started to render a chat template ({error.strerror or error})",
                "check that memory and processes are left, and try again",
            ) from None
        self._process, self._owner = process, os.getpid()
        self._end = weakref.finalize(self, _end, process, self._owner)
        begin = {
            "template": self.template.text,
            "values": dict(self.template.values),
            "seconds": self._seconds,
            "memory": room(self._memory) + 8 * self._most,
            "characters": self._most,
        }
        _send(process, json.dumps(begin).encode("ascii") + b"\n")
        self._hear(process, _START_SECONDS)  # Python and its libraries take their time
        return process

    def _hear(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, str]:
        """One line of the process.  Raises EOFError where it ends before it has answered."""
        assert process.stdout is not None
        deadline = time.monotonic() + seconds
        bound = 12 * self._most + MIB  # a character is at most \\uXXXX\\uXXXX
        heard = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not heard.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.close()
                    raise self._fault(f"did not come to an end within {seconds:g} s")
                data = os.read(process.stdout.fileno(), MIB)
                if not data:
                    raise EOFError
                heard += data
                if len(heard) > bound:
                    self.close()
                    raise self._fault("writes without end")
        try:
            reply = json.loads(heard)
        except ValueError:
            reply = None
        if not isinstance(reply, dict) or not all(isinstance(value, str) for value in reply.values()):
            self.close()
            raise self._fault("gave something else than text")
        return reply

    def _fault(self, what: str) -> BaseModelError:
        return BaseModelError(f"the chat template of {self.template.name} {what}", WITHOUT, "chat-templates")

    def close(self) -> None:
        """End the process; the next conversation starts another."""
        if self._process is not None:
            self._end()
            self._process = None


def _send(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(data)
        process.stdin.flush()
    except (BrokenPipeError, ConnectionResetError):
        raise EOFError from None


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    """End the process, unless this one was forked off the one that it belongs to."""
    if os.getpid() == owner:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
