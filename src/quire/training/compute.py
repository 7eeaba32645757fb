"""The arithmetic of a step: rows in, summed loss out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from quire.model.ending import plain_head, states_of, weights_of
from quire.model.kernels.head import summed_cross_entropy
from quire.model.packing import by_works, logits_of
from quire.tokens.rows import IGNORED, RowArrays, Rows
from quire.training.together.ranks import ALONE, Ranks
from quire.training.together.sliced import is_sliced


@dataclass(frozen=True)
class Batch:
    """Rows of one length: inputs, positions, targets (rows, length); `segments` are those of each row."""

    inputs: Tensor
    positions: Tensor
    targets: Tensor
    segments: tuple[int, ...]


@dataclass(frozen=True)
class Computation:
    """How the forward pass is carried out, decided once when the model was loaded."""

    packs: bool
    autocast: torch.dtype | None
    device: str


def batches_of(rows: Rows, indices: Sequence[int], size: int, device: str, ranks: Ranks = ALONE) -> list[Batch]:
    """The rows in order, neighbours of equal length stacked up to `size`; a packed row stays by itself.

    Several processes share out the batches and not the rows, so that each is computed as a single process computes it.
    """
    groups: list[list[RowArrays]] = []
    for index in indices:
        row = rows.arrays(index)
        joins = groups and len(groups[-1]) < size and len(row.segments) == 1 and groups[-1][-1].segments == row.segments
        if joins:
            groups[-1].append(row)
        else:
            groups.append([row])
    return [
        Batch(
            _stack([r.inputs for r in group], device),
            _stack([r.positions for r in group], device),
            _stack([r.targets for r in group], device),
            group[0].segments,
        )
        for group in ranks.share(groups)
    ]


def ghost_of(rows: Rows, index: int, device: str) -> Batch:
    """One token of a row, for a process that has none left where all must compute together; it counts for nothing."""
    row = rows.arrays(index)
    ids, positions = _stack([row.inputs[:1]], device), _stack([row.positions[:1]], device)
    return Batch(ids, positions, torch.full_like(ids, IGNORED), (1,))


def summed_loss(model: PreTrainedModel, batch: Batch, computation: Computation) -> Tensor:
    """Cross-entropy in nats, summed over the batch's targets, in float32."""
    kind = batch.inputs.device.type
    head, sliced = plain_head(model), is_sliced(model)
    if head is not None and sliced and head.weight.requires_grad:
        head = None  # its gradient is formed in slices, and only where the model computes it
    with torch.autocast(kind, dtype=computation.autocast, enabled=computation.autocast is not None):
        if head is None:
            logits = logits_of(model, batch.inputs, batch.positions, batch.segments, computation.packs)
            return functional.cross_entropy(
                logits.float().flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED, reduction="sum"
            )
        read = partial(states_of, model, whole=sliced)
        states = by_works(read, batch.inputs, batch.positions, batch.segments, computation.packs).flatten(0, 1)
    numbers = computation.autocast or states.dtype
    bias = None if head.bias is None else head.bias.to(numbers)
    weight, scale = weights_of(head, numbers)
    return summed_cross_entropy(states.to(numbers), weight, bias, batch.targets.flatten(), IGNORED, scale)


def _stack(arrays: Sequence[object], device: str) -> Tensor:
    return torch.stack([torch.as_tensor(array) for array in arrays]).to(device)
