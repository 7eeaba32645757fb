"""One start of a run: where it lies, who listens, and whether somebody wants it to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from quire.errors import DiskFull, QuireError, Stopped
from quire.recipe.resolved import Decided, StageDecided
from quire.run.events import JSON, Event, EventLog
from quire.run.folder import RunFolder
from quire.training.ranks import ALONE, Ranks
from quire.training.state import TrainState
from quire.training.watch import StopWish


@dataclass(frozen=True)
class Session:
    """Events go to the log first: what a listener has seen is on the disk.  `stages` are the names of the stages.

    Of several processes only the first tells anything.
    """

    folder: RunFolder
    log: EventLog
    wish: StopWish
    listener: Callable[[Event], None]
    stages: tuple[str, ...]
    ranks: Ranks = ALONE

    def emit(self, kind: str, state: TrainState, values: Mapping[str, JSON]) -> None:
        if self.ranks.first:
            self.listener(self.log.append(kind, self.stages[state.stage], state.part, state.step, values))

    @contextmanager
    def telling_errors(self) -> Iterator[None]:
        """Keep the error that ends a run which has begun to tell its events, at the place of the latest one."""
        try:
            yield
        except Stopped:
            raise
        except QuireError as error:
            if (last := self.log.last) is not None:
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
            **({"activations": "computed twice, to save memory"} if stage.checkpointing else {}),
            **learner,
            **{name: dict(counts) for name, counts in account.items()},
        }
        self.emit("decided", state, values)
