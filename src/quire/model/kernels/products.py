"""Products in bf16 with weights that do not change: forward and for the gradient to the input.

`product` and `product_back` know nothing of autograd.  Natively (source/products.c) sums are float32 and are rounded
once, also with a bias and with what the product is added to; with 1,024 rows and weights that come from memory they
reach more of what the processor can do than torch.mm.  The plain versions say the same with torch, which may round once
more where two things are added.
"""

from __future__ import annotations

import torch
from torch import Tensor

from quire.model.kernels.blocks import empty
from quire.model.kernels.native import Native, has_tiles, native
from quire.model.kernels.whole_numbers import dequantise, parts_of

_FEWEST = 4  # rows; with fewer, weights are better multiplied as they come from memory than brought into order


def product(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    onto: Tensor | None = None,
    out: Tensor | None = None,
    scale: Tensor | None = None,
) -> Tensor:
    """x (rows, inputs) times weight (outputs, inputs), plus bias (outputs) and onto (rows, outputs) where given.

    With `scale` (outputs) the weights are whole numbers in 8 bits, each row of them worth so much.  The result (rows,
    outputs) is written to `out` where that is given; it may be `onto` itself.
    """
    out = _room(x, weight.shape[0]) if out is None else out
    library = _library(x, weight, bias, onto, out, scale)
    if library is not None:
        _call(library, x, weight, bias, onto, out, scale, by_terms=False)
    elif scale is None:
        plain_product(x, weight, bias, onto, out)
    else:
        for part in parts_of(weight):
            some = tuple(None if given is None else given[..., part] for given in (bias, onto))
            out[:, part] = product(x, dequantise(weight[part], scale[part], x.dtype), *some)
    return out


def product_back(
    gradient: Tensor,
    weight: Tensor,
    onto: Tensor | None = None,
    out: Tensor | None = None,
    scale: Tensor | None = None,
) -> Tensor:
    """gradient (rows, outputs) times weight (outputs, inputs), plus onto (rows, inputs) where it is given.

    `scale` and `out` as above.
    """
    out = _room(gradient, weight.shape[1]) if out is None else out
    library = _library(gradient, weight, None, onto, out, scale)
    if library is not None:
        _call(library, gradient, weight, None, onto, out, scale, by_terms=True)
    elif scale is None:
        plain_product_back(gradient, weight, onto, out)
    else:
        total = torch.zeros_like(out, dtype=torch.float32) if onto is None else onto.float()
        for part in parts_of(weight):
            total += product_back(gradient[:, part], dequantise(weight[part], scale[part], gradient.dtype))
        out.copy_(total)
    return out


def add_product(total: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """total (rows, outputs), float32 without gaps, plus x (rows, terms) times weight (terms, outputs), in its place.

    Natively nothing is rounded to bf16 on the way; with torch the product is before it is added.
    """
    library = _library(x, weight, None, None, None, None) if total.device.type == "cpu" else None
    if library is None:
        return total.add_(x @ weight)
    assert total.dtype == torch.float32
    assert total.is_contiguous()
    (rows, terms), outputs = x.shape, weight.shape[1]
    assert weight.shape == (terms, outputs)
    assert total.shape == (rows, outputs)
    x, weight = _by_rows(x), _by_rows(weight)
    library.demand("quire_product_added", x, weight, total, rows, outputs, terms, x.stride(0), weight.stride(0))
    return total


def plain_product(x: Tensor, weight: Tensor, bias: Tensor | None, onto: Tensor | None, out: Tensor) -> Tensor:
    """`product` with torch alone."""
    if onto is None:
        return torch.mm(x, weight.t(), out=out) if bias is None else torch.addmm(bias, x, weight.t(), out=out)
    torch.addmm(onto, x, weight.t(), out=out)
    return out if bias is None else out.add_(bias)


def plain_product_back(gradient: Tensor, weight: Tensor, onto: Tensor | None, out: Tensor) -> Tensor:
    """`product_back` with torch alone."""
    return torch.mm(gradient, weight, out=out) if onto is None else torch.addmm(onto, gradient, weight, out=out)


def _call(
    library: Native,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    onto: Tensor | None,
    out: Tensor,
    scale: Tensor | None,
    *,
    by_terms: bool,
) -> None:
    rows, terms = x.shape
    outputs = out.shape[1]
    assert weight.shape == ((terms, outputs) if by_terms else (outputs, terms))
    assert out.shape == (rows, outputs)
    assert onto is None or onto.shape == out.shape
    assert bias is None or bias.shape == (outputs,)
    # Kept under names until the call is over: some of them may be copies.
    x, weight = _by_rows(x), _by_rows(weight)
    scale = None if scale is None else scale.float().contiguous()
    assert scale is None or len(scale) == len(weight)
    bias = None if bias is None else bias.contiguous()
    onto = None if onto is None else _by_rows(onto)
    given = (x, weight, bias, onto)
    assert not (torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in given))
    strides = (x.stride(0), weight.stride(0), 0 if onto is None else onto.stride(0), out.stride(0))
    library.demand("quire_product", x, weight, scale, bias, onto, out, rows, outputs, terms, *strides, int(by_terms))


def _room(x: Tensor, columns: int) -> Tensor:
    return empty((len(x), columns), x.dtype) if x.device.type == "cpu" else x.new_empty(len(x), columns)


def _by_rows(x: Tensor) -> Tensor:
    """A matrix in whose rows the numbers lie side by side; a copy only where they do not."""
    return x if x.stride(1) == 1 else x.contiguous()


def _library(
    x: Tensor, weight: Tensor, bias: Tensor | None, onto: Tensor | None, out: Tensor | None, scale: Tensor | None
) -> Native | None:
    """The native library where its product fits and is the faster one."""
    found = native()
    few = len(x) < _FEWEST and scale is None
    if found is None or has_tiles("bf16") or few or 0 in (*x.shape, *weight.shape):
        return None
    given = [tensor for tensor in (x, None if scale is not None else weight, bias, onto, out) if tensor is not None]
    fits = all(tensor.dtype == torch.bfloat16 and tensor.device.type == "cpu" for tensor in given)
    return found if fits and (out is None or out.stride(1) == 1) else None
