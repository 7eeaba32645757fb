"""How fast this machine multiplies matrices of the sizes that a base has, in each number format."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from quire.model.kernels import products, whole_numbers
from quire.model.kernels.blocks import release
from quire.model.kernels.native import native
from quire.model.kernels.whole_numbers import rounded
from quire.model.machine import DTYPES
from quire.planner.shape import BaseShape

Format = Literal["fp32", "bf16", "fp16", "int8"]
SECONDS = 0.4  # of a format's round, but for two passes over all sizes, however long they take


class Rates:
    """Operations a second of the products that a layer's matrices (outputs, inputs) take part in for a row of `window`
    tokens: forward, and for the gradient of what went in; by torch or by our own kernels, whichever is quicker.  int8
    is a product of bytes, without the rounding of rows that training needs before it: `torch._int_mm`, or ours.

    Each `measure` is a round; `medians` are over all of them.  Between rounds nothing is held.
    """

    def __init__(self, shape: BaseShape, window: int, formats: Sequence[Format], device: str) -> None:
        self.sizes = Counter((linear.outputs, linear.inputs) for linear in shape.linears)
        self.window, self.formats, self.device = window, tuple(dict.fromkeys(formats)), device
        self.found: dict[str, list[float]] = {name: [] for name in self.formats}

    def measure(self) -> None:
        """One round of every format."""
        for name in self.formats:
            seconds = sum(count * self._seconds(size, name) for size, count in self.sizes.items())
            self.found[name].append(self.operations / seconds)
        release()

    @property
    def operations(self) -> int:
        """Of a row, in one layer, both ways."""
        return sum(4 * self.window * outputs * inputs * count for (outputs, inputs), count in self.sizes.items())

    def medians(self) -> dict[str, float]:
        """The rate of every format; there must have been a round."""
        return {name: statistics.median(rates) for name, rates in self.found.items()}

    def _seconds(self, size: tuple[int, int], name: Format) -> float:
        """Of both products with a matrix of this size, by the quicker of the ways."""
        ways = self._ways(size, name)
        return min(self._median(both, SECONDS / len(self.sizes) / len(ways)) for both in ways)

    def _median(self, both: Callable[[], object], seconds: float) -> float:
        """Of a few after a first."""
        found: list[float] = []
        until = time.perf_counter() + seconds
        while len(found) < 2 or time.perf_counter() < until:
            self._wait()
            started = time.perf_counter()
            both()
            self._wait()
            found.append(time.perf_counter() - started)
        return statistics.median(found[1:])

    def _ways(self, size: tuple[int, int], name: Format) -> list[Callable[[], tuple[Tensor, Tensor]]]:
        """Both products, by torch and, where they are others, by our kernels."""
        outputs, inputs = size
        weight, x, gradient = (self._numbers(*of, name) for of in (size, (self.window, inputs), (self.window, outputs)))
        multiply = torch._int_mm if name == "int8" else torch.matmul
        by_torch = [lambda: (multiply(x, weight.t()), multiply(gradient, weight))]
        if self.device != "cpu" or native() is None or name not in ("bf16", "int8"):
            return by_torch
        if name == "bf16":
            return [*by_torch, lambda: (products.product(x, weight), products.product_back(gradient, weight))]
        scale, rows, back = torch.ones(outputs), rounded(x.bfloat16()), rounded(gradient.bfloat16())
        return [
            *by_torch,
            lambda: (whole_numbers.product(rows, weight, scale), whole_numbers.product_back(back, weight)),
        ]

    def _numbers(self, rows: int, columns: int, name: Format) -> Tensor:
        """As a trained base has them; products of zeros or ones draw less power on some hardware."""
        if name == "int8":
            return torch.randint(-127, 128, (rows, columns), dtype=torch.int8, device=self.device)
        return torch.randn(rows, columns, dtype=DTYPES[name], device=self.device)

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()
