"""How far a way of computing is from float64, values and gradients, beside the plain way; and how long both take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.clock import milliseconds


@dataclass(frozen=True)
class Ways:
    """A function of leaves in 16 bits by our path and plainly."""

    path: Callable[..., Tensor]
    plain: Callable[..., Tensor]
    leaves: tuple[Tensor, ...]


def compared(ways: Ways) -> dict[str, Any]:
    """Errors as shares of the float64 result's size; the path is right where it errs no more than the plain way does by
    half, and a rounding."""
    exact = gradients(ways.plain, [x.double() for x in ways.leaves])
    path, plain = (errors(way, ways.leaves, exact) for way in (ways.path, ways.plain))
    step = torch.finfo(ways.leaves[0].dtype).eps
    return {
        "right": all(one < 1.5 * other + step for one, other in zip(path, plain, strict=True)),
        "errors": [float(f"{error:.2g}") for error in path],
        "plain_errors": [float(f"{error:.2g}") for error in plain],
        "milliseconds": milliseconds_of(ways.path, ways.leaves),
        "plain_milliseconds": milliseconds_of(ways.plain, ways.leaves),
    }


def gradients(way: Callable[..., Tensor], leaves: Sequence[Tensor]) -> list[Tensor]:
    """What comes out, and the gradients for one that is drawn."""
    own = [x.detach().clone().requires_grad_() for x in leaves]
    out = way(*own)
    wish = torch.cos(torch.arange(out.numel(), device=out.device, dtype=torch.float64)).bfloat16().view(out.shape)
    return [out.detach().clone(), *torch.autograd.grad(out, own, wish.to(out.dtype))]


def errors(way: Callable[..., Tensor], leaves: Sequence[Tensor], exact: Sequence[Tensor]) -> list[float]:
    """Of what comes out, and of each gradient."""
    return [distance(x, true) for x, true in zip(gradients(way, leaves), exact, strict=True)]


def distance(found: Tensor, wanted: Tensor) -> float:
    """As a share of what is wanted."""
    return float((found.double() - wanted).norm() / wanted.norm().clamp_min(1e-30))


def milliseconds_of(way: Callable[..., Tensor], leaves: Sequence[Tensor]) -> float:
    """Forward and backward, without what has to be prepared.  liger's gate leaves other numbers in the leaves."""
    own = [x.detach().clone().requires_grad_() for x in leaves]
    wish = torch.ones_like(way(*own))
    return milliseconds(lambda: torch.autograd.grad(way(*own), own, wish), leaves[0].device)


def numbers(device: torch.device, *shape: int, times: float = 1.0) -> Tensor:
    """In bf16, with a spread of `times`."""
    generator = torch.Generator(device).manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, device=device).mul_(times).to(torch.bfloat16)
