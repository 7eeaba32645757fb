"""How much memory a training takes, part by part, from shapes alone."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quire.planner.facts import MachineFacts
from quire.planner.schedule import BatchChoice
from quire.planner.shape import BaseShape
from quire.recipe.schema import TrainSettings

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}

# Python with torch and transformers, before any model (measured: 0.43 GiB with torch 2.13 for CPU).
RUNTIME = 450 * 2**20


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a step."""

    weights: int
    adapter: int
    gradients: int
    optimiser: int
    activations: int
    logits: int
    runtime: int = RUNTIME

    @property
    def total(self) -> int:
        return sum(int(vars(self)[field.name]) for field in fields(self))


def memory_of(settings: TrainSettings, shape: BaseShape, choice: BatchChoice, precision: str, trainable: int) -> Memory:
    """The memory of a step of `choice.batch` rows of a full window.

    An adapter and its gradients are fp32 beside a base in `precision`; full training keeps everything in fp32 and
    computes in `precision`.  AdamW keeps two fp32 numbers for each trainable weight.
    """
    lora = settings.method.lora
    tokens = choice.batch * settings.window
    size = BYTES[precision]
    return Memory(
        weights=shape.parameters * (size if lora else 4),
        adapter=trainable * 4 if lora else 0,
        gradients=trainable * 4,
        optimiser=trainable * 8,
        activations=tokens * _activations_per_token(settings, shape, size),
        # Logits, their copy in fp32, the softmax, and the gradients of both.
        logits=tokens * shape.vocabulary * (2 * size + 8),
    )


def needs_checkpointing(
    settings: TrainSettings,
    shape: BaseShape,
    choice: BatchChoice,
    precision: str,
    trainable: int,
    machine: MachineFacts | None,
) -> bool:
    """Whether activations are computed twice: as the recipe says, with `auto` where they would not fit otherwise."""
    if settings.checkpointing != "auto":
        return settings.checkpointing
    return machine is not None and memory_of(settings, shape, choice, precision, trainable).total > machine.room


def disk_of(trainable: int, keep: int) -> int:
    """Bytes on disk: `keep` checkpoints (weights and two moments), the best one, one being written, and the voice."""
    return trainable * 4 * (3 * (keep + 2) + 1) + 16 * 2**20


def _activations_per_token(settings: TrainSettings, shape: BaseShape, size: int) -> int:
    """Bytes kept for the backward pass, for each token.

    In a layer: what goes into every matrix and what comes out, and both norms' work in fp32.  A matrix with an adapter
    keeps its input once more in fp32 where the base is not, and with dropout what is left of it and the mask.
    Measured on shapes of 7M and 135M: 0.93 to 1.03 of the peak (docs/measurements.md).
    """
    lora = settings.method.lora
    inputs = sum(linear.inputs for linear in shape.linears)
    outputs = sum(linear.outputs for linear in shape.linears)
    layer = size * (inputs + outputs) + 2 * 4 * shape.hidden * 2
    if lora is not None:
        copies = (2 if lora.dropout else 0) + (1 if size < 4 else 0)
        layer += sum(linear.inputs for linear in shape.targets(lora)) * 4 * copies
    if settings.checkpointing is True:
        return shape.layers * shape.hidden * size + layer
    return shape.layers * layer
