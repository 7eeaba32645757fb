"""One start of a run: where it lies, who listens, and whether somebody wants it to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from quire.errors import DiskFull, QuireError, Stopped
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

    def announce(self, decided: Decided, learner: Mapping[str, JSON], account: Mapping[str, Mapping[str, int]]) -> None:
        """Say what was decided and why, what learns, and where every word and token of the text went."""
        values: dict[str, JSON] = {
            "base": f"{decided.base} ({decided.base_reason})",
            "precision": f"{decided.precision} ({decided.precision_reason})",
            "batch": f"{decided.batch} × {decided.accumulate} rows ({decided.batch_reason})",
            "threads": f"{decided.threads} ({decided.threads_reason})",
            **({"activations": "computed twice, to save memory"} if decided.checkpointing else {}),
            **learner,
            **{name: dict(counts) for name, counts in account.items()},
        }
        self.emit("decided", TrainState(), values)
