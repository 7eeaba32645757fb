"""The loss on validation text while training goes on."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from quire.model.mode import evaluating
from quire.tokens.rows import Rows
from quire.training.compute import Computation, batches_of, summed_loss
from quire.training.watch import StopWish

# A live curve needs no more: 64 rows of 1,024 tokens tell differences of a few hundredths of a nat, and a large
# corpus's validation share would take longer than the training between two points.
MOST_ROWS = 64


def validation_loss(model: PreTrainedModel, rows: Rows, computation: Computation, wish: StopWish) -> float | None:
    """Mean nats per target over the rows (at most MOST_ROWS, spread evenly); None if a stop was asked for."""
    nats, targets = 0.0, 0
    with torch.no_grad(), evaluating(model):
        for index in spread(len(rows), MOST_ROWS):
            if wish.reason is not None:
                return None
            for batch in batches_of(rows, [index], 1, computation.device):
                nats += float(summed_loss(model, batch, computation))
            targets += rows.targets_in(index)
    return nats / targets


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, spread evenly."""
    if count <= most:
        return list(range(count))
    return [i * count // most for i in range(most)]
