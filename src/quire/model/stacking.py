"""Several adapters on one base that count together: an earlier one, frozen, under the one that learns; and all of them
as one plain adapter, which loads anywhere.

Low-rank adapters add up: s₁B₁A₁ + s₂B₂A₂ is one adapter whose matrices are those of both side by side.  So the result
is exact, its rank the sum of the ranks.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.lora import Linear, LoraLayer, LoraModel
from peft.utils.integrations import dequantize_module_weight
from torch import Tensor, nn

from quire.errors import RecipeError
from quire.recipe.method import Lora

LEARNING = "default"  # peft's own name for the only adapter, and ours for the one that learns
EARLIER = "earlier"
START = "start"  # what a PiSSA adapter began with, counted against it


def use_together(model: PeftModel, frozen: list[str]) -> None:
    """Let the adapters in `frozen` count beside the one that learns, without learning."""
    model.set_adapter(LEARNING)
    tuner = model.base_model
    assert isinstance(tuner, LoraModel)
    tuner.set_adapter([*frozen, LEARNING])
    tuner.set_requires_grad(frozen, requires_grad=False)


def start_at_strongest(model: PeftModel, lora: Lora, targets: list[str]) -> None:
    """PiSSA (arXiv 2404.02948): the adapter begins as the strongest directions of the weights it lies on.

    There the base keeps the rest of its weights.  Here it keeps all of them, and what the adapter began with is counted
    against it: the same function, the same gradients, but no weight of the base is rounded anew, and what was learned
    fits the base as everybody has it.
    """
    model.add_adapter(START, lora_config(lora, targets, against=True))
    with torch.no_grad():
        for name, layer in lora_layers(model):
            if LEARNING not in layer.r:
                continue  # only an earlier adapter lies there
            if not isinstance(layer, Linear):
                raise RecipeError(
                    f"init: pissa cannot begin with {name}, which is no linear layer", "name other targets"
                )
            first, second = _strongest(_weight(layer), layer.r[LEARNING], layer.scaling[LEARNING])
            for adapter in (LEARNING, START):
                layer.lora_A[adapter].get_parameter("weight").copy_(first)
                layer.lora_B[adapter].get_parameter("weight").copy_(second)


def lora_config(lora: Lora, targets: list[str] | str, against: bool = False) -> LoraConfig:
    """peft's settings for a fresh adapter; with `against`, for one that counts with the opposite sign and no noise."""
    return LoraConfig(
        r=lora.rank,
        lora_alpha=-lora.alpha if against else lora.alpha,  # type: ignore[arg-type]  # peft only divides it by the rank
        lora_dropout=0.0 if against else lora.dropout,
        target_modules=targets,
        bias=lora.bias,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        init_lora_weights="gaussian" if lora.init == "gaussian" else True,
        task_type="CAUSAL_LM",
    )


def joined(model: PeftModel) -> tuple[dict[str, Tensor], LoraConfig]:
    """All active adapters as one, in peft's names, with a strength (alpha / rank) of 1 in every layer.

    Where a layer has fewer ranks than another the rest is zeros: one rank everywhere, so that programs which know no
    other can load it.  After PiSSA the two halves nearly cancel; they are brought to the few directions that are left,
    or a program that rounds them to 16 bits would be left with the rounding.
    """
    parts = {
        name: _side_by_side(layer) for name, layer in lora_layers(model) if set(model.active_adapters) & set(layer.r)
    }
    if START in model.active_adapters:
        parts = {name: (*_balanced(first, second), embeds) for name, (first, second, embeds) in parts.items()}
    rank = max(first.shape[0] for first, _, _ in parts.values())
    tensors = {}
    for name, (first, second, embeds) in parts.items():
        keys = ("lora_embedding_A", "lora_embedding_B") if embeds else ("lora_A.weight", "lora_B.weight")
        room = rank - first.shape[0]
        tensors[f"{name}.{keys[0]}"] = nn.functional.pad(first, (0, 0, 0, room)).contiguous()
        tensors[f"{name}.{keys[1]}"] = nn.functional.pad(second, (0, room)).contiguous()
    learning = model.peft_config[LEARNING]
    assert isinstance(learning, LoraConfig)
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,
        lora_dropout=learning.lora_dropout,
        target_modules=_shortest_names(model, list(parts)),
        fan_in_fan_out=learning.fan_in_fan_out,
        task_type="CAUSAL_LM",
        inference_mode=True,
    )
    return tensors, config


