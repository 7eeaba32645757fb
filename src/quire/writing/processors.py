"""From the settings to transformers' own logits processors, in transformers' own order."""

from __future__ import annotations

import math

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
        made.append(TopPLogitsWarper(settings.top_p))
    if settings.min_p > 0:
        made.append(MinPLogitsWarper(settings.min_p))
    return made


def choose(scores: Tensor, generator: torch.Generator | None) -> int | None:
    """The next token from processed float32 scores (1, vocabulary): drawn, or without a generator the likeliest.

    None where the processors left no token at all.  The draw happens on the CPU, so that a seed means the same
    everywhere.  Raises VoiceError where the model's scores are no numbers.
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
    chances = scores.softmax(dim=-1).cpu()
    return int(torch.multinomial(chances, num_samples=1, generator=generator).item())
