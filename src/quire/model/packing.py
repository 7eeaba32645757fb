"""Whether a model keeps the segments of a packed row apart, found out by trying; and the forward pass on such rows.

transformers keeps packed texts apart when positions restart and no attention mask is given, but not for every family
(GPT-Neo's local attention knows nothing of it), and silently lets one text see another where it does not.  So each
loaded model is asked once: two short texts, packed and by themselves, must give the same logits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from quire.model.mode import evaluating

TOLERANCE = 1e-2  # of the logits' spread: packed and separate sums round differently, a leak moves them far more


@torch.no_grad()
def packs_exactly(model: PreTrainedModel) -> bool:
    """True if a packed row gives each segment the logits it has alone."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = int(model.config.vocab_size)
    texts = [torch.randint(vocabulary, (1, length), generator=generator).to(model.device) for length in (9, 13)]
    positions = torch.cat([torch.arange(t.shape[1]) for t in texts])[None].to(model.device)
    with evaluating(model):
        packed = model(input_ids=torch.cat(texts, 1), position_ids=positions, use_cache=False).logits.float()
        alone = torch.cat([model(input_ids=t, use_cache=False).logits.float() for t in texts], 1)
    return bool((packed - alone).abs().max() <= TOLERANCE * alone.std())


def logits_of(
    model: PreTrainedModel, inputs: Tensor, positions: Tensor, segments: Sequence[int], packed: bool
) -> Tensor:
    """Logits (1 or rows, length, vocabulary) of one packed row (1, length) or of a stack of one-segment rows.

    Where the model cannot pack, each segment is computed by itself and the results are joined.
    """
    if len(segments) == 1:
        return model(input_ids=inputs, use_cache=False).logits  # type: ignore[no-any-return]
    if packed:
        return model(input_ids=inputs, position_ids=positions, use_cache=False).logits  # type: ignore[no-any-return]
    pieces = torch.split(inputs, list(segments), dim=1)
    return torch.cat([model(input_ids=piece, use_cache=False).logits for piece in pieces], dim=1)