def lora_layers(model: PeftModel) -> list[tuple[str, LoraLayer]]:
    """The layers that bear adapters, by their names in the whole."""
    return [(name, layer) for name, layer in model.named_modules() if isinstance(layer, LoraLayer)]


def require_stackable(folder: Path) -> None:
    """RecipeError unless the adapter in `folder` is a plain one, which can be added to another; reads its settings."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    what = {
        "use_dora": "is a DoRA adapter, whose directions and magnitudes",
        "lora_bias": "has learned biases of its own, which",
        "modules_to_save": "holds whole layers, which",
        "trainable_token_indices": "holds tokens of its own, which",
    }
    odd = next((why for key, why in what.items() if config.get(key)), None)
    odd = "has changed the base's biases, which" if config.get("bias", "none") != "none" else odd
    odd = f"is of the kind {config.get('peft_type')}, which" if config.get("peft_type") != "LORA" else odd
    if odd is not None:
        raise RecipeError(f"onto: stack: the earlier adapter {odd} cannot be added to another's", "use onto: merge")


def _side_by_side(layer: LoraLayer) -> tuple[Tensor, Tensor, bool]:
    """(A (ranks, inputs), B (outputs, ranks), whether it embeds) of all active adapters of a layer, strengths in B."""
    names = [name for name in layer.active_adapters if name in layer.r]
    embeds = names[0] in layer.lora_embedding_A
    if embeds:
        pairs = [(layer.lora_embedding_A[name], layer.lora_embedding_B[name]) for name in names]
    else:
        pairs = [(layer.lora_A[name].weight, layer.lora_B[name].weight) for name in names]
    first = torch.cat([a.detach().float().cpu() for a, _ in pairs])
    scaled = [b.detach().float().cpu() * layer.scaling[name] for name, (_, b) in zip(names, pairs, strict=True)]
    return first, torch.cat(scaled, dim=1), embeds


def _balanced(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The same product from matrices of equal weight: its singular values, their roots on either side."""
    left, upper = torch.linalg.qr(second.double())
    right, lower = torch.linalg.qr(first.double().t())
    # More ranks than the layer is wide or high leave a product that is not square.
    u, values, v = torch.linalg.svd(upper @ lower.t(), full_matrices=False)
    roots = values.sqrt()
    return (roots[:, None] * (v @ right.t())).float(), (left @ u * roots).float()


def _strongest(weight: Tensor, rank: int, scaling: float) -> tuple[Tensor, Tensor]:
    """A (rank, inputs) and B (outputs, rank) whose product times `scaling` is the best of that rank to `weight`.

    Found by a few rounds of multiplication (Halko et al. 2011), as the authors propose: minutes less for a large base.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        u, values, v = torch.svd_lowrank(weight.float(), q=min(rank + 8, *weight.shape), niter=16)
    roots = (values[:rank] / scaling).sqrt()
    first, second = roots[:, None] * v[:, :rank].t(), u[:, :rank] * roots
    room = rank - len(roots)  # a matrix narrower than the rank has no more directions
    return nn.functional.pad(first, (0, 0, 0, room)), nn.functional.pad(second, (0, room))


def _weight(layer: Linear) -> Tensor:
    """The weights (outputs, inputs) under an adapter, quantised or not."""
    weight: Tensor = dequantize_module_weight(layer.get_base_layer())
    return weight.t() if layer.fan_in_fan_out else weight


def _shortest_names(model: PeftModel, adapted: list[str]) -> list[str]:
    """What peft needs to find these layers again: the last words of their names, unless others share them."""
    inside = {name.removeprefix("base_model.model.") for name in adapted}
    last = {name.rsplit(".", 1)[-1] for name in inside}
    alike = {name for name, _ in model.get_base_model().named_modules() if name.rsplit(".", 1)[-1] in last}
    return sorted(last) if alike == inside else sorted(inside)
