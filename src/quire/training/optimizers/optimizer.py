"""The optimiser that the recipe names, and its memory as plain tensors for a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from quire.errors import RecipeError
from quire.recipe.schema import TrainSettings
from quire.training.optimizers.lean import LeanAdafactor, LeanAdamW
from quire.training.optimizers.muon import Muon
from quire.training.together.shards import memory_for

BETAS = (0.9, 0.95)  # the usual choice for language models since GPT-3: a shorter memory of squared gradients
SECOND = ("lora_B", "lora_embedding_B")  # an adapter's second matrix, which begins as zeros


def trainable(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """The learning parameters with their names, in the model's order."""
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def make_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """The recipe's optimiser; norms and biases are not decayed, and LoRA+ steps further in an adapter's second matrix.

    AdamW is torch's own, fused (Loshchilov & Hutter, arXiv 1711.05101).  Raises RecipeError for all others where the
    weights lie in slices over several processes: they look at whole matrices; and for `muon` where there are none.
    """
    groups = _groups(model, settings)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=BETAS, fused=True)
    if any(isinstance(p, DTensor) for _, p in trainable(model)):
        raise RecipeError(
            f"train.optimizer: {settings.optimizer} does not go with parallel: fsdp, which slices matrices",
            "use train.optimizer: adamw, or parallel: ddp",
            "processes",
        )
    if settings.optimizer == "adamw_8bit":
        return LeanAdamW(groups, settings.learning_rate, BETAS)
    if settings.optimizer == "muon":
        if not any(group["matrices"] for group in groups):
            raise RecipeError(
                "train.optimizer: muon finds no matrix of a linear layer in this base", "use train.optimizer: adamw"
            )
        return Muon(groups, settings.learning_rate, BETAS)
    return LeanAdafactor(groups, settings.learning_rate)


def _groups(model: nn.Module, settings: TrainSettings) -> list[dict[str, Any]]:
    """The learning parameters by what is done to them alike."""
    lora = settings.method.adapter
    inner = {id(layer.weight) for layer in model.modules() if isinstance(layer, nn.Linear | Conv1D)} - _ends(model)
    groups: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
    for name, parameter in trainable(model):
        decay = settings.weight_decay if parameter.dim() >= 2 else 0.0
        ratio = lora.lr_ratio if lora is not None and any(second in name for second in SECOND) else 1.0
        groups.setdefault((decay, ratio, id(parameter) in inner), []).append(parameter)
    return [
        {"params": found, "weight_decay": decay, "ratio": ratio, "matrices": matrices}
        for (decay, ratio, matrices), found in groups.items()
    ]


def _ends(model: nn.Module) -> set[int]:
    """The matrices whose rows stand for tokens, by identity: embeddings, and a head that may be tied to them."""
    embeddings = {id(layer.weight) for layer in model.modules() if isinstance(layer, nn.Embedding)}
    head = model.get_output_embeddings() if isinstance(model, PreTrainedModel) else None  # type: ignore[no-untyped-call]
    return embeddings | ({id(head.weight)} if isinstance(head, nn.Linear) else set())


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let the next step be made with `rate`, or what a group's ratio makes of it (LoRA+)."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["ratio"]


def gradient_norm(model: nn.Module, clip: float) -> float:
    """The norm of all gradients; they are scaled down to `clip` if it is larger (0: never)."""
    parameters = [p for p in model.parameters() if p.grad is not None]
    limit = clip if clip > 0 else float("inf")
    if any(isinstance(p, DTensor) for p in parameters):
        norm: Tensor = torch.nn.utils.clip_grad_norm_(parameters, limit)
        return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)
    # In float64: how a large sum is cut up, and so its last bits, depends on the number of threads.
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = [torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in gradients]
    found = float(torch.linalg.vector_norm(torch.stack(norms)))
    if found > limit:
        torch._foreach_mul_(gradients, limit / found)
    return found


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's memory, one tensor per kind and parameter, named after the parameter."""
    found = {}
    for name, parameter in trainable(model):
        memory: dict[str, Tensor] = optimizer.state.get(parameter, {})
        found.update({f"{name}:{kind}": tensor for kind, tensor in memory.items()})
    return found


def restore_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`."""
    kinds: dict[str, list[str]] = {}
    for key in tensors:
        name, _, kind = key.rpartition(":")
        kinds.setdefault(name, []).append(kind)
    for name, parameter in trainable(model):
        # The count of steps too: fused AdamW wants it beside the moments.
        memory = {kind: memory_for(parameter, tensors, f"{name}:{kind}") for kind in kinds.get(name, ())}
        if memory:
            optimizer.state[parameter] = memory
        else:  # before its first step; what a later one has left there is not to stay
            optimizer.state.pop(parameter, None)
