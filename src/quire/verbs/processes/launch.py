"""`quire train --processes N`: start N workers on this machine, watch them, and say once what became of them.

The workers are the same command with RANK, WORLD_SIZE and the like in the environment, just as torchrun starts them.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from quire.run.place import LAUNCHED, LIFELINE, LISTENER

GRACE = 10.0  # seconds that the others get when one has failed: they notice it themselves, at once as a rule
LOOK = 0.05
RESUMABLE = 75
STOPS = (signal.SIGINT, signal.SIGTERM)
# Signals by which a program ends through its own fault; by any other it was ended.
CRASHES = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS")
_TAIL = 20  # lines


@dataclass
class Worker:
    """One process; `said` keeps what it writes to stderr, unless that goes to the screen.  `ended` in order of time."""

    number: int
    process: subprocess.Popen[bytes]
    said: IO[bytes] | None
    code: int | None = None
    by_us: bool = False


@dataclass
class Group:
    """All workers, and those that have ended, in the order in which they did."""

    workers: list[Worker] = field(default_factory=list)
    ended: list[Worker] = field(default_factory=list)

    @property
    def alive(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.code is None]

    def look(self) -> None:
        """Notice who has ended."""
        for worker in self.alive:
            worker.code = worker.process.poll()
            if worker.code is not None:
                self.ended.append(worker)

    def send(self, number: int) -> None:
        for worker in self.alive:
            worker.process.send_signal(number)

    def kill(self) -> None:
        for worker in self.alive:
            worker.by_us = True
            worker.process.kill()


@dataclass(frozen=True)
class Outcome:
    """How it ended: the exit code; what a worker said that is not on the screen yet; and the launcher's own words."""

    code: int
    said: str = ""
    what: str = ""
    then: str = ""


def launch(arguments: Sequence[str], processes: int, again: str, command: Sequence[str] = ()) -> Outcome:
    """Run `quire ARGUMENTS` as `processes` workers and tell how that ended.

    `again` is what to type to go on.  SIGINT and SIGTERM are handed on to every worker.  Where one fails the others end
    too; where this process is killed they end with it.  `command` stands for another program than Quire, for tests.
    """
    program = [*(command or (sys.executable, "-m", "quire")), *arguments]
    ours, theirs = socket.socketpair()  # the system closes our end, however this process ends
    group = Group()
    with ours, theirs, _listener() as listening:
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # workers too hold them back until they can listen
            for number in range(processes):
                group.workers.append(_start(program, number, processes, theirs, listening))
            theirs.close()
            listening.close()
            with _hearing_stops() as stops:
                _watch(group, stops)
        finally:
            group.kill()
            for worker in group.workers:
                worker.process.wait()
    return _outcome(group, again)


def end_with_launcher() -> None:
    """In a worker: die when the launcher does, in whatever way that happens.  Elsewhere nothing."""
    if LIFELINE in os.environ:
        handle = int(os.environ[LIFELINE])
        threading.Thread(target=_die_at_its_end, args=(handle,), daemon=True).start()


def threads_each(processes: int, environment: Mapping[str, str] | None = None) -> int:
    """Threads for each worker, so that together they use the machine once: as OMP_NUM_THREADS says, or a fair share."""
    said = (os.environ if environment is None else environment).get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said) > 0:
        return int(said)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, cores // processes)


def _start(
    program: Sequence[str], number: int, count: int, lifeline: socket.socket, listening: socket.socket
) -> Worker:
    """One worker, in a session of its own: Ctrl-C at the terminal reaches the launcher alone, which hands it on."""
    first = number == 0
    environment = os.environ | {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(listening.getsockname()[1]),
        "OMP_NUM_THREADS": str(threads_each(count)),
        LAUNCHED: "1",
        LIFELINE: str(lifeline.fileno()),
        LISTENER: str(listening.fileno()),
    }
    said = None if first else tempfile.TemporaryFile()  # noqa: SIM115  # read when all have ended
    process = subprocess.Popen(  # noqa: S603 (our own program)
        program,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=None if first else subprocess.DEVNULL,
        stderr=said,
        pass_fds=(lifeline.fileno(), *((listening.fileno(),) if first else ())),
        start_new_session=True,
    )
    return Worker(number, process, said)


def _watch(group: Group, stops: list[int]) -> None:
    """Until all have ended: hand on the wish to stop, and give the others GRACE seconds once one has failed, or once a
    second wish wants them to leave at once: one that waits for another hears nothing."""
    failed_at: float | None = None
    wishes = 0
    while group.alive:
        while stops:
            wishes += 1
            group.send(stops.pop(0))
        group.look()
        now = time.monotonic()
        if failed_at is None and (wishes > 1 or any(worker.code for worker in group.ended)):
            failed_at = now
        if failed_at is not None and now - failed_at > GRACE:
            group.kill()
        time.sleep(LOOK)


def _outcome(group: Group, again: str) -> Outcome:
    """The exit code of the whole, and the words for it where no worker has said them on the screen."""
    failed = [worker for worker in group.ended if worker.code and not worker.by_us]
    killed = [worker for worker in failed if (worker.code or 0) < 0]
    if killed:
        return _of_killed(killed[0], len(group.workers), again)
    for code in (1, 2):
        told = [worker for worker in failed if worker.code == code]
        if told:
            return Outcome(code, _unheard(told))
    if failed:
        return Outcome(failed[0].code or 0, _unheard(failed))
    if any(worker.by_us for worker in group.ended):
        return Outcome(RESUMABLE, "", "the processes did not stop in time and were ended", again)
    return Outcome(0)


def _of_killed(worker: Worker, count: int, again: str) -> Outcome:
    """A worker that crashed is a bug; one that was ended from outside, a run to go on with."""
    name = _signal_name(-(worker.code or 0))
    which = f"process {worker.number + 1} of {count}"
    if name in CRASHES:
        then = "report this with what quire doctor prints; the same command resumes"
        return Outcome(1, _unheard([worker]), f"{which} crashed ({name}), so the others were stopped", then)
    memory = " (the system does so when memory runs out)" if name == "SIGKILL" else ""
    return Outcome(RESUMABLE, "", f"{which} was ended by {name}{memory}, so the others were stopped", again)


def _unheard(workers: Sequence[Worker]) -> str:
    """What one of them said in the end that is not on the screen; of several that fail together, one alone speaks."""
    said = [worker.said for worker in workers if worker.said is not None]
    texts = [_text(file).splitlines() for file in said]
    for lines in texts:
        starts = [index for index, line in enumerate(lines) if line.startswith("error: ")]
        if starts:
            return "\n".join(lines[starts[-1] :])
    if len(said) < len(workers):  # the first, which writes to the screen, is among them
        return ""
    return "\n".join(next((lines[-_TAIL:] for lines in texts if lines), []))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextmanager
def _hearing_stops() -> Iterator[list[int]]:
    """SIGINT and SIGTERM as a list that grows, inside the block."""
    heard: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        heard.append(number)

    before = {number: signal.signal(number, hear) for number in STOPS}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _listener() -> Iterator[socket.socket]:
    """A socket that listens on a free port of this machine alone; the first worker inherits it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        yield listening


def _die_at_its_end(handle: int) -> None:
    os.read(handle, 1)  # nobody writes: it returns when the launcher's end is closed
    os.kill(os.getpid(), signal.SIGKILL)


def arguments_without(given: Sequence[str], flag: str) -> list[str]:
    """A command line without `flag` and its value, however that was written."""
    kept = []
    words = iter(given)
    for word in words:
        if word == flag:
            next(words, None)
        elif not word.startswith(f"{flag}="):
            kept.append(word)
    return kept
