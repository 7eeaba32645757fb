"""What a run is doing when it is killed, and killing it while it does just that.

Python tells of every call (`sys.setprofile`).  The functions below begin and end a phase; within phases, calls are
counted, so that a start can be told to end at the n-th call of a phase, and so that whoever kills from outside can see
afterwards which phases were hit.
"""

from __future__ import annotations

import importlib
import inspect
import mmap
import os
import signal
import struct
import sys
from collections.abc import Mapping
from types import CodeType, FrameType

PHASES: Mapping[str, tuple[str, ...]] = {
    "reading": ("quire.verbs.texts.opening:open_texts",),
    "preparing": ("quire.verbs.texts.prepare:prepare_stage",),
    "foreseeing": ("quire.verbs.stages.groundwork:foresee_all",),
    "loading": ("quire.verbs.stages.decide:load_learner",),
    "evaluation": ("quire.training.evaluate:validation_loss",),
    "step": ("quire.training.loop:step",),
    "leaving out": ("quire.training.loop:drop_gradients",),
    "going back": ("quire.training.loop:roll_back",),
    "checkpoint": ("quire.training.checkpoints:save_checkpoint",),
    "forgetting": ("quire.training.checkpoints:forget_old",),
    "renaming": ("quire.run.atomic:_put_in_place",),
    "voice": ("quire.verbs.stages.saving:save_and_check",),
    "samples": ("quire.verbs.stages.saving:write_samples",),
    "recipe kept": ("quire.recipe.resolved:ResolvedRecipe.to_yaml",),
}
"""Phases that last as long as one of these functions."""

EDGES = ("mid-accumulation", "epoch edge", "part edge", "stage edge", "after the last step")
"""Phases that lie between functions."""

NAMES = (*PHASES, *EDGES)


class Watch:
    """Counts what a process does, in memory that it shares with those that it was forked from."""

    def __init__(self) -> None:
        _Hearer(self, None)  # a function that has another name now is missed here, where it is seen
        self._shared = mmap.mmap(-1, (len(NAMES) * 2 + 1) * 8)

    @property
    def counts(self) -> dict[str, int]:
        """Calls that were heard in each phase that has ended, or in which the process has."""
        return {name: self._get(number) for number, name in enumerate(NAMES)}

    @property
    def active(self) -> list[str]:
        """The phases that the process was in when it was heard last."""
        return [name for number, name in enumerate(NAMES) if self._get(len(NAMES) + number)]

    def listen(self, aim: tuple[str, int] | None = None) -> None:
        """Begin to hear this process; with `aim` it kills itself at the n-th call of a phase."""
        sys.setprofile(_Hearer(self, aim).hear)

    def _get(self, place: int) -> int:
        return int(struct.unpack_from("=q", self._shared, place * 8)[0])

    def put(self, place: int, value: int) -> None:
        struct.pack_into("=q", self._shared, place * 8, value)


class _Hearer:
    def __init__(self, watch: Watch, aim: tuple[str, int] | None) -> None:
        self.watch, self.aim = watch, aim
        self.codes = {_code(place): name for name, places in PHASES.items() for place in places}
        self.depth = dict.fromkeys(NAMES, 0)
        self.counts = dict.fromkeys(NAMES, 0)
        self.active: tuple[str, ...] = ()
        self.batches = 0
        self.part, self.parts = _code("quire.training.loop:train_part"), _code("quire.training.parts:train_parts")
        self.stage = _code("quire.verbs.stages.curriculum:train_stage")
        self.step, self.order = _code("quire.training.loop:step"), _code("quire.tokens.stream:order_of")
        self.gradients, self.loss = _code("quire.training.loop:gradients"), _code("quire.training.compute:summed_loss")

    def hear(self, frame: FrameType, event: str, _given: object) -> None:
        code = frame.f_code
        if event == "call":
            self.enter(code)
        elif event == "return":
            self.leave(code)
        if event in ("call", "c_call"):
            for name in self.active:
                self.count(name)

    def enter(self, code: CodeType) -> None:
        if (name := self.codes.get(code)) is not None:
            self.set(name, self.depth[name] + 1)
        if code is self.loss:
            self.batches += 1
            self.set("mid-accumulation", int(self.batches > 1 and self.depth["step"] > 0))
        elif code is self.gradients:
            self.batches = 0
        elif code is self.order and self.depth["step"]:
            self.set("epoch edge", 1)
        elif code is self.part:
            for edge in ("part edge", "stage edge"):
                self.set(edge, 0)

    def leave(self, code: CodeType) -> None:
        if (name := self.codes.get(code)) is not None:
            self.set(name, self.depth[name] - 1)
        if code is self.gradients:
            self.set("mid-accumulation", 0)
        elif code is self.step:
            self.set("epoch edge", 0)
        elif code is self.part:
            self.set("part edge", 1)
        elif code is self.parts:
            self.set("part edge", 0)
            self.set("after the last step", 1)
        elif code is self.stage:
            self.set("after the last step", 0)
            self.set("stage edge", 1)

    def set(self, name: str, depth: int) -> None:
        if self.depth[name] == depth:
            return
        if not depth:
            self.tell(name)
        self.depth[name] = depth
        self.active = tuple(name for name in NAMES if self.depth[name])
        self.watch.put(len(NAMES) + NAMES.index(name), depth)

    def count(self, name: str) -> None:
        if self.aim is not None and self.aim == (name, self.counts[name]):
            self.tell(name)
            os.kill(os.getpid(), signal.SIGKILL)
        self.counts[name] += 1

    def tell(self, name: str) -> None:
        """Let others see the count; not at every call, for that would slow everything down."""
        self.watch.put(NAMES.index(name), self.counts[name])


def _code(place: str) -> CodeType:
    module, _, name = place.partition(":")
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = vars(found)[part]
    function = inspect.unwrap(found)
    assert inspect.isfunction(function), place
    return function.__code__
