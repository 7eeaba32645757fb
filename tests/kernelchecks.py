"""What the tests of kernels share: numbers, how far two results are apart, and that threads leave no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest
import torch
from torch import Tensor

from quire.model.kernels.native import native, why_not

needs_native = pytest.mark.skipif(native() is None, reason=f"not here: {why_not()}")


def numbers(*shape: int, seed: int = 0) -> Tensor:
    """In bf16, with a spread of 1."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


def distance(found: Tensor, wanted: Tensor) -> float:
    """Relative to the size of all that is wanted; of nothing, the size of what was found."""
    found, wanted = found.detach().double(), wanted.detach().double()
    size = float(wanted.norm())
    return float((found - wanted).norm()) / (size if size > 1e-9 else 1.0)


def threads_leave_no_trace(compute: Callable[[], Iterable[Tensor]]) -> None:
    """What `compute` gives with one thread it gives with two and three, to the last bit."""
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(list(compute()))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


def shows_in_its_row_alone(found: Tensor, row: int) -> None:
    """Nothing in this row of `found` is finite, and all in the others is."""
    finite = torch.isfinite(found)
    assert not finite[row].any()
    assert finite[:row].all()
    assert finite[row + 1 :].all()


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Drawn in float64, with a spread of 1."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def with_gradients(make: Callable[..., Tensor], leaves: Sequence[Tensor], gradient: Tensor) -> list[Tensor]:
    """What `make` makes of copies of the leaves, and the gradient of each."""
    leaves = [x.detach().clone().requires_grad_() for x in leaves]
    out = make(*leaves)
    return [out.detach(), *torch.autograd.grad(out, leaves, gradient.to(out.dtype))]
