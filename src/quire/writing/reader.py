"""What the model has in view while it writes: its key-value cache, and what happens when the view is full."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from quire.model.base import window_limit

KEPT = 0.75


class Reader:
    """Feeds tokens to the model and keeps its cache.

    When the model has no position left, the oldest quarter of its view is let go: the newest three quarters are read
    again (after the start token, where the base has one), and the writing goes on as if the text had begun there.  A
    prompt that is longer than the view is shortened in the same way.
    """

    def __init__(self, model: PreTrainedModel, start: int | None) -> None:
        self.model = model
        self.start = [] if start is None else [start]
        self.limit = positions_of(model)
        self.text: list[int] = []
        self._cache: Cache | None = None
        self._cached = 0

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read on, and return float32 scores (1, vocabulary) of what comes next."""
        self.text.extend(ids)
        new = list(ids)
        if self._cache is None:
            new = self.start + new
        if self._cached + len(new) > self.limit:
            kept = max(1, int(self.limit * KEPT) - len(self.start))
            new = self.start + self.text[-kept:]
            self._cache, self._cached = None, 0
        out = self.model(
            input_ids=torch.tensor([new], device=self.model.device),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self._cache = out.past_key_values
        self._cached += len(new)
        scores: Tensor = out.logits[:, -1].float()
        return scores


def positions_of(model: PreTrainedModel) -> int:
    """Number of tokens that the model can see at once; without end where its config knows none."""
    return window_limit(model) or sys.maxsize
