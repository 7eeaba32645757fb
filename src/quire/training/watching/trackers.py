"""Trackers by name: each a process of its own that reads the run's events, so that none can end or slow a training."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from quire.books.walls.launch import signals_held_back
from quire.errors import RecipeError
from quire.planner.cautions import Warned
from quire.run.events import Event
from quire.run.folder import RunFolder

LIBRARIES = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio", "mlflow": "mlflow"}
PATIENCE = 60.0  # seconds for what is still to be told when a training has ended
BETWEEN_LOOKS = 5.0  # seconds
GUIDE = "trackers"


def require_trackers(names: Sequence[str]) -> None:
    """RecipeError where one of them is not installed: before a book is read."""
    missing = [name for name in names if find_spec(LIBRARIES[name]) is None]
    if missing:
        raise RecipeError(
            f"track names {' and '.join(missing)}, and {'it is' if len(missing) == 1 else 'they are'} not installed",
            f'pip install "quire[track]", or pip install {" ".join(missing)}; or leave track out',
            GUIDE,
        )


@contextmanager
def tracking(
    names: Sequence[str], folder: RunFolder, tell: Callable[[Warned], None]
) -> Iterator[Callable[[Event], None]]:
    """A listener that lets the named trackers hear what is told; they begin with the first event.

    `tell` hears once of each tracker that gave up.  At the end they have `PATIENCE` seconds for what is left.
    """
    trackers = [Follower(name, folder) for name in names]

    def listen(_event: Event) -> None:
        for tracker in trackers:
            trouble = tracker.look()
            if trouble is not None:
                tell(trouble)

    try:
        yield listen
    finally:
        for tracker in trackers:
            tracker.let_go()
        until = time.monotonic() + PATIENCE
        for tracker in trackers:
            trouble = tracker.end(until)
            if trouble is not None:
                tell(trouble)


class Follower:
    """The process of one tracker, from outside."""

    def __init__(self, name: str, folder: RunFolder) -> None:
        self._name, self._folder = name, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._looked = 0.0
        self._gone = False

    def look(self) -> Warned | None:
        """Start it, or see whether it still lives; what there is to say of it if it has given up."""
        if self._gone or (self._process is not None and time.monotonic() - self._looked < BETWEEN_LOOKS):
            return None
        self._looked = time.monotonic()
        try:
            self._process = self._process or _start(self._name, self._folder)
        except OSError as error:
            return self._give_up(str(error))
        return self._give_up(self._last_words()) if self._process.poll() is not None else None

    def let_go(self) -> None:
        """Let it know that nothing more will come."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def end(self, until: float) -> Warned | None:
        """Wait for it, but not for ever."""
        if self._process is None or self._gone:
            return None
        try:
            status = self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return self._give_up(f"it had not taken everything {PATIENCE:.0f} seconds after the end")
        return self._give_up(self._last_words()) if status else None

    def _give_up(self, why: str) -> Warned:
        self._gone = True
        log = self._folder.path.name + f"/track/{self._name}.log"
        return Warned(f"the tracker {self._name} has given up: {why}", f"training goes on without it; see {log}", GUIDE)

    def _last_words(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        said = self._process.stdout.read().decode("utf-8", "replace").strip()
        return said or f"exit status {self._process.returncode}"


def _start(name: str, folder: RunFolder) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C in the terminal is not meant for it."""
    own = str(Path(__file__).parents[3])
    path = os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])
    with signals_held_back():
        return subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-P", "-m", "quire.training.watching.follower", name, str(folder.path.absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
