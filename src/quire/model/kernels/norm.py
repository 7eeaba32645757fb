"""Root-mean-square norm with the roundings of transformers' LlamaRMSNorm, in one pass forward and one backward."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from quire.model.kernels.native import native, rows_of


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x (…, n) / sqrt(mean(x²) + eps) * weight (n); statistics in float32, the quotient rounded to x's precision."""
    if x.is_cuda:
        from quire.model.kernels.gpu import rms_norm_on_gpu  # it builds on this file

        return rms_norm_on_gpu(x, weight, eps)
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


class _RMSNorm(torch.autograd.Function):
    """Keeps x and, for each row, one float32."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        library = native()
        assert library is not None
        rows = rows_of(x)
        y = torch.empty_like(rows)
        r = torch.empty(rows.shape[0], dtype=torch.float32)
        library.call("rms_norm_forward", rows, weight, y, r, *rows.shape, eps)
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
        dx = torch.empty_like(rows) if x_needed else None
        dweight = torch.empty_like(weight) if weight_needed else None
        if dx is not None:
            library.call("rms_norm_backward", grads, rows, weight, r, dx, *rows.shape)
        if dweight is not None:
            library.call("rms_norm_backward_weight", grads, rows, r, dweight, *rows.shape)
        return dx.view(x.shape) if dx is not None else None, dweight, None
