"""Is each path for GPUs right?  Every function against float64, beside the plain version, as large as in an 8B base."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module, util
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu.clock import milliseconds
from benchmarks.gpu.compare import Ways, compared, errors, gradients, milliseconds_of, numbers
from benchmarks.gpu.shapes import RANK, SIZES, Size
from quire.model.kernels import gpu
from quire.model.kernels.attention import Turns, attention_plain, causal_attention, turned
from quire.model.kernels.gate import silu_times, silu_times_plain
from quire.model.kernels.head import summed_cross_entropy
from quire.model.kernels.norm import rms_norm, rms_norm_plain

EPS = 1e-5
IGNORED = -100
FUSED = "liger_kernel.ops.fused_linear_cross_entropy"


def sized(device: torch.device) -> Size:
    """That of 8B; a tiny one where there is no GPU."""
    return SIZES["8B" if device.type == "cuda" else "tiny"]


def heads_of(size: Size) -> tuple[int, int, int]:
    """Heads, those that share keys, and the features of one."""
    return size.base.heads, size.base.key_value_heads, size.base.hidden // size.base.heads


def turns_of(size: Size, like: Tensor) -> Turns:
    """Positions 0, 1, 2 and so on, in `like`'s format."""
    half = heads_of(size)[2] // 2
    speeds = 10000.0 ** -torch.linspace(0, 1, half, device=like.device)
    angles = torch.outer(torch.arange(size.window, device=like.device), speeds).repeat(1, 2)
    return Turns(angles.cos().to(like.dtype), angles.sin().to(like.dtype))


def check_turning(device: torch.device) -> dict[str, Any]:
    """Positions alone."""
    size = sized(device)
    heads, groups, features = heads_of(size)

    def path(query: Tensor, key: Tensor) -> Tensor:
        turns = turns_of(size, query)
        by_liger = gpu.turned_by_liger(query, key, turns.cos, turns.sin)
        return torch.cat((turned(query, turns), turned(key, turns)) if by_liger is None else by_liger, 1)

    def plain(query: Tensor, key: Tensor) -> Tensor:
        turns = turns_of(size, query)
        return torch.cat((turned(query, turns), turned(key, turns)), 1)

    return compared(Ways(path, plain, tuple(numbers(device, size.window, some, features) for some in (heads, groups))))


