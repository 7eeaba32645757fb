"""The search's side of the process in which trials train."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from quire.books.walls.launch import ending, signals_held_back
from quire.run.events import Event
from quire.verbs.searching.host import ASKED, GIVE_UP, GO_ON

LOG = "trials.log"
_LOOK_EVERY = 0.25  # seconds between two looks at whether somebody wants to stop
_ROOT = Path(__file__).absolute().parents[3]


class Wish(Protocol):
    """Whether somebody wants to stop, and why."""

    @property
    def reason(self) -> str | None: ...


class Trains(Protocol):
    """What trains a trial; see `Trainer`."""

    def carry_out(self, request: Mapping[str, Any], heard: Callable[[Event], bool], wish: Wish) -> Ended: ...


@dataclass(frozen=True)
class Ended:
    """How a trial's process ended: `done`, `Pruned`, `Stopped`, or the name of an error, with what it said.

    `fixable` says that it is one of Quire's own, which tells the user what to do.
    """

    how: str
    what: str = ""
    then: str = ""
    guide: str = ""
    fixable: bool = False


class Trainer:
    """Trains one recipe after the other in a process beside this one; `close` ends it.

    `fork` says that the process may stay and fork for each; otherwise each has a process of its own.
    """

    def __init__(self, folder: Path, fork: bool) -> None:
        self._log = folder / LOG
        self._fork = fork and sys.platform == "linux"
        self._host: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def carry_out(self, request: Mapping[str, Any], heard: Callable[[Event], bool], wish: Wish) -> Ended:
        """Train, handing every event to `heard`, which says whether to go on; that counts at each held-out loss.

        Where `wish` has a reason the training is asked to stop, once, and saves itself.
        """
        host = self._running()
        self._send(request)
        trial, asked = 0, False
        ended = None
        while True:
            message = self._next(host)
            if message is None:
                if wish.reason is not None and trial and not asked:
                    asked = True
                    with suppress(ProcessLookupError):
                        os.kill(trial, signal.SIGTERM)
                continue
            if "begun" in message:
                trial = message["begun"]
            elif "event" in message:
                event = Event(**message["event"])
                go_on = heard(event)
                if event.kind in ASKED:
                    self._send(GO_ON if go_on else GIVE_UP)
            elif "ended" in message:
                ended = Ended(message.pop("ended"), **message)
            elif "left" in message:
                if host.poll() is not None:
                    self.close()
                return ended or Ended(_by_signal(message["left"]), _died(message["left"]))

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *_given: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process.  A trial that is under way ends with it."""
        if self._host is None:
            return
        host, self._host = self._host, None
        for stream in (host.stdin, host.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()
        try:
            host.wait(timeout=30)
        except subprocess.TimeoutExpired:
            host.kill()
            host.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._host is None:
            self._rest = b""
            paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
            with self._log.open("ab") as log, signals_held_back():
                self._host = subprocess.Popen(  # noqa: S603 (our own program)
                    [
                        *(sys.executable, "-P", "-m", "quire.verbs.searching.host"),
                        *("fork" if self._fork else "once", str(os.getpid())),
                    ],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                    start_new_session=True,  # a Ctrl-C is the search's to hear, and to hand on
                )
        return self._host

    def _send(self, message: Any) -> None:
        assert self._host is not None
        assert self._host.stdin is not None
        line = message if isinstance(message, str) else json.dumps(message)
        with suppress(BrokenPipeError):  # it has died: the next look tells how
            self._host.stdin.write(line.encode("utf-8") + b"\n")
            self._host.stdin.flush()

    def _next(self, host: subprocess.Popen[bytes]) -> dict[str, Any] | None:
        """The next message; None where there is none yet.  A process that has ended says what it left with."""
        assert host.stdout is not None
        if b"\n" not in self._rest:
            if not select.select([host.stdout], [], [], _LOOK_EVERY)[0]:
                return None
            more = os.read(host.stdout.fileno(), 1 << 16)
            if not more:
                return {"left": host.wait()}
            self._rest += more
        line, newline, rest = self._rest.partition(b"\n")
        if not newline:
            return None
        self._rest = rest
        message: dict[str, Any] = json.loads(line)
        return message


def may_fork() -> bool:
    """Whether no GPU is in reach: what has touched one cannot fork, and libraries touch it while they load."""
    device = Path("/dev")
    return not any((device / name).exists() for name in ("kfd", "dxg")) and not any(device.glob("nvidia[0-9]*"))


def _by_signal(status: int | None) -> str:
    return "killed" if status is not None and status < 0 else "crashed"


def _died(status: int | None) -> str:
    if status is not None and status < 0:
        memory = ", most likely for want of memory" if -status == signal.SIGKILL else ""
        return f"its process was ended by {ending(status)}{memory}"
    return f"its process ended with status {status}; {LOG} may say why"
