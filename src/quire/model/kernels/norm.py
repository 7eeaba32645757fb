"""Root-mean-square norm with the roundings of transformers' LlamaRMSNorm, in one pass forward and one backward."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from quire.model.kernels.blocks import empty_like
from quire.model.kernels.gpu import norm_by_liger
from quire.model.kernels.native import native, rows_of


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x (…, n) / sqrt(mean(x²) + eps) * weight (n); statistics in float32, the quotient rounded to x's precision."""
    if x.is_cuda and (fused := norm_by_liger(x, weight, eps)) is not None:
        return fused
    if native() is None or not _suits(x, weight):
        return rms_norm_plain(x, weight, eps)
    done: Tensor = _RMSNorm.apply(x, weight, eps)  # type: ignore[no-untyped-call]
    return done


def rms_norm_plain(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """The same with torch alone."""
    wide = x.to(torch.float32)
    quotient = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return weight * quotient.to(x.dtype)


def _suits(x: Tensor, weight: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.bfloat16
        and x.stride(-1) == 1
        and weight.is_contiguous()
        and x.shape[-1] == weight.shape[0] > 0
    )


def normed(rows: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Natively, without autograd: of rows (…, n) in order the norm, and 1 / sqrt(mean(x²) + eps) of each, float32."""
    library = native()
    assert library is not None
    y, r = empty_like(rows), torch.empty(rows.numel() // rows.shape[-1], dtype=torch.float32)
    library.call("rms_norm_forward", rows, weight, y, r, len(r), rows.shape[-1], float(eps))
    return y, r


def norm_back(dy: Tensor, rows: Tensor, weight: Tensor, r: Tensor, beside: Tensor | None = None) -> Tensor:
    """The gradient to `rows` of what `normed` made, and what reaches them `beside` it, summed before it is rounded."""
    library = native()
    assert library is not None
    dx = empty_like(rows)
    library.call("rms_norm_backward", dy, rows, weight, r, beside, dx, len(r), rows.shape[-1])
    return dx


class _RMSNorm(torch.autograd.Function):
    """Keeps x and, for each row, one float32."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        y, r = normed(rows_of(x), weight, eps)
        ctx.save_for_backward(x, weight, r)
        return y.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, dy: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        library = native()
        assert library is not None
        x, weight, r = ctx.saved_tensors  # type: ignore[attr-defined]
        x_needed, weight_needed, _ = ctx.needs_input_grad  # type: ignore[attr-defined]
        rows, grads = rows_of(x), rows_of(dy)
        dx = norm_back(grads, rows, weight, r) if x_needed else None
        dweight = torch.empty_like(weight) if weight_needed else None
        if dweight is not None:
            library.call("rms_norm_backward_weight", grads, rows, r, dweight, *rows.shape)
        return dx.view(x.shape) if dx is not None else None, dweight, None
