"""Noise on the embeddings while training (NEFTune, arXiv 2310.05914): each text comes a little otherwise every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel


@contextmanager
def noisy(model: PreTrainedModel, alpha: float | None) -> Iterator[None]:
    """Noise of size `alpha` inside, where there is one; only while the embedding trains, so never in evaluations."""
    handle = add_noise(model, alpha) if alpha is not None else None
    try:
        yield
    finally:
        if handle is not None:
            remove_noise(handle)


def add_noise(model: PreTrainedModel, alpha: float) -> RemovableHandle:
    """Let the embeddings of a row (length L, width d) be moved evenly by at most alpha / sqrt(L · d) in every number.

    The noise comes from torch's generator of the device, whose state a checkpoint keeps.
    """

    def moved(embedding: nn.Module, _given: object, vectors: Tensor) -> Tensor | None:
        if not embedding.training:
            return None
        most = alpha / (vectors.shape[-2] * vectors.shape[-1]) ** 0.5
        return vectors + torch.empty_like(vectors).uniform_(-most, most)

    embedding: nn.Module = model.get_input_embeddings()
    return embedding.register_forward_hook(moved)


def remove_noise(handle: RemovableHandle) -> None:
    """The inverse of `add_noise`."""
    handle.remove()
