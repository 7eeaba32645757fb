"""Muon, for a model that learns from nothing or as a whole: the step of a matrix is its momentum with all singular
values made alike, so that rare directions are learned as quickly as common ones.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the size of a step and the decay as in
Liu et al. 2025 (arXiv 2502.16982), so that learning rates are those of AdamW.  Embeddings, head, norms and biases have
no such directions and are changed by AdamW.  Weights in bf16 keep their lower half beside the momentum, as in `lean`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from quire.training.optimizers.lean import LeanAdamW, put_weight, weight_of

MOMENTUM = 0.95
# An odd polynomial that draws singular values of (0, 1] to about 1 when it is applied a few times: the steepest at zero
# of those that do not diverge, and therefore only near 1 (Jordan et al. 2024).
ROUNDS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
# A step's root mean square: what AdamW's is in practice (Liu et al. 2025, section 2.2).
USUAL_SIZE = 0.2


class Muon(LeanAdamW):
    """Groups with `matrices` true are changed by Muon, the others by AdamW with whole moments."""

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, betas: tuple[float, float]):
        super().__init__(groups, lr, betas, whole_moments=True)
        self._matrices = {id(p) for group in self.param_groups if group["matrices"] for p in group["params"]}

    def begin(self, parameter: nn.Parameter, memory: dict[str, Tensor]) -> None:
        if id(parameter) in self._matrices:
            memory["momentum"] = torch.zeros_like(parameter, dtype=torch.float32)
        else:
            super().begin(parameter, memory)

    def change(self, parameter: nn.Parameter, memory: dict[str, Tensor], group: dict[str, Any]) -> None:
        if id(parameter) not in self._matrices:
            super().change(parameter, memory, group)
            return
        assert parameter.grad is not None
        gradient, momentum = parameter.grad.float(), memory["momentum"]
        momentum.lerp_(gradient, 1 - MOMENTUM)
        step = alike(gradient.lerp(momentum, MOMENTUM)).view(-1)
        every = slice(0, parameter.numel())  # a matrix is turned as a whole: there is nothing to save by slices
        weight = weight_of(parameter, memory, every).mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(step, alpha=-group["lr"] * USUAL_SIZE * max(parameter.shape) ** 0.5)
        put_weight(parameter, memory, every, weight)


def alike(matrix: Tensor) -> Tensor:
    """(rows, columns), float32, to about U V* of its singular value decomposition U S V*: all values from 0.7 to 1.2.

    The norm is summed in float64, so that its last bits do not depend on the number of threads.  Multiplied in bf16,
    whose errors are smaller than what the polynomial leaves.  Zeros stay zeros.
    """
    a, b, c = COEFFICIENTS
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    x = (wide / (torch.linalg.vector_norm(wide, dtype=torch.float64).float() + 1e-7)).bfloat16()
    for _ in range(ROUNDS):
        squares = x @ x.mT
        x = torch.addmm(x, torch.addmm(squares, squares, squares, beta=b, alpha=c), x, beta=a)
    made: Tensor = (x if wide is matrix else x.mT).contiguous().float()
    return made
