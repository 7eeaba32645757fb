"""One start of a run: where it lies, who listens, and whether somebody wants it to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from quire.errors import DiskFull, QuireError, Stopped
from quire.planner.cautions import Warned
from quire.recipe.resolved import Decided, StageDecided
from quire.run.events import JSON, Event, EventLog, read_events
from quire.run.folder import RunFolder
from quire.training.relief import naming_out_of_memory
from quire.training.state import TrainState
from quire.training.together.ranks import ALONE, Ranks
from quire.training.watch import StopWish
from quire.training.watching.alarms import Alarms


@dataclass(frozen=True)
class Session:
    """Events go to the log first: what a listener has seen is on the disk.  `stages` are the names of the stages.

    The alarms hear every event, and what they have to say stands right behind its cause.  Of several processes only the
    first tells anything.
    """

    folder: RunFolder
    log: EventLog
    wish: StopWish
    listener: Callable[[Event], None]
    stages: tuple[str, ...]
    alarms: Alarms
    ranks: Ranks = ALONE

    def emit(self, kind: str, state: TrainState, values: Mapping[str, JSON]) -> None:
        if self.ranks.first:
            self._tell(self.log.append(kind, self.stages[state.stage], state.part, state.step, values))

    def _tell(self, event: Event) -> None:
        self.listener(event)
        for warned in self.alarms.hear(event):
            self.warn(warned)

    def warn(self, warned: Warned) -> None:
        """Say what is the matter, at the place of the latest event."""
        self.emit_here("warning", {"text": warned.text, "remedy": warned.remedy, "guide": warned.guide})

    def emit_here(self, kind: str, values: Mapping[str, JSON]) -> None:
        """Tell something at the place of the latest event."""
        if self.ranks.first:
            assert self.log.last is not None, "a run begins with its start"
            at = self.log.last
            self._tell(self.log.append(kind, at.stage, at.part, at.step, values))

    def catch_up(self) -> None:
        """Let the alarms hear what earlier starts have told, right after the resume."""
        if self.ranks.first:
            for warned in self.alarms.catch_up(read_events(self.log.path)):
                self.warn(warned)

    @contextmanager
    def telling_errors(self) -> Iterator[None]:
        """Keep the error that ends a run which has begun to tell its events, at the place of the latest one.

        Memory runs out in more places than those that can make do with less (the optimiser's moments, a sample, a model
        that is loaded): that is such an error too, and no bug.
        """
        try:
            with naming_out_of_memory():
                yield
        except Stopped:
            raise
        except QuireError as error:
            if self.ranks.first and (last := self.log.last) is not None:
                with suppress(DiskFull):
                    values: dict[str, JSON] = {"text": error.what, "remedy": error.then}
                    self.listener(self.log.append("error", last.stage, last.part, last.step, values))
            raise

    def announce(
        self,
        state: TrainState,
        decided: Decided,
        stage: StageDecided,
        learner: Mapping[str, JSON],
        account: Mapping[str, Mapping[str, int]],
    ) -> None:
        """Say what was decided for a stage and why, what learns, and where every word and token of the text went."""
        values: dict[str, JSON] = {
            "base": f"{decided.base} ({decided.base_reason})",
            "precision": f"{stage.precision} ({stage.precision_reason})",
            "batch": f"{stage.batch} × {stage.accumulate} rows ({stage.batch_reason})",
            "threads": f"{decided.threads} ({decided.threads_reason})",
            "kernels": decided.kernels + (f" ({decided.kernels_reason})" if decided.kernels_reason else ""),
            **({"activations": "computed twice, to save memory"} if stage.checkpointing else {}),
            **learner,
            **{name: dict(counts) for name, counts in account.items()},
        }
        self.emit("decided", state, values)
