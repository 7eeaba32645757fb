"""Optimisers for where memory is short: AdamW with moments in 8 bits, and Adafactor with hardly any.

Weights in bf16 keep what rounding leaves over beside the optimiser's memory (`halves`), so that small steps are not
lost; no library's optimiser of these two does that.  `muon` is built on the same.  Whatever is computed is computed in
float32, on slices of a few million numbers, so that a large matrix is never there a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from quire.training.optimizers.blockwise import BLOCK, compress, expand
from quire.training.optimizers.halves import halve, whole

SLICE = 1 << 22  # numbers worked on at once: 16 MiB in float32; a multiple of a block
SMALL = 4096  # norms and biases keep their moments in float32: nothing is saved there, and much hangs on them

# Adafactor's constants, as its authors have them (Shazeer & Stern 2018, arXiv 1804.04235).
DECAY = 0.8
TINY = 1e-30
LARGEST = 1.0  # an update's root mean square


class LeanOptimizer(Optimizer):
    """What they have in common: the memory made at a parameter's first step, and the weight put together, changed
    and taken apart again, slice by slice."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Change every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                memory = self.state[parameter]
                if not memory:
                    memory["step"] = torch.zeros(())
                    if parameter.dtype == torch.bfloat16:
                        memory["rest"] = torch.zeros_like(parameter, dtype=torch.int16)
                    self.begin(parameter, memory)
                memory["step"] += 1
                self.change(parameter, memory, group)

    def begin(self, parameter: nn.Parameter, memory: dict[str, Tensor]) -> None:
        """Make the memory of a parameter that was never changed."""
        raise NotImplementedError

    def change(self, parameter: nn.Parameter, memory: dict[str, Tensor], group: dict[str, Any]) -> None:
        """One step of one parameter."""
        raise NotImplementedError


