"""The model that learns: a base as the recipe's method changes it, ready for the loop."""

from __future__ import annotations

from dataclasses import dataclass

from peft import PeftModel
from transformers import PreTrainedModel

from quire.errors import RecipeError
from quire.model.adapters import attach
from quire.model.base import count_parameters, load_base, window_limit
from quire.model.machine import DTYPES, Precision
from quire.model.packing import packs_exactly
from quire.planner.bases import BaseFiles
from quire.recipe.schema import TrainSettings
from quire.run.events import JSON
from quire.tokens.tokenizer import Tokenizer
from quire.training.compute import Computation
from quire.training.relief import compute_activations_twice


@dataclass(frozen=True)
class Learner:
    """`precision` is that of the base's weights; `parameters` are all of the model's, `trainable` those that learn."""

    model: PreTrainedModel | PeftModel
    tokenizer: Tokenizer
    files: BaseFiles
    precision: Precision
    computation: Computation
    trainable: int
    parameters: int

    def facts(self) -> dict[str, JSON]:
        """What a person wants to know of it before the first step."""
        share = self.trainable / self.parameters
        packing = "in one pass" if self.computation.packs else "one after the other (this base cannot pack)"
        return {
            "parameters": f"{self.trainable:,} of {self.parameters:,} learn ({share:.2%})",
            "packed texts": f"computed {packing}",
        }


def make_learner(
    files: BaseFiles,
    settings: TrainSettings,
    precision: Precision,
    device: str,
    seed: int,
    checkpointing: bool = False,
    packs: bool | None = None,
) -> Learner:
    """Load the base and make it learn by the recipe's method.

    An adapter lies in float32 on weights of `precision`.  Full training keeps its weights in float32, or small steps
    would be lost to rounding, and computes in `precision`.  With `checkpointing` activations are computed twice to save
    memory.  `packs` says whether the base packs exactly, where that was found out before.  Raises RecipeError where the
    window exceeds the base's.
    """
    lora = settings.method.adapter
    weights: Precision = precision if lora else "fp32"
    base = load_base(files, weights, device)
    limit = window_limit(base.model)
    if limit is not None and settings.window > limit:
        raise RecipeError(
            f"train.window: {files.name} holds at most {limit} tokens, the window has {settings.window}",
            f"use --set train.window={limit}",
            "window",
        )
    packs = packs_exactly(base.model) if packs is None else packs
    model: PreTrainedModel | PeftModel = attach(base.model, lora, seed) if lora else base.model
    if checkpointing:
        compute_activations_twice(model)
    # fp16 always needs autocast: adapters are float32 and small gradients vanish in 16 bits.
    mixed = precision != "fp32" and (lora is None or precision == "fp16")
    computation = Computation(packs, DTYPES[precision] if mixed else None, device)
    trainable, parameters = count_parameters(model)
    return Learner(model, base.tokenizer, files, weights, computation, trainable, parameters)
