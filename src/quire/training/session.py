"""One start of a run: where it lies, who listens, and whether somebody wants it to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from quire.recipe.resolved import Decided
from quire.run.events import JSON, Event, EventLog
from quire.run.folder import RunFolder
from quire.training.state import TrainState
from quire.training.watch import StopWish

STAGE = "train"  # the only stage of a recipe without `stages`


@dataclass(frozen=True)
class Session:
    """Events go to the log first: what a listener has seen is on the disk."""

    folder: RunFolder
    log: EventLog
    wish: StopWish
    listener: Callable[[Event], None]

    def emit(self, kind: str, state: TrainState, values: Mapping[str, JSON]) -> None:
        self.listener(self.log.append(kind, STAGE, state.part, state.step, values))

    def announce(self, decided: Decided, learner: Mapping[str, JSON], account: Mapping[str, Mapping[str, int]]) -> None:
        """Say what was decided and why, what learns, and where every word and token of the text went."""
        values: dict[str, JSON] = {
            "base": f"{decided.base} ({decided.base_reason})",
            "precision": f"{decided.precision} ({decided.precision_reason})",
            "batch": f"{decided.batch} × {decided.accumulate} rows ({decided.batch_reason})",
            "threads": decided.threads,
            **learner,
            **{name: dict(counts) for name, counts in account.items()},
        }
        self.emit("decided", TrainState(), values)
