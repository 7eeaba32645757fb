"""The gate of a LLaMA block with the roundings of transformers' LlamaMLP, and both gradients in one pass."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from quire.model.kernels.blocks import empty_like
from quire.model.kernels.gpu import gate_by_liger
from quire.model.kernels.native import native


def silu_times(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up, both of one shape; the first factor is rounded to their precision before the product is."""
    if gate.is_cuda and (fused := gate_by_liger(gate, up)) is not None:
        return fused
    if native() is None or not _suits(gate, up):
        return silu_times_plain(gate, up)
    done: Tensor = _SiluTimes.apply(gate, up)  # type: ignore[no-untyped-call]
    return done


def silu_times_plain(gate: Tensor, up: Tensor) -> Tensor:
    """The same with torch alone."""
    return F.silu(gate) * up


def _suits(gate: Tensor, up: Tensor) -> bool:
    return (
        gate.device.type == up.device.type == "cpu"
        and gate.dtype == up.dtype == torch.bfloat16
        and gate.shape == up.shape
    )


def gated(gate: Tensor, up: Tensor) -> Tensor:
    """Natively, without autograd: silu(gate) * up of two contiguous tensors."""
    library = native()
    assert library is not None
    out = empty_like(gate)
    library.call("silu_times_forward", gate, up, out, gate.numel())
    return out


def gate_back(dy: Tensor, gate: Tensor, up: Tensor, dgate: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients to gate and to up, all contiguous; the first is written to `dgate`, which may be dy."""
    library = native()
    assert library is not None
    dup = empty_like(gate)
    library.call("silu_times_backward", dy, gate, up, dgate, dup, gate.numel())
    return dgate, dup


class _SiluTimes(torch.autograd.Function):
    """Keeps gate and up; the sigmoid is computed again."""

    @staticmethod
    def forward(ctx: FunctionCtx, gate: Tensor, up: Tensor) -> Tensor:
        gate, up = gate.contiguous(), up.contiguous()
        ctx.save_for_backward(gate, up)
        return gated(gate, up)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, dy: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors  # type: ignore[attr-defined]
        return gate_back(dy.contiguous(), gate, up, empty_like(gate))
