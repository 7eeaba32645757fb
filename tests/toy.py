"""Rows, settings and batches small enough for tests of the model and of the training loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from quire.recipe.schema import TrainSettings
from quire.tokens.rows import Rows, make_rows
from quire.tokens.stretches import Stretch
from quire.training.compute import Computation

END = 0
FP32 = Computation(packs=True, autocast=None, device="cpu")
APART = Computation(packs=False, autocast=None, device="cpu")


def toy_settings(**changes: object) -> TrainSettings:
    """Short windows, a rate at which tiny models learn visibly, and dropout in the adapter."""
    given = {"window": 32, "learning_rate": 5e-3, "batch": 1, "accumulate": 2, "epochs": 2.0, "precision": "fp32"}
    return TrainSettings.model_validate(given | {"method": {"lora": {"rank": 4, "dropout": 0.1}}} | changes)


def toy_rows(lengths: Sequence[int] = (50, 90, 40), seed: int = 0, vocabulary: int = 384, **changes: object) -> Rows:
    """Works of random tokens, each with its end-of-text token, cut by `toy_settings`."""
    numbers = np.random.default_rng(seed)
    stretches = [
        Stretch(np.append(numbers.integers(1, vocabulary, length), END).astype(np.int32), book, True)
        for book, length in enumerate(lengths)
    ]
    return make_rows(stretches, toy_settings(**changes), None)


def random_ids(length: int, seed: int = 0, vocabulary: int = 384) -> torch.Tensor:
    """Token ids (1, length)."""
    return torch.randint(vocabulary, (1, length), generator=torch.Generator().manual_seed(seed))
