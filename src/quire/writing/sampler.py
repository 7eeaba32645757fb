"""The one sampler: every door of Quire writes through `stream_text` or `write_texts`.

The loop is our own so that text streams, stops and resumes nothing of the global state: draws come from a generator of
their own, so a sample written while training changes nothing about the training.  Beams are transformers' own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import cast

import torch
from transformers import PreTrainedModel

from quire.errors import RecipeError
from quire.model.mode import evaluating
from quire.prompts.conversation import asked_in
from quire.recipe.schema import WriteSettings
from quire.tokens.labels import Opening, opening_of
from quire.tokens.tokenizer import Tokenizer
from quire.writing.beams import search_beams
from quire.writing.candidates import Candidates, in_step
from quire.writing.pieces import cut_at_stops, decode_pieces, without_lead
from quire.writing.processors import choose, make_processors
from quire.writing.reader import Reader

DRAWING = ("temperature", "top_k", "top_p", "min_p")


def stream_text(
    model: PreTrainedModel, tokenizer: Tokenizer, prompt: str, settings: WriteSettings, seed: int
) -> Iterator[str]:
    """One continuation of `prompt`, piece by piece; the prompt itself is not repeated.

    The same model, prompt, settings and seed give the same text.  An empty prompt starts from the base's start token,
    or from end-of-text.  The text ends at an end-of-text token, before a stop text, or after `max_new_tokens`.  Where
    the model's view is full the oldest quarter is let go (`Reader`).  Beams come in one piece, since they are only
    known at the end; `num_return_sequences` is `write_texts`' matter.

    A prompt that shows a conversation (`prompts.conversation.shown`: `[user] Who is there?`) is asked in the shape that
    the base was trained with, and what comes is the answer, up to the end of its turn.
    """
    check_settings(settings.model_copy(update={"num_return_sequences": 1}))
    opening = opening_of(prompt, tokenizer)
    settings = _stopped(settings, opening)
    with evaluating(model):
        if settings.num_beams > 1:
            pieces: Iterator[str] = iter(search_beams(model, tokenizer, opening, settings)[:1])
        else:
            tokens = _draw(model, tokenizer, opening, settings, seed)
            pieces = cut_at_stops(decode_pieces(tokens, tokenizer, opening.ids), settings.stop)
        # In some shapes the space before its first word is part of an answer.
        yield from without_lead(pieces) if opening.answers else pieces


def write_texts(
    model: PreTrainedModel, tokenizer: Tokenizer, prompt: str, settings: WriteSettings, seed: int
) -> list[str]:
    """All `num_return_sequences` continuations.  The first is what `stream_text` gives for the same seed."""
    check_settings(settings)
    if settings.num_beams > 1:
        with evaluating(model):
            opening = opening_of(prompt, tokenizer)
            found = search_beams(model, tokenizer, opening, _stopped(settings, opening))
            return [text.lstrip() for text in found] if opening.answers else found
    if settings.num_return_sequences == 1:
        return ["".join(stream_text(model, tokenizer, prompt, settings, seed))]
    opening = opening_of(prompt, tokenizer)
    stops = _stopped(settings, opening).stop
    seeds = [candidate_seed(seed, number) for number in range(settings.num_return_sequences)]
    with evaluating(model):
        drawn = Candidates(model, tokenizer.start, _begin(opening, tokenizer), opening.ends, settings, seeds)
        texts = in_step(drawn, len(seeds), lambda ids: cut_at_stops(decode_pieces(ids, tokenizer, opening.ids), stops))
    return ["".join(without_lead([text])) for text in texts] if opening.answers else texts


def _begin(opening: Opening, tokenizer: Tokenizer) -> list[int]:
    """What is read first: without a prompt, and without a start token, the end of another text."""
    return opening.ids if opening.ids or tokenizer.start is not None else [tokenizer.end_of_text]


def candidate_seed(seed: int, number: int) -> int:
    """The seed of candidate `number`: the given one for the first, a hash of both for the others."""
    if number == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:7], "big")


def check_settings(settings: WriteSettings) -> None:
    """RecipeError for settings that could not be obeyed as they stand."""
    if "" in settings.stop:
        raise RecipeError("write.stop holds an empty text, which would end every text at once", "leave it out")
    asked_in(settings.prompt)
    if settings.num_beams == 1 and settings.temperature == 0 and settings.num_return_sequences > 1:
        raise RecipeError(
            f"write.num_return_sequences {settings.num_return_sequences}: at write.temperature 0 all would be the same",
            "set write.temperature=0.8, or write.num_beams for several different ones",
        )
    if settings.num_beams > 1:
        values = {key: settings.model_dump()[key] for key in DRAWING}
        usual = {key: WriteSettings.model_fields[key].default for key in DRAWING}
        # Temperature 0 says what beams do anyway; a default is nobody's wish.
        refused = [key for key in DRAWING if values[key] != usual[key] and (key, values[key]) != ("temperature", 0)]
        if refused:
            named = ", ".join(f"write.{key} {values[key]:g}" for key in refused)
            raise RecipeError(
                f"write.num_beams {settings.num_beams} searches and draws nothing, so it cannot honour {named}",
                "set write.num_beams=1 to draw, or leave " + ", ".join(refused) + " out to search",
            )


def _stopped(settings: WriteSettings, opening: Opening) -> WriteSettings:
    """The settings with the texts that end an answer in the base's shape."""
    return settings.model_copy(update={"stop": [*settings.stop, *opening.stops]}) if opening.stops else settings


def _draw(
    model: PreTrainedModel, tokenizer: Tokenizer, opening: Opening, settings: WriteSettings, seed: int
) -> Iterator[int]:
    """Token ids up to, and without, what ends them."""
    generator = torch.Generator().manual_seed(seed) if settings.temperature > 0 else None
    processors = make_processors(settings)
    reader = Reader(model, tokenizer.start)
    new = _begin(opening, tokenizer)
    for _ in range(settings.max_new_tokens):
        # Not around the loop: a generator that pauses inside would leave its caller in inference mode.
        with torch.inference_mode():
            scores = reader.read(new)
            seen = torch.tensor([reader.start + reader.text], device=scores.device)
            token = choose(processors(cast("torch.LongTensor", seen), cast("torch.FloatTensor", scores)), generator)
        if token is None or token in opening.ends:
            return
        yield token
        new = [token]
