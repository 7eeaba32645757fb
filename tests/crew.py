"""Several processes for tests: forked from one that has the libraries loaded, and used for one task after the other."""

from __future__ import annotations

import gc
import json
import multiprocessing as mp
import os
import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = ["torch", "torch.distributed.fsdp", "transformers", "peft", "accelerate", "quire.training.parts", "toy"]
WAIT = 120.0


class Crew:
    """`count` processes; `do` has each of them carry out the same function, joined by its own meeting point."""

    def __init__(self, count: int) -> None:
        context = mp.get_context("forkserver")
        context.set_forkserver_preload(LIBRARIES)
        self.count = count
        self._ends: list[Connection] = []
        self.processes = []
        for number in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(number, count, theirs), daemon=True)
            process.start()
            theirs.close()
            self._ends.append(ours)
            self.processes.append(process)

    def do(self, function: Callable[..., Any], *arguments: object, alone: Sequence[int] | None = None) -> list[Any]:
        """What the function returns in each process, or the exception that it raises there, in order.

        `function(*arguments)` is called with RANK and the like set; with `alone`, in those processes only.
        """
        asked = range(self.count) if alone is None else alone
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        for number in asked:
            self._ends[number].send((function, arguments, {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}))
        return [self._answer(number) for number in asked]

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()

    def _answer(self, number: int) -> Any:
        end = self._ends[number]
        if not end.poll(WAIT):
            raise TimeoutError(f"process {number} says nothing")
        try:
            return end.recv()
        except EOFError:
            return None  # it was killed


def expect(answers: Sequence[Any]) -> list[Any]:
    """The answers, none of which is an exception."""
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return list(answers)


def _serve(number: int, count: int, end: Connection) -> None:
    import torch

    gc.freeze()  # the libraries, which every run would walk through again to collect garbage
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(count)}
    os.environ |= {"LOCAL_WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1"}
    while True:
        function, arguments, environment = end.recv()
        os.environ |= environment
        try:
            end.send(function(*arguments))
        except Exception as error:
            error.add_note(traceback.format_exc())
            end.send(error)


def start_run(
    base: Path,
    path: Path,
    changes: Mapping[str, object],
    stop_at: Mapping[int, int] | None = None,
    keep_told: bool = False,
) -> tuple[list[tuple[str, int, object]], str]:
    """Train the toy rows in this process, as one of several or alone, from where the run at `path` stands.

    Returns (kind, step, loss) of every step and validation told here, and the hash of what was learned in the end.
    `stop_at` maps a process's number to the step after which it wants to stop.  With `keep_told` the first writes what
    it told into the run, for where it does not come to an end.
    """
    from quire.planner.bases import find_base
    from quire.planner.schedule import choose_batch
    from quire.recipe.resolved import StageDecided
    from quire.recipe.schema import Recipe
    from quire.run.events import Event, EventLog
    from quire.run.folder import RunFolder
    from quire.training import loop
    from quire.training.learner import Learner, Start, make_learner
    from quire.training.loop import Part
    from quire.training.parts import train_parts
    from quire.training.session import Session
    from quire.training.standing import standing_of_all
    from quire.training.state import TrainState
    from quire.training.together.ranks import joined
    from quire.training.watch import StopWish
    from quire.training.watching.alarms import Alarms
    from toy import digest, toy_rows, toy_settings

    settings = toy_settings(**changes)
    stage = Recipe(shelf=("book.txt",), train=settings).curriculum[0]
    choice = choose_batch(settings)
    told: list[tuple[str, int, object]] = []
    with joined() as ranks:
        ranks.lead(lambda: RunFolder.create(path))
        folder = RunFolder.open(path)

        class Wish(StopWish):
            @property
            def reason(self) -> str | None:
                at = (stop_at or {}).get(ranks.rank)
                return "SIGTERM" if at is not None and reached[0] >= at else None

        def hear(event: Event) -> None:
            if event.kind in ("step", "validation"):
                told.append((event.kind, event.step, event.values["loss"]))
                if keep_told:
                    (path / "told.json").write_text(json.dumps(told))

        real = loop.step
        reached = [0]

        def counted(work: loop.Work, part: Part, frame: loop.Frame, state: TrainState, steps: int) -> None:
            real(work, part, frame, state, steps)
            reached[0] = state.step

        def load() -> Learner:
            precision = "fp32" if settings.precision == "auto" else settings.precision
            return make_learner(Start(find_base(str(base))), settings, precision, "cpu", seed=7)

        with EventLog(folder.events_file) as log, pytest.MonkeyPatch.context() as patch:
            session = Session(folder, log, Wish(), hear, (stage.name,), Alarms([stage]), ranks)
            at = standing_of_all(folder, [stage], ranks)
            patch.setattr(loop, "step", counted)
            parts = [Part(0, toy_rows((50, 90, 40, 61)), toy_rows((40, 33), seed=9))]
            decided = StageDecided(batch=choice.batch, accumulate=choice.accumulate)
            _, whole = train_parts(
                session,
                load(),
                stage,
                decided,
                7,
                at.state,
                at.checkpoint,
                parts,
                after_part=lambda learner, state: None,
                save_part=lambda learner, state, target: None,
                keep=lambda settled, alone: None,
                remake=load,
            )
        return told, digest(whole.model) if ranks.first else ""
