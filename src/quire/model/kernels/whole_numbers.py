"""Products of whole numbers: rows rounded to 8 bits, times weights in 8 bits with a scale for every output.

`rounded`, then `product` (forward) or `product_back` (the gradient to the input); what several layers read is rounded
once.  Natively the scales, the bias and the change to bf16 happen where the sums are, in registers; the plain versions
say the same with torch._int_mm, and agree with the native ones bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from quire.model.kernels.blocks import empty
from quire.model.kernels.native import Native, has_tiles, native, rows_of

LEVELS = 127  # of a signed byte; -128 is left out, so that the scale is the same on both sides
_SMALLEST = 1e-30  # a row of zeros has a scale too
_LINE = 64  # bytes that the processor fetches at once
_AT_ONCE = 2**22  # numbers that are rounded, or made of codes, together
_BLOCK = 1024  # rows whose sums the plain version holds at once; with fewer it was slower


@dataclass(frozen=True)
class Rounded:
    """Rows as whole numbers: number [t, i] was `codes[t, i] * scale[t]`."""

    codes: Tensor  # int8 (rows, columns); natively (rows, more), with zeros behind
    scale: Tensor  # float32 (rows)
    sums: Tensor | None  # int32 (rows), of the codes: where they are multiplied natively
    columns: int
    dtype: torch.dtype  # what they were, and what their products become


def rounded(x: Tensor, by: Tensor | None = None) -> Rounded:
    """x (rows, columns), times `by` (columns, float32) where it is given, to 8 bits with a scale for every row."""
    x = rows_of(x)
    rows, columns = x.shape
    library = _library(x)
    if library is None:
        codes, scale = quantise_rows(x if by is None else x * by)
        return Rounded(codes, scale[:, 0], None, columns, x.dtype)
    lines = -(-columns // _LINE)
    stride = (lines + 1 - lines % 2) * _LINE  # an odd number: rows shall not compete for the same places of the cache
    codes = empty((rows, stride), torch.int8)
    scale, sums = torch.empty(rows, dtype=torch.float32), torch.empty(rows, dtype=torch.int32)
    by = None if by is None else by.float().contiguous()
    library.call("quire_quantise_rows", x, by, codes, scale, sums, rows, columns, stride)
    return Rounded(codes, scale, sums, columns, x.dtype)


def product(x: Rounded, codes: Tensor, scale: Tensor, bias: Tensor | None = None, onto: Tensor | None = None) -> Tensor:
    """x (rows, inputs) times weights, int8 `codes` (outputs, inputs) times `scale` (outputs); to (rows, outputs).

    Added to `onto`, in place, where that is given.
    The sum of products is exact: below 130,000 inputs it cannot exceed a 32-bit number.
    """
    return _product(x, codes, scale, None if bias is None else bias.float(), onto, by_terms=False)


def product_back(gradient: Rounded, codes: Tensor, onto: Tensor | None = None) -> Tensor:
    """gradient (rows, outputs) times int8 `codes` (outputs, inputs); to (rows, inputs), or added to `onto`.

    The outputs' scales lie along the sum here, so they go into the gradient before it is rounded.
    """
    return _product(gradient, codes, None, None, onto, by_terms=True)


def _product(
    x: Rounded, codes: Tensor, worth: Tensor | None, bias: Tensor | None, onto: Tensor | None, *, by_terms: bool
) -> Tensor:
    rows, (terms, outputs) = len(x.codes), codes.shape if by_terms else reversed(codes.shape)
    assert codes.dtype == torch.int8
    assert terms == x.columns
    assert onto is None or (onto.shape == (rows, outputs) and onto.dtype == x.dtype and onto.is_contiguous())
    out = onto if onto is not None else _room(x.scale.device, rows, outputs, x.dtype)
    if x.sums is None:
        # By blocks, so that no sums of the whole are ever there.
        for start in range(0, rows, _BLOCK):
            part = slice(start, start + _BLOCK)
            sums = torch._int_mm(x.codes[part], codes if by_terms else codes.t())
            block = sums.float().mul_(x.scale[part, None])
            block = block if worth is None else block.mul_(worth)
            block = block if bias is None else block.add_(bias)
            out[part] = block if onto is None else block.add_(onto[part])
        return out
    library = native()
    assert library is not None
    worth = None if worth is None else worth.float().contiguous()
    arguments = (x.codes, x.scale, x.sums, codes.contiguous(), worth, bias, out)
    shape = (rows, outputs, terms, x.codes.stride(0))
    library.demand("quire_bytes_product", *arguments, *shape, int(by_terms), int(onto is not None))
    return out


def _room(device: torch.device, rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    cpu = device.type == "cpu"
    return empty((rows, columns), dtype) if cpu else torch.empty(rows, columns, dtype=dtype, device=device)


def quantise_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """(codes int8, scale float32 (rows, 1)) of a matrix: the largest number of every row becomes ±127.

    A row with NaN or infinity has such a scale, so that it is not hidden.
    """
    scale = x.abs().amax(dim=1, keepdim=True).float().clamp_min_(_SMALLEST).div_(LEVELS)
    codes = torch.empty_like(x, dtype=torch.int8, memory_format=torch.contiguous_format)
    for part in parts_of(x):  # a table of embeddings in float32 would be larger than all else that is there
        codes[part] = torch.round(x[part].float() / scale[part])
    return codes, scale


def dequantise(codes: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """The numbers that codes stand for."""
    return (codes.float() * scale[:, None]).to(dtype)


def parts_of(x: Tensor) -> Iterator[slice]:
    """The rows of a matrix, some million numbers at a time."""
    each = max(1, _AT_ONCE // max(1, x.shape[1]))
    return (slice(start, start + each) for start in range(0, len(x), each))


def _library(x: Tensor) -> Native | None:
    """The native library where its product is the fastest for x."""
    found = native()
    fits = x.device.type == "cpu" and x.dtype == torch.bfloat16
    return found if fits and found is not None and found.bytes_too and not has_tiles("int8") else None
