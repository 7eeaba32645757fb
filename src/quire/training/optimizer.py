"""AdamW, and its memory as plain tensors for a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from quire.recipe.schema import TrainSettings
from quire.training.shards import memory_for

BETAS = (0.9, 0.95)  # the usual choice for language models since GPT-3: a shorter memory of squared gradients
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def trainable(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """The learning parameters with their names, in the model's order."""
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def make_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.AdamW:
    """Fused AdamW (Loshchilov & Hutter, arXiv 1711.05101); norms and biases are not decayed."""
    parameters = [p for _, p in trainable(model)]
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": settings.weight_decay, "ratio": 1.0},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0, "ratio": 1.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.learning_rate, betas=BETAS, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let the next step be made with `rate`, or what a group's ratio makes of it (LoRA+)."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["ratio"]


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's memory, one tensor per moment and parameter, named after the parameter."""
    found = {}
    for name, parameter in trainable(model):
        memory = optimizer.state.get(parameter, {})
        found.update({f"{name}:{moment}": memory[moment] for moment in MOMENTS if moment in memory})
    return found


def restore_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`."""
    for name, parameter in trainable(model):
        # The count of steps too: fused AdamW wants it beside the moments.
        memory = {
            moment: memory_for(parameter, tensors, f"{name}:{moment}")
            for moment in MOMENTS
            if f"{name}:{moment}" in tensors
        }
        if memory:
            optimizer.state[parameter] = memory
