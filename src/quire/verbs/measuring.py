"""A few seconds' measurement of training in a process of its own, so that the one that plans need not load torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from quire.planner.pace import Pace, pace_of
from quire.recipe.schema import TrainSettings

COMMAND = (sys.executable, "-W", "ignore", "-m", "quire.training.pace_child")
MOST_SECONDS = 120.0  # usually five; a machine that is this busy would tell nothing of itself either


@dataclass(frozen=True)
class StagePace:
    """What training would decide for a stage, and its pace; None where that could not be measured."""

    precision: str
    precision_reason: str
    pace: Pace | None


@dataclass(frozen=True)
class Measured:
    """What the process found.  `rates` are those of matrix products in FLOP/s."""

    rates: tuple[tuple[str, float], ...]
    native: tuple[str, ...]
    threads: int
    threads_reason: str
    stages: tuple[StagePace, ...]


class Measurer:
    """The process.  It is started at once, so that it loads its libraries while the book is read, and asked once."""

    def __init__(self) -> None:
        pipe, no = subprocess.PIPE, subprocess.DEVNULL
        self._process = subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=no, text=True)  # noqa: S603

    def __enter__(self) -> Measurer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.communicate()

    def ask(self, folder: Path, run: Path, stages: Sequence[TrainSettings]) -> Measured | None:
        """Measure trainings on the base in `folder` for a run at `run`; None where it fails or takes too long."""
        question = {
            "folder": str(folder),
            "run": str(run.absolute()),
            "stages": [stage.model_dump(mode="json", include=set(TrainSettings.model_fields)) for stage in stages],
        }
        try:
            said, _ = self._process.communicate(json.dumps(question) + "\n", timeout=MOST_SECONDS)
            return _measured(json.loads(said))
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
            return None


def _measured(answer: dict[str, Any]) -> Measured:
    return Measured(
        rates=tuple((str(name), float(rate)) for name, rate in answer["rates"]),
        native=tuple(answer["native"]),
        threads=int(answer["threads"]),
        threads_reason=str(answer["threads_reason"]),
        stages=tuple(
            StagePace(one["precision"], one["precision_reason"], pace_of(one["pace"]) if one["pace"] else None)
            for one in answer["stages"]
        ),
    )
