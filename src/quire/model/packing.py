"""Whether a model keeps the segments of a packed row apart, found out by trying; and a pass over such rows.

transformers keeps packed texts apart when positions restart and no attention mask is given, but not for every family,
and silently lets one text see another where it does not.  So each loaded model is asked once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from quire.model.mode import evaluating

# Of the logits' spread.  Packed and separate passes round differently, in 16 bits by some hundredths; wrong positions
# move the logits far more.
TOLERANCE = 0.25


@torch.no_grad()
def packs_exactly(model: PreTrainedModel) -> bool:
    """True if a packed row gives each segment the logits it has alone.

    What a text is packed with must change nothing about it, to the last bit: a weight of zero leaves no trace in any
    number format.  And its logits must be those it has alone, but for rounding.
    """
    generator = torch.Generator().manual_seed(0)
    vocabulary = int(model.config.vocab_size)
    before, other, text = (
        torch.randint(vocabulary, (1, length), generator=generator).to(model.device) for length in (9, 9, 13)
    )
    positions = torch.cat([torch.arange(t.shape[1]) for t in (before, text)])[None].to(model.device)

    def after(first: Tensor) -> Tensor:
        row = torch.cat([first, text], 1)
        logits: Tensor = model(input_ids=row, position_ids=positions, use_cache=False).logits
        return logits[:, first.shape[1] :].float()

    with evaluating(model):
        packed = after(before)
        if not torch.equal(packed, after(other)):
            return False
        alone = model(input_ids=text, use_cache=False).logits.float()
    return bool((packed - alone).abs().max() <= TOLERANCE * alone.std())


def by_works(
    read: Callable[[Tensor, Tensor | None], Tensor],
    inputs: Tensor,
    positions: Tensor,
    segments: Sequence[int],
    packed: bool,
) -> Tensor:
    """What `read` makes of ids and positions, both (rows, length), for one packed row or a stack of one-segment rows:
    (rows, length, numbers).

    Where the model cannot pack, each segment is computed by itself and the results are joined.
    """
    if len(segments) == 1:
        return read(inputs, None)
    if packed:
        return read(inputs, positions)
    return torch.cat([read(piece, None) for piece in torch.split(inputs, list(segments), dim=1)], dim=1)


def logits_of(
    model: PreTrainedModel, inputs: Tensor, positions: Tensor, segments: Sequence[int], packed: bool
) -> Tensor:
    """Logits (1 or rows, length, vocabulary) of one packed row (1, length) or of a stack of one-segment rows."""

    def read(ids: Tensor, places: Tensor | None) -> Tensor:
        return model(input_ids=ids, position_ids=places, use_cache=False).logits  # type: ignore[no-any-return]

    return by_works(read, inputs, positions, segments, packed)