class LeanAdamW(LeanOptimizer):
    """AdamW (arXiv 1711.05101) whose two moments take a byte each, or with `whole_moments` four.

    Of the second moment the root is kept: its range is half as wide on a scale of powers, and it is what divides.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        betas: tuple[float, float],
        eps: float = 1e-8,
        whole_moments: bool = False,
    ):
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0})
        self._whole_moments = whole_moments

    def begin(self, parameter: nn.Parameter, memory: dict[str, Tensor]) -> None:
        count, device = parameter.numel(), parameter.device
        for moment in ("mean", "root"):
            if self._whole_moments or count < SMALL:
                memory[moment] = torch.zeros(count, device=device)
            else:
                memory[f"{moment}_codes"], memory[f"{moment}_scales"] = _nothing(count, moment == "mean", device)

    def change(self, parameter: nn.Parameter, memory: dict[str, Tensor], group: dict[str, Any]) -> None:
        first, second = group["betas"]
        step = float(memory["step"])
        rate = group["lr"] / (1 - first**step)
        correction = (1 - second**step) ** 0.5
        assert parameter.grad is not None
        gradients = parameter.grad.reshape(-1)
        for part in _slices(parameter.numel(), SLICE):
            gradient = gradients[part].float()
            mean = _read(memory, "mean", part).lerp_(gradient, 1 - first)
            root = _read(memory, "root", part)
            root = root.square_().mul_(second).addcmul_(gradient, gradient, value=1 - second).sqrt_()
            weight = weight_of(parameter, memory, part).mul_(1 - group["lr"] * group["weight_decay"])
            weight.addcdiv_(mean, (root / correction).add_(group["eps"]), value=-rate)
            put_weight(parameter, memory, part, weight)
            _keep(memory, "mean", part, mean)
            _keep(memory, "root", part, root)


class LeanAdafactor(LeanOptimizer):
    """Adafactor: of a matrix's squared gradients only the means of rows and columns are kept.

    The learning rate is what it is for AdamW, the size of a typical step: neither scaled by the weights' own size nor
    falling by a schedule of its own, for the recipe has one.  No first moment.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float):
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0})

    def begin(self, parameter: nn.Parameter, memory: dict[str, Tensor]) -> None:
        if parameter.dim() < 2:
            memory["square"] = torch.zeros(parameter.numel(), device=parameter.device)
            return
        columns = parameter.shape[-1]
        memory["rows"] = torch.zeros(parameter.numel() // columns, device=parameter.device)
        memory["columns"] = torch.zeros(columns, device=parameter.device)

    def change(self, parameter: nn.Parameter, memory: dict[str, Tensor], group: dict[str, Any]) -> None:
        keep = 1 - float(memory["step"]) ** -DECAY
        assert parameter.grad is not None
        columns = parameter.shape[-1] if parameter.dim() >= 2 else 1
        gradients = parameter.grad.reshape(-1, columns)
        rows = list(_slices(len(gradients), max(1, SLICE // columns)))
        self._remember(gradients, rows, memory, keep)
        squares = sum(
            float(_update(gradients[part].float(), memory, part).square_().sum(dtype=torch.float64)) for part in rows
        )
        size = (squares / parameter.numel()) ** 0.5
        rate = group["lr"] / max(1.0, size / LARGEST)
        for part in rows:
            flat = slice(part.start * columns, part.stop * columns)
            weight = weight_of(parameter, memory, flat).mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(_update(gradients[part].float(), memory, part).view(-1), alpha=-rate)
            put_weight(parameter, memory, flat, weight)

    @staticmethod
    def _remember(gradients: Tensor, rows: list[slice], memory: dict[str, Tensor], keep: float) -> None:
        """Let the means follow the squares of the new gradients."""
        below = torch.zeros(gradients.shape[1], device=gradients.device)
        for part in rows:
            squares = gradients[part].float().square().add_(TINY)
            if "square" in memory:
                memory["square"][part].lerp_(squares[:, 0], 1 - keep)
                continue
            memory["rows"][part].lerp_(squares.mean(dim=1), 1 - keep)
            below += squares.sum(dim=0)
        if "columns" in memory:
            memory["columns"].lerp_(below / len(gradients), 1 - keep)


def _update(gradient: Tensor, memory: dict[str, Tensor], part: slice) -> Tensor:
    """The gradient (rows, columns) of some rows over the root of what its square usually is there."""
    if "square" in memory:
        return gradient * memory["square"][part].rsqrt()[:, None]
    # In float64, as every large sum: how it is cut up, and so its last bits, depends on the number of threads.
    mean = memory["rows"].mean(dtype=torch.float64).float()
    rows = (memory["rows"][part] / mean).rsqrt_()
    return (gradient * rows[:, None]).mul_(memory["columns"].rsqrt())


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def weight_of(parameter: nn.Parameter, memory: dict[str, Tensor], part: slice) -> Tensor:
    """A slice of the weights in float32, to be changed."""
    flat = parameter.data.view(-1)[part]
    return whole(flat, memory["rest"].view(-1)[part]) if "rest" in memory else flat.float()


def put_weight(parameter: nn.Parameter, memory: dict[str, Tensor], part: slice, weight: Tensor) -> None:
    """The inverse of `weight_of`."""
    if "rest" in memory:
        weight, memory["rest"].view(-1)[part] = halve(weight)
    parameter.data.view(-1)[part] = weight


def _nothing(count: int, signed: bool, device: torch.device) -> tuple[Tensor, Tensor]:
    """Compressed zeros."""
    zero, _ = compress(torch.zeros(1, device=device), signed)
    return zero.repeat(count), torch.zeros(-(-count // BLOCK), device=device)


def _read(memory: dict[str, Tensor], moment: str, part: slice) -> Tensor:
    """A slice of a moment in float32, to be changed."""
    if moment in memory:
        return memory[moment][part].clone()
    scales = memory[f"{moment}_scales"][_blocks(part)]
    return expand(memory[f"{moment}_codes"][part], scales, moment == "mean")


def _keep(memory: dict[str, Tensor], moment: str, part: slice, numbers: Tensor) -> None:
    """The inverse of `_read`."""
    if moment in memory:
        memory[moment][part] = numbers
        return
    codes, scales = compress(numbers, moment == "mean")
    memory[f"{moment}_codes"][part] = codes
    memory[f"{moment}_scales"][_blocks(part)] = scales


def _blocks(part: slice) -> slice:
    return slice(part.start // BLOCK, -(-part.stop // BLOCK))
