"""Paired bootstrap: how much a number would move if other chapters had been held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
SEED = 20_261_107  # fixed, so that judging the same run twice gives the same interval
_BOUNDS = (2.5, 97.5)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % interval; without one where there are fewer than two units to resample."""

    value: float
    low: float | None
    high: float | None


class Resampled:
    """Units (n, k), k additive measures of each, drawn n at a time with replacement, always in the same way.

    A statistic is a function of the measures' sums (…, k), such as one sum over another (ratio of sums), so that long
    units weigh more.  All statistics see the same draws: what is compared is compared in pairs.
    """

    def __init__(self, units: Array) -> None:
        self.count = len(units)
        self.sums: Array = units.sum(axis=0)
        drawn = np.random.default_rng(SEED).multinomial(self.count, np.full(self.count, 1 / self.count), RESAMPLES)
        self.draws: Array = drawn @ units

    def estimate(self, statistic: Callable[[Array], Array]) -> Estimate:
        """The statistic of all units, with the percentile interval over the draws."""
        value = float(statistic(self.sums))
        if self.count < 2:
            return Estimate(value, None, None)
        low, high = np.percentile(statistic(self.draws), _BOUNDS)
        return Estimate(value, float(low), float(high))