def check_attention(device: torch.device) -> dict[str, Any]:
    """A row of three works, one of them a single token, with positions."""
    size = sized(device)
    heads, groups, features = heads_of(size)
    starts = [0, size.window // 3 + 1, size.window // 3 + 2, size.window]

    def by(way: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda q, k, v: way(q, k, v, starts, features**-0.5, turns_of(size, q))

    leaves = tuple(numbers(device, size.window, some, features) for some in (heads, groups, groups))
    return compared(Ways(by(causal_attention), by(attention_plain), leaves))


def check_norm(device: torch.device) -> dict[str, Any]:
    """Of rows as wide as the base."""
    size = sized(device)

    def exact(x: Tensor, weight: Tensor) -> Tensor:
        if x.dtype != torch.float64:
            return rms_norm_plain(x, weight, EPS)
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * weight

    leaves = numbers(device, size.window, size.base.hidden), numbers(device, size.base.hidden)
    return compared(Ways(lambda x, w: rms_norm(x, w, EPS), exact, leaves))


def check_gate(device: torch.device) -> dict[str, Any]:
    """As wide as a layer is inside."""
    size = sized(device)
    leaves = tuple(numbers(device, size.window, size.base.intermediate) for _ in range(2))
    return compared(Ways(silu_times, silu_times_plain, leaves))


def check_adapter(device: torch.device) -> dict[str, Any]:
    """A frozen layer and LoRA beside it."""
    size = sized(device)
    outputs, inputs = size.base.intermediate, size.base.hidden
    weight = numbers(device, outputs, inputs, times=0.02)

    def plain(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """As PEFT: the adapter's products in its own format."""
        own = first.float() if x.dtype != torch.float64 else first
        low = x.to(own.dtype) @ own.T @ second.to(own.dtype).T
        return (functional.linear(x, weight.to(x.dtype)) + 2 * low).to(x.dtype)

    leaves = (
        numbers(device, size.window, inputs),
        numbers(device, RANK, inputs, times=0.02),
        numbers(device, outputs, RANK, times=0.02),
    )
    return compared(
        Ways(lambda x, a, b: gpu.low_rank_linear(x, weight, None, a.float(), b.float(), 2.0), plain, leaves)
    )


def check_dropout(device: torch.device) -> dict[str, Any]:
    """Whether the mask of the way back is that of the way forward, and as many drop as should."""
    size = sized(device)
    width = size.base.hidden
    weight, x = numbers(device, width, width, times=0.02), numbers(device, size.window, width)
    first, second = numbers(device, RANK, width).float(), numbers(device, width, RANK).float()

    def path(x: Tensor, first: Tensor) -> Tensor:
        return gpu.low_rank_linear(x, weight, None, first, second, 2.0, 0.05, 7)

    def plain(x: Tensor, first: Tensor) -> Tensor:
        low = functional.dropout(x.float(), 0.05) @ first.T @ second.T
        return functional.linear(x, weight) + (2.0 * low).to(x.dtype)

    kept = gpu._kept(x, 0.05, 7)
    assert kept is not None
    share = float(kept.double().mean())
    again = gpu._kept(x, 0.05, 7)
    # Without the base the gradient of x is nought where x is dropped.
    leaf = x.detach().clone().requires_grad_()
    nothing = torch.zeros_like(weight)
    (found,) = torch.autograd.grad(gpu.low_rank_linear(leaf, nothing, None, first, second, 2.0, 0.05, 7).sum(), leaf)
    return {
        "right": abs(share - 0.95) < 0.01 and torch.equal(kept, again) and not bool(found[~kept].any()),
        "milliseconds": milliseconds_of(path, (x, first)),
        "plain_milliseconds": milliseconds_of(plain, (x, first)),
    }


def check_loss(device: torch.device) -> dict[str, Any]:
    """The head's loss in our blocks, which is what Quire computes, and liger's fused one beside it where that is."""
    size = sized(device)
    words = size.base.vocabulary
    weight = numbers(device, words, size.base.hidden, times=0.02)
    targets = torch.arange(size.window, device=device) * 7 % words
    targets[::9] = IGNORED

    def plain(x: Tensor) -> Tensor:
        logits = functional.linear(x, weight.to(x.dtype))
        wide = logits if x.dtype == torch.float64 else logits.float()
        return functional.cross_entropy(wide, targets, ignore_index=IGNORED, reduction="sum")

    leaves = (numbers(device, size.window, size.base.hidden),)
    case = compared(Ways(lambda x: summed_cross_entropy(x, weight, None, targets, IGNORED), plain, leaves))
    some = targets[:256].clamp_min(0)
    rows = numbers(device, len(some), words)
    case["block_milliseconds"] = milliseconds(lambda: gpu.losses_on_gpu(rows, some, with_gradient=True), device)
    if util.find_spec("liger_kernel") and device.type == "cuda":
        fused = import_module(FUSED).LigerFusedLinearCrossEntropyFunction.apply

        def liger(x: Tensor) -> Tensor:
            return fused(x, weight, targets, None, None, IGNORED, 0.0, 0.0, "sum")[0]  # type: ignore[no-any-return]

        exact = gradients(plain, [leaves[0].double()])
        case["liger_errors"] = errors(liger, leaves, exact)
        case["liger_milliseconds"] = milliseconds_of(liger, leaves)
    return case


CHECKS: dict[str, Callable[[torch.device], dict[str, Any]]] = {
    "positions": check_turning,
    "attention": check_attention,
    "norm": check_norm,
    "gate": check_gate,
    "adapter": check_adapter,
    "adapter with dropout": check_dropout,
    "loss": check_loss,
}
