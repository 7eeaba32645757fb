"""What the model has in view while it writes: its key-value cache, and what happens when the view is full."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache

from quire.model.base import window_limit
from quire.model.kernels.decode import Texts, decoder_of

KEPT = 0.75
# So many tokens at once are read sooner by the model itself, for torch is at its best with large products.
MANY = 24


@dataclass(frozen=True)
class Place:
    """Where the native kernel keeps what one text has read."""

    texts: Texts
    number: int


class Reader:
    """Feeds tokens to the model and keeps its cache.

    When the model has no position left, the oldest quarter of its view is let go: the newest three quarters are read
    again (after the start token, where the base has one), and the writing goes on as if the text had begun there.  A
    prompt that is longer than the view is shortened in the same way.

    Where the native kernel knows the model it reads all but a long beginning.  Which adapters count, and what the
    norms and biases are, is then as it was when the reader was made.
    """

    def __init__(self, model: PreTrainedModel, start: int | None, place: Place | None = None) -> None:
        if place is None and (decoder := decoder_of(model)) is not None:
            place = Place(Texts(decoder), 0)
        self.model = model
        self.start = [] if start is None else [start]
        self.limit = positions_of(model)
        self.text: list[int] = []
        self.place = place
        self._cache: Cache | None = None
        self._cached = 0

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read on, and return float32 scores (1, vocabulary) of what comes next."""
        self.text.extend(ids)
        new = list(ids)
        if self._cached == 0:
            new = self.start + new
        if self._cached + len(new) > self.limit:
            kept = max(1, int(self.limit * KEPT) - len(self.start))
            new = self.start + self.text[-kept:]
            self._cache, self._cached = None, 0
        begins = self._cached == 0
        self._cached += len(new)
        if self.place is None:
            return self._read_with_model(new)
        texts, number = self.place.texts, self.place.number
        if begins:
            texts.forget(number)
        if not begins or len(new) < MANY:
            return texts.read_on(number, new)
        # Plain layers even where the model knows a sliding window, which then is as wide as the view (`decoder_of`).
        self._cache = DynamicCache()
        scores = self._read_with_model(new)
        texts.take_over(number, self._cache)
        self._cache = None
        return scores

    def follow(self, other: Reader) -> None:
        """Be where `other` is, one of `side_by_side`, without reading its text again."""
        assert self.place is not None
        assert other.place is not None
        self.place.texts.follow(self.place.number, other.place.number)
        self.text, self._cached = [*other.text], other._cached

    def has_room(self) -> bool:
        """Whether one more token can be read without letting go of any."""
        return 0 < self._cached < self.limit

    def note(self, token: int) -> None:
        """That a token was read together with others (`read_each`)."""
        self.text.append(token)
        self._cached += 1

    def _read_with_model(self, new: list[int]) -> Tensor:
        out = self.model(
            input_ids=torch.tensor([new], device=self.model.device),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self._cache = out.past_key_values
        scores: Tensor = out.logits[:, -1].float()
        return scores


def side_by_side(
    model: PreTrainedModel, start: int | None, prompt: Sequence[int], count: int
) -> tuple[list[Reader], Tensor]:
    """Readers of one prompt, to be read on with `read_each`, and the scores (1, vocabulary) of what comes after it."""
    decoder = decoder_of(model)
    if decoder is None:
        readers = [Reader(model, start) for _ in range(count)]
        scores = [reader.read(prompt) for reader in readers]
        return readers, scores[0]
    texts = Texts(decoder, count)
    readers = [Reader(model, start, Place(texts, number)) for number in range(count)]
    first = readers[0].read(prompt)
    for reader in readers[1:]:
        reader.follow(readers[0])
    return readers, first


def read_each(readers: Sequence[Reader], tokens: Sequence[int]) -> Tensor:
    """Read one token in each of several texts of `side_by_side`: float32 scores (texts, vocabulary).

    The scores are those that each reader would give alone, but the weights are read once for all.
    """
    places = [reader.place for reader in readers]
    if not all(reader.has_room() for reader in readers) or None in places:
        return torch.cat([reader.read([token]) for reader, token in zip(readers, tokens, strict=True)])
    there = [place for place in places if place is not None]
    for reader, token in zip(readers, tokens, strict=True):
        reader.note(token)
    return there[0].texts.read([place.number for place in there], tokens)


def positions_of(model: PreTrainedModel) -> int:
    """Number of tokens that the model can see at once; without end where its config knows none."""
    return window_limit(model) or sys.maxsize
