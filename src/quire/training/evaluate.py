"""The loss on validation text while training goes on."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from quire.model.mode import evaluating
from quire.tokens.rows import Rows
from quire.training.compute import Computation, batches_of, ghost_of, summed_loss
from quire.training.together.ranks import ALONE, Ranks
from quire.training.together.sliced import is_sliced
from quire.training.watch import StopWish

# A live curve needs no more: 64 rows of 1,024 tokens tell differences of a few hundredths of a nat, and a large
# corpus's validation share would take longer than the training between two points.
MOST_ROWS = 64


def validation_loss(
    model: PreTrainedModel, rows: Rows, computation: Computation, wish: StopWish, ranks: Ranks = ALONE
) -> float | None:
    """Mean nats per target over the rows (at most MOST_ROWS, spread evenly); None if a stop was asked for.

    Several processes share the rows out and sum up what they find.
    """
    nats, targets = 0.0, 0
    indices = spread(len(rows), MOST_ROWS)
    mine = ranks.share(indices)
    with torch.no_grad(), evaluating(model):
        for turn in range(-(-len(indices) // ranks.count)):
            if ranks.any(wish.reason is not None):
                return None
            if turn < len(mine):
                for batch in batches_of(rows, [mine[turn]], 1, computation.device):
                    nats += float(summed_loss(model, batch, computation))
                targets += rows.targets_in(mine[turn])
            elif is_sliced(model):  # the layers are put together from all processes
                summed_loss(model, ghost_of(rows, indices[0], computation.device), computation)
    nats, summed = ranks.sum(nats, targets)
    return nats / summed


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, spread evenly."""
    if count <= most:
        return list(range(count))
    return [i * count // most for i in range(most)]
