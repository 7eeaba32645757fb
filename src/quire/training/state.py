"""All that a resume needs to know besides weights, optimiser and random numbers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass
class TrainState:
    """`step` counts over the whole run, `part_step` within the part; `rows` is the stream's position in the part.

    `stage` is the number of the stage in the curriculum.  `anchor` is the step of the latest checkpoint that was taken
    right after a validation: what a part goes back to when its numbers get out of hand.
    """

    stage: int = 0
    part: int = 0
    step: int = 0
    part_step: int = 0
    rows: int = 0
    tokens: int = 0
    best_loss: float | None = None
    best_step: int | None = None
    worse: int = 0  # validations since the best one
    validation_due: bool = True  # a part begins with one, so that the curve shows where it started
    anchor: int | None = None
    skipped: int = 0  # steps of the run whose numbers were not finite
    bad_in_a_row: int = 0  # of them, the latest without a good one between
    rollbacks: int = 0  # in this part
    scaler: dict[str, float] = field(default_factory=dict)  # of the fp16 loss; empty in other formats

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> TrainState:
        return cls(**json.loads(text))

    def next_part(self) -> TrainState:
        """The state at the beginning of the following part."""
        return TrainState(self.stage, self.part + 1, self.step, tokens=self.tokens, skipped=self.skipped)

    def next_stage(self) -> TrainState:
        """The state at the beginning of the following stage."""
        return TrainState(self.stage + 1, 0, self.step, tokens=self.tokens, skipped=self.skipped)

    def note_validation(self, loss: float) -> bool:
        """Remember a validation at this step; True if it is the best so far."""
        self.validation_due = False
        if self.best_loss is None or loss < self.best_loss:
            self.best_loss, self.best_step, self.worse = loss, self.step, 0
            return True
        self.worse += 1
        return False
