"""Beam search, as transformers does it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel, StoppingCriteria, StoppingCriteriaList

from quire.errors import RecipeError
from quire.recipe.schema import WriteSettings
from quire.tokens.labels import Opening
from quire.tokens.tokenizer import Tokenizer
from quire.writing.pieces import cut_at_stops, decode_pieces
from quire.writing.reader import positions_of


def search_beams(model: PreTrainedModel, tokenizer: Tokenizer, opening: Opening, settings: WriteSettings) -> list[str]:
    """The `num_return_sequences` best of `num_beams` beams, the best first.  A search draws nothing: no seed matters.

    A prompt too long for the model loses its oldest tokens.  Raises RecipeError where `max_new_tokens` alone fills the
    model's view: beams cannot let go of what they have read.
    """
    prompt_ids = opening.ids
    ids = _opening(model, tokenizer, prompt_ids, settings.max_new_tokens)
    stops = StoppingCriteriaList([_StopTexts(tokenizer, prompt_ids, len(ids), settings.stop)] if settings.stop else [])
    device = model.device
    with torch.inference_mode():
        out: Tensor = model.generate(  # type: ignore[operator]
            input_ids=torch.tensor([ids], device=device),
            attention_mask=torch.ones((1, len(ids)), dtype=torch.long, device=device),
            generation_config=_config(settings, sorted(opening.ends), tokenizer.end_of_text),
            stopping_criteria=stops,
        )
    return [_text(row[len(ids) :].tolist(), tokenizer, opening, settings.stop) for row in out]


def _opening(model: PreTrainedModel, tokenizer: Tokenizer, prompt_ids: Sequence[int], room: int) -> list[int]:
    """What the beams read first: the start token and as much of the prompt as leaves `room`."""
    start = [] if tokenizer.start is None else [tokenizer.start]
    left = positions_of(model) - room - len(start)
    if left < 1:
        raise RecipeError(
            f"write.max_new_tokens {room} leaves no room for a prompt: with write.num_beams the model sees "
            f"{positions_of(model)} tokens in all",
            f"set write.max_new_tokens={positions_of(model) // 2}, or write.num_beams=1",
        )
    return start + list(prompt_ids[-left:]) or [tokenizer.end_of_text]


def _config(settings: WriteSettings, ends: list[int], end_of_text: int) -> GenerationConfig:
    """Every key is given, since transformers fills gaps with the base's own defaults; 1.0, 50, 1.0 mean "unused"."""
    return GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=settings.max_new_tokens,
        num_beams=settings.num_beams,
        num_return_sequences=settings.num_return_sequences,
        repetition_penalty=float(settings.repetition_penalty),
        no_repeat_ngram_size=settings.no_repeat_ngram_size,
        do_sample=False,
        temperature=1.0,
        top_k=50,
        top_p=1.0,
        eos_token_id=ends,
        pad_token_id=end_of_text,
        early_stopping=False,
        length_penalty=1.0,
    )


class _StopTexts(StoppingCriteria):
    """Ends a beam whose new text holds one of the stops."""

    def __init__(self, tokenizer: Tokenizer, prompt_ids: Sequence[int], read: int, stops: Sequence[str]) -> None:
        self.tokenizer = tokenizer
        self.prompt_ids = list(prompt_ids)
        self.read = read
        self.stops = stops

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: object) -> Tensor:  # noqa: ARG002
        before = len(self.tokenizer.decode(self.prompt_ids))
        texts = [self.tokenizer.decode(self.prompt_ids + row[self.read :].tolist())[before:] for row in input_ids]
        ended = [any(stop in text for stop in self.stops) for text in texts]
        return torch.tensor(ended, device=input_ids.device)


def _text(ids: list[int], tokenizer: Tokenizer, opening: Opening, stops: Sequence[str]) -> str:
    ended = next((at for at, token in enumerate(ids) if token in opening.ends), len(ids))
    return "".join(cut_at_stops(decode_pieces(ids[:ended], tokenizer, opening.ids), stops))
