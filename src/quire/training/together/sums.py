"""The gradient of a step, summed over its micro-batches and over all processes so that their order leaves no trace.

What is added in float32 depends on the order in its last bit.  In float32 that stays there; in bf16 a weight that falls
on the other side of a rounding changes the next step's loss by some 1e-4 (measured: 2.2e-4 after 30 steps), and runs
of one and of two processes drift apart.  float64 has 29 bits more than a gradient's float32: the sum of a step's few
micro-batches is exact, but where they differ by more than that in size, and rounds once, in the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from quire.planner.memory import sums_exactly
from quire.training.together.ranks import Ranks


class GradientSum:
    """The sum of what `take` finds in the parameters' gradients, given back to them by `give`, dropped by `clear`.

    Where more learns than `planner.memory.EXACT_SUMS` says the gradients stay in the parameters and in their own number
    format, as eight bytes a weight would be too much.  The totals' memory is kept from step to step: to ask for it anew
    takes three times as long as the adding.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.exact = sums_exactly(sum(parameter.numel() for parameter in parameters))
        self._totals: dict[int, Tensor] = {}
        self._reached: set[int] = set()

    def take(self) -> None:
        """Add the gradients of one micro-batch, and free them."""
        if not self.exact:
            return
        for index, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                self._total(index).add_(parameter.grad)
                self._reached.add(index)
                parameter.grad = None

    def give(self, ranks: Ranks) -> None:
        """Leave the sum over all micro-batches of all processes in the parameters' gradients.

        One that no micro-batch has reached has none, so that the optimiser leaves it be.
        """
        if not self.exact:
            ranks.sum_gradients(self.parameters)
            return
        reached = ranks.anywhere([index in self._reached for index in range(len(self.parameters))])
        self._reached = {index for index, found in enumerate(reached) if found}
        ranks.sum_tensors([self._total(index) for index in sorted(self._reached)])
        for index in self._reached:
            self.parameters[index].grad = self._totals[index].to(self.parameters[index].dtype)
        self.clear()

    def clear(self) -> None:
        """Begin again: nothing of what was taken counts."""
        for index in self._reached:
            self._totals[index].zero_()
        self._reached.clear()

    def _total(self, index: int) -> Tensor:
        if index not in self._totals:
            self._totals[index] = torch.zeros_like(self.parameters[index], dtype=torch.float64)
        return self._totals[index]
