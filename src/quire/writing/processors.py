"""From the settings to transformers' own logits processors, in transformers' own order."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessorList
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from quire.errors import VoiceError
from quire.recipe.schema import WriteSettings


def make_processors(settings: WriteSettings) -> LogitsProcessorList:
    """Callables (ids (1, n), scores (1, vocabulary)) → scores, to be applied one after the other.

    What looks back at the text comes first (repetition), what shapes the draw follows (temperature, top-k, top-p,
    min-p); the latter have no say at temperature 0, which always takes the likeliest token.
    """
    made = LogitsProcessorList()
    if settings.repetition_penalty != 1:
        made.append(RepetitionPenaltyLogitsProcessor(float(settings.repetition_penalty)))
    if settings.no_repeat_ngram_size > 0:
        made.append(NoRepeatNGramLogitsProcessor(settings.no_repeat_ngram_size))
    if settings.temperature == 0:
        return made
    if settings.temperature != 1:
        made.append(TemperatureLogitsWarper(float(settings.temperature)))
    if settings.top_k > 0:
        made.append(TopKLogitsWarper(settings.top_k))
    if settings.top_p < 1:
        made.append(Nucleus(settings.top_p))
    if settings.min_p > 0:
        made.append(MinPLogitsWarper(settings.min_p))
    return made


class Nucleus(TopPLogitsWarper):
    """transformers' top-p, which sorts the whole vocabulary, without the sorting where a processor would do it.

    Sums are in float64 and go over values that share their first sixteen bits at once; only those among which the cut
    falls are put in order.  Of equals at the cut those with the larger numbers stay, as after a stable sort; torch's is
    none, so that transformers may keep as many others of them.
    """

    def __call__(self, input_ids: torch.LongTensor, scores: Tensor) -> Tensor:
        """scores (1, vocabulary), float32."""
        if scores.device.type != "cpu":
            left: Tensor = super().__call__(input_ids, scores)
            return left
        chances = scores.softmax(dim=-1)[0].numpy()
        if np.isnan(chances[0]):  # as all are where the model's scores are no numbers, or none is left
            return scores
        groups = chances.view(np.int32) >> 16  # numbers above nought are in the order of their bits
        sums = np.bincount(groups, chances).cumsum()
        outside = sums[-1] * (1 - self.top_p)
        cut = min(int(np.searchsorted(sums, outside, side="right")), len(sums) - 1)
        among = np.flatnonzero(groups == cut)
        among = among[np.argsort(chances[among], kind="stable")]
        below = sums[cut - 1] if cut else 0.0
        upwards = below + chances[among].cumsum(dtype=np.float64)
        # The last is not asked: where rounding left nothing inside, it alone is.
        count = int(np.searchsorted(upwards[:-1], outside, side="right"))
        gone = groups < cut
        gone[among[:count]] = True
        return scores.masked_fill(torch.from_numpy(gone), self.filter_value)


def choose(scores: Tensor, generator: torch.Generator | None) -> int | None:
    """The next token from processed float32 scores (1, vocabulary): drawn, or without a generator the likeliest.

    None where the processors left no token at all.  The draw happens on the CPU, so that a seed means the same
    everywhere: one number of 53 bits, looked up among the summed chances.  Raises VoiceError where the model's scores
    are no numbers.
    """
    best = scores.max().item()
    if math.isnan(best):
        raise VoiceError(
            "the model answers with NaN instead of probabilities: its weights are broken",
            "train again with a smaller learning rate, or go back to an earlier checkpoint",
        )
    if best == -math.inf:
        return None
    if generator is None:
        return int(scores.argmax(dim=-1).item())
    sums = scores.softmax(dim=-1).cpu()[0].double().cumsum(dim=0)
    drawn = torch.rand(1, dtype=torch.float64, generator=generator) * sums[-1]
    # The first sum above it: never a token without a chance, whose sum is that of the one before.
    return int(torch.searchsorted(sums, drawn, right=True).item())
