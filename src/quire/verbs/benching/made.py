"""A base of random weights, made where it is measured and never written anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.initialization import no_init_weights

from quire.model.base import weights_dtype
from quire.model.lowbit import Int8Linear, ends_to_int8, to_nf4
from quire.model.machine import Precision

STD = 0.02  # as fresh models begin
# A large matrix has so many numbers again and again, as eight thousand million would take a minute to draw.  It is a
# prime, so that no two rows are alike.
DRAWN = 1_048_573


def random_model(config: Mapping[str, object], precision: Precision, device: str, seed: int = 0) -> PreTrainedModel:
    """A Llama-like model of such a config.json with its weights in `precision`, as `model.base.load_model` gives one.

    The same seed gives the same weights in every precision, but for the rounding: each number is drawn in bf16.  Memory
    is asked for matrix by matrix, so that one in 8 bits never takes more than its own size and a matrix.
    """
    dtype = weights_dtype(precision, device)
    rest: dict[str, Any] = {key: value for key, value in config.items() if key != "model_type"}
    known = AutoConfig.for_model(str(config["model_type"]), **rest)
    with torch.device(device), no_init_weights():  # what is not filled takes no memory yet
        model = AutoModelForCausalLM.from_config(known, dtype=dtype)  # type: ignore[no-untyped-call]
    assert isinstance(model, PreTrainedModel)
    model.tie_weights()  # which is otherwise done when weights are drawn or read
    generator = torch.Generator(device).manual_seed(seed)
    filled: set[int] = set()
    ends = (model.get_input_embeddings(), model.get_output_embeddings())  # type: ignore[no-untyped-call]
    # Only parents and names: a layer that is held could not be freed when another takes its place.
    parents = [module for module in model.modules() if next(module.children(), None) is not None]
    for parent in parents:
        for name in [name for name, _ in parent.named_children()]:
            module = parent.get_submodule(name)
            for parameter in module.parameters(recurse=False):
                if id(parameter) not in filled:  # tied ones are there twice
                    _fill(parameter, generator)
                    filled.add(id(parameter))
            if precision == "int8" and isinstance(module, nn.Linear) and module not in ends:
                setattr(parent, name, Int8Linear(module.weight, None, dtype))
    if precision == "int8":
        ends_to_int8(model, dtype)
    elif precision == "nf4":
        to_nf4(model, device)
    model.requires_grad_(False)
    model.train(False)
    return model


def bytes_of(model: nn.Module) -> int:
    """Bytes of all weights; shared ones count once."""
    held: dict[int, Tensor] = {tensor.data_ptr(): tensor for tensor in (*model.parameters(), *model.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in held.values())


@torch.no_grad()
def _fill(parameter: Tensor, generator: torch.Generator) -> None:
    """Matrices with small random numbers, norms with ones."""
    if parameter.dim() < 2:
        parameter.fill_(1.0)
        return
    flat = parameter.view(-1)
    drawn = torch.empty(min(DRAWN, len(flat)), dtype=torch.bfloat16, device=flat.device)
    drawn.normal_(std=STD, generator=generator)
    for first in range(0, len(flat), DRAWN):
        part = flat[first : first + DRAWN]
        part.copy_(drawn[: len(part)])
