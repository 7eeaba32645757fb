"""The model that learns: a base as the recipe's method changes it, ready for the loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel
from transformers import PreTrainedModel

from quire.errors import RecipeError
from quire.model.adapters import ADAPTER_FILE, attach, merge_onto, put_on, save_full, stack_on
from quire.model.base import count_parameters, load_base, weights_dtype, window_limit
from quire.model.machine import DTYPES, Precision, keep_small_memory
from quire.model.packing import packs_exactly
from quire.model.quick import quicken
from quire.model.stacking import require_stackable
from quire.planner.bases import BaseFiles
from quire.recipe.schema import TrainSettings
from quire.run.atomic import fresh_folder, hash_file
from quire.run.events import JSON
from quire.run.manifest import flaw, read_manifest, seal
from quire.tokens.tokenizer import Tokenizer
from quire.training.compute import Computation
from quire.training.relief import compute_activations_twice


@dataclass(frozen=True)
class Start:
    """What a stage starts from: `base` is what an adapter lies on, or whose weights go on learning; `adapter` the voice
    folder of what was learned on it before, None where there is nothing yet or where the base itself has learned."""

    base: BaseFiles
    adapter: Path | None = None


@dataclass(frozen=True)
class Learner:
    """`files` are those of the base that the result lies on, `precision` is that of its weights; `parameters` are all
    of the model's, `trainable` those that learn."""

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
    start: Start,
    settings: TrainSettings,
    precision: Precision,
    device: str,
    seed: int,
    checkpointing: bool = False,
    packs: bool | None = None,
    bases: Path | None = None,
) -> Learner:
    """Load what the stage starts from and make it learn by the recipe's method.

    An earlier adapter goes on learning (inherit), lies frozen under the new one (onto: stack), or is melted into its
    base in float32; the base that comes of it is kept in the folder `bases` and found there the next time.  With
    `checkpointing` activations are computed twice to save memory.  `packs` says whether the base packs exactly, where
    that was found out before.  Raises RecipeError for what cannot be combined, before anything is loaded, and where the
    window exceeds the base's.
    """
    files, adapter = start.base, start.adapter
    _refuse(settings, precision, adapter)
    if adapter is not None and _melts(settings):
        assert bases is not None
        files, adapter = merged_base(start, bases), None
    weights = precision_of_weights(settings, precision, adapter is not None)
    base = load_base(files, weights, device)
    limit = window_limit(base.model)
    if limit is not None and settings.window > limit:
        raise RecipeError(
            f"train.window: {files.name} holds at most {limit} tokens, the window has {settings.window}",
            f"use --set train.window={limit}",
            "window",
        )
    packs = packs_exactly(base.model) if packs is None else packs
    model, computation = learning_form(base.model, settings, precision, device, seed, checkpointing, packs, adapter)
    trainable, parameters = count_parameters(model)
    return Learner(model, base.tokenizer, files, weights, computation, trainable, parameters)


def learning_form(
    model: PreTrainedModel,
    settings: TrainSettings,
    precision: Precision,
    device: str,
    seed: int,
    checkpointing: bool = False,
    packs: bool = True,
    adapter: Path | None = None,
) -> tuple[PreTrainedModel | PeftModel, Computation]:
    """A loaded base as the method has it learn, and how it is computed.  `adapter`: an earlier one that stays.

    `model` has the weights that `precision_of_weights` names.  Adapters are float32 whatever lies under them.
    """
    lora = settings.method.adapter
    learns: PreTrainedModel | PeftModel
    if lora is not None:
        learns = attach(model, lora, seed) if adapter is None else stack_on(model, adapter, lora, seed)
    else:
        learns = model if adapter is None else put_on(model, adapter, trainable=True)
    if checkpointing:
        compute_activations_twice(learns)  # type: ignore[arg-type]  # a PeftModel hands it on to its base
    else:
        keep_small_memory()
    weights = weights_dtype(precision_of_weights(settings, precision, adapter is not None), device)
    if isinstance(learns, PeftModel):
        # fp16 always needs autocast: adapters are float32 and small gradients vanish in 16 bits.
        autocast = weights if precision == "fp16" or weights == DTYPES["fp16"] else None
    else:
        autocast = DTYPES[precision] if DTYPES[precision] != weights else None
    quicken(learns)
    return learns, Computation(packs, autocast, device)


def precision_of_weights(settings: TrainSettings, precision: Precision, earlier_adapter: bool = False) -> Precision:
    """In which format a base is loaded that is to be trained in `precision`.

    Under an adapter in that one.  Where all weights learn they are float32, or small steps would be lost to rounding,
    and are computed with in `precision`; the optimisers that save memory keep what bf16 rounds away themselves.
    """
    if settings.method.adapter is not None or (earlier_adapter and settings.method.inherit):
        return precision
    return "bf16" if precision == "bf16" and settings.optimizer != "adamw" else "fp32"


def merged_base(start: Start, folder: Path) -> BaseFiles:
    """The base of `start` with its adapter melted in, in float32, kept in `folder`: made once, then found there."""
    assert start.adapter is not None
    facts = {"base": start.base.name, "adapter": hash_file(start.adapter / ADAPTER_FILE)}
    if flaw(folder) is not None or any(read_manifest(folder).get(key) != fact for key, fact in facts.items()):
        model, tokenizer = merge_onto(start.base, start.adapter)
        with fresh_folder(folder) as target:
            save_full(model, tokenizer, target)
            seal(target, facts)
    return BaseFiles(str(folder), folder, "", "run")


def _melts(settings: TrainSettings) -> bool:
    """Whether an earlier adapter becomes part of the base."""
    return settings.method.full or (settings.method.adapter is not None and settings.onto == "merge")


def _refuse(settings: TrainSettings, precision: Precision, adapter: Path | None) -> None:
    """RecipeError for what cannot be combined and the recipe alone does not tell."""
    lora = settings.method.adapter
    if precision in ("int8", "nf4") and lora is None and (adapter is None or settings.method.full):
        raise RecipeError(f"weights in {precision} cannot learn", "use method: qlora, or precision: auto")
    if adapter is not None and lora is not None and settings.onto == "stack":
        require_stackable(adapter)
