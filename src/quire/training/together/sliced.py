"""A model of which every process holds a slice (FSDP2), and its weights as a whole again."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from quire.errors import RecipeError
from quire.training.optimizers.optimizer import trainable


def slice_model(model: nn.Module) -> None:
    """Cut every weight of `model`, in place, so that each process keeps its slice of it.

    A layer is put together when it computes and let go of afterwards.  Gradients come out as slices of the sum over all
    processes.  An adapter stays whole: it is small, and its gradients are then summed as exactly as without slices.
    Raises RecipeError where the weights are no plain numbers.
    """
    packed = next((name for name, p in model.named_parameters() if not p.is_floating_point()), None)
    packed = packed or next((name for name, b in model.named_buffers() if b.dtype in (torch.int8, torch.uint8)), None)
    if packed is not None:
        raise RecipeError(
            f"train.parallel: fsdp cannot slice a base in 8 or 4 bits ({packed})",
            "use train.parallel: ddp, or method: lora",
            "processes",
        )
    learning = {parameter for _, parameter in trainable(model)}
    whole = set() if len(learning) == len(list(model.parameters())) else learning
    for layer in layers_of(model):
        fully_shard(layer, ignored_params=whole)
    fully_shard(model, ignored_params=whole)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)  # the loss is divided by all targets already
            module.set_force_sum_reduction_for_comms(True)  # gloo knows no other


def is_sliced(model: nn.Module) -> bool:
    """Whether computing with `model` is something that all processes must do together."""
    return isinstance(model, FSDPModule)


def layers_of(model: nn.Module) -> list[nn.Module]:
    """The layers of a transformer: its longest list of modules, by the weights in it."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    sizes = [sum(p.numel() for p in found.parameters()) for found in lists]
    return list(lists[sizes.index(max(sizes))]) if lists else []


def whole_weights(model: nn.Module, kept: bool) -> dict[str, Tensor]:
    """The learning weights put together, in main memory.  All processes must call it; they are `kept` where they are
    wanted, and elsewhere let go of one after the other."""
    found: dict[str, Tensor] = {}
    for name, parameter in trainable(model):
        whole = _whole(parameter.detach())
        if kept:
            found[name] = whole.cpu()
    return found


def own_part(tensor: Tensor) -> Tensor:
    """Of a tensor what this process holds: all of it, or its slice."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _whole(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
