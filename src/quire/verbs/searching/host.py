"""The process in which trials train: it loads the libraries once, and forks for each trial.

A trial of its own process gives back all its memory, and if it is killed for want of memory, or a library crashes, the
search goes on.  A forked one starts at once, where importing everything takes seconds.  A GPU cannot be used by a
forked process whose parent may have touched it, so that with one (`once`) the host itself trains, and ends.

Lines of JSON go both ways.  In: what to train.  Out: every event of it; after each held-out loss it waits for `go` or
for `prune`; at last how it ended.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from quire.books.walls.confine import die_with
from quire.errors import QuireError, Stopped
from quire.run.events import Event
from quire.run.folder import RunFolder
from quire.run.lock import hold

ASKED = ("decided", "validation")
"""Kinds of events after which a trial waits for an answer."""

GO_ON, GIVE_UP = "go", "prune"

_LIBRARIES = ("peft", "transformers", "quire.verbs.stages.saving", "quire.verbs.train")


class Pruned(Stopped):
    """The search has seen enough of this trial."""


def main() -> None:
    """Serve what comes on standard input until it is closed."""
    wire = Wire(os.dup(1))
    os.dup2(2, 1)  # whatever libraries print is no message
    once, parent = sys.argv[1] == "once", int(sys.argv[2])
    die_with(parent)
    from quire.verbs.quiet import hush

    hush()
    _load()
    while (line := wire.hear()) is not None:
        host = os.getpid()
        child = 0 if once else os.fork()
        if child == 0:
            if not once:
                die_with(host)
            _carry_out(json.loads(line), wire)
        _, status = os.waitpid(child, 0)
        wire.say({"left": os.waitstatus_to_exitcode(status)})


class Wire:
    """Lines to and from the search."""

    def __init__(self, out: int) -> None:
        self._out = out

    def hear(self) -> str | None:
        """One line of standard input; None at its end.  Read byte by byte: what follows is for who reads next."""
        read = b""
        while not read.endswith(b"\n"):
            byte = os.read(0, 1)
            if not byte:
                return None
            read += byte
        return read.decode("utf-8").rstrip("\n")

    def say(self, message: Mapping[str, Any]) -> None:
        """One message, as a line."""
        data = json.dumps(message).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self._out, data) :]

    def tell(self, event: Event) -> None:
        """Hand an event on.  Pruned where the search has had enough."""
        self.say({"event": event.__dict__ | {"values": dict(event.values)}})
        if event.kind in ASKED and self.hear() != GO_ON:
            raise Pruned("given up")


def _load() -> None:
    """Import what every trial needs.  Nothing is computed here: threads would not survive the fork."""
    for name in _LIBRARIES:
        importlib.import_module(name)


def _carry_out(request: Mapping[str, Any], wire: Wire) -> NoReturn:
    """Be the trial: train, say how it ended, end."""
    status = 1
    try:
        wire.say({"begun": os.getpid()})
        wire.say({"ended": _train(request, wire)})
        status = 0
    except BaseException as error:  # whatever it is, the search is to hear of it
        wire.say({"ended": type(error).__name__, **_told(error)})
    finally:
        os._exit(status)


def _train(request: Mapping[str, Any], wire: Wire) -> str:
    from quire.verbs.train import train

    place = RunFolder(Path(request["run"]))
    if place.lock.exists():
        with hold(place.lock, wait=True):  # a trial of a search that was killed may be ending still
            pass
    options = {key: request[key] for key in ("base", "settings", "download")}
    train(request["source"], run=place.path, prepared=Path(request["prepared"]), listener=wire.tell, **options)
    return "done"


def _told(error: BaseException) -> dict[str, Any]:
    if isinstance(error, QuireError):
        return {"what": error.what, "then": error.then, "guide": error.guide, "fixable": True}
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return {"what": " ".join(text.split())[:300], "fixable": False}


if __name__ == "__main__":
    main()
