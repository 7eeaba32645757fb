"""Several texts from one prompt, drawn in step: where the native kernel reads, it reads the weights once for all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor
from transformers import PreTrainedModel

from quire.recipe.schema import WriteSettings
from quire.writing.processors import choose, make_processors
from quire.writing.reader import read_each, side_by_side


class Candidates:
    """Each candidate's tokens are those that its seed would draw if it were alone."""

    def __init__(
        self,
        model: PreTrainedModel,
        start: int | None,
        prompt: Sequence[int],
        ends: frozenset[int],
        settings: WriteSettings,
        seeds: Sequence[int],
    ) -> None:
        self.ends = ends
        self._processors = make_processors(settings)
        draws = settings.temperature > 0
        self._generators = [torch.Generator().manual_seed(seed) if draws else None for seed in seeds]
        with torch.inference_mode():
            self._readers, first = side_by_side(model, start, prompt, len(seeds))
        self._first: Tensor | None = first
        self._waiting: list[deque[int]] = [deque() for _ in seeds]
        self._last = [-1] * len(seeds)
        self._left = [settings.max_new_tokens] * len(seeds)

    def tokens(self, number: int) -> Iterator[int]:
        """Token ids of one candidate up to, and without, what ends them; the others are drawn along with it."""
        waiting = self._waiting[number]
        while waiting or self._left[number] > 0:
            if not waiting:
                self._draw()
            if waiting:
                yield waiting.popleft()

    def leave(self, number: int) -> None:
        """Draw no more for this one."""
        self._left[number] = 0

    def _draw(self) -> None:
        """One more token for each candidate that has not ended."""
        open_ones = [number for number, left in enumerate(self._left) if left > 0]
        with torch.inference_mode():
            if self._first is not None:
                scores, self._first = self._first.expand(len(open_ones), -1), None
            else:
                scores = read_each([self._readers[n] for n in open_ones], [self._last[n] for n in open_ones])
            for number, row in zip(open_ones, scores, strict=True):
                self._take(number, row[None].clone())

    def _take(self, number: int, scores: Tensor) -> None:
        reader = self._readers[number]
        seen = torch.tensor([reader.start + reader.text], device=scores.device)
        processed = self._processors(cast("torch.LongTensor", seen), cast("torch.FloatTensor", scores))
        token = choose(processed, self._generators[number])
        if token is None or token in self.ends:
            self._left[number] = 0
            return
        self._last[number] = token
        self._waiting[number].append(token)
        self._left[number] -= 1


def in_step(candidates: Candidates, count: int, text_of: Callable[[Iterator[int]], Iterable[str]]) -> list[str]:
    """The whole texts that `text_of` makes of each candidate's tokens, piece by piece in turns: none runs ahead of
    another by more than a piece, so little is drawn behind the end of a text that a stop cuts."""
    pieces = {number: iter(text_of(candidates.tokens(number))) for number in range(count)}
    texts = [""] * count
    while pieces:
        for number, own in list(pieces.items()):
            piece = next(own, None)
            if piece is None:
                candidates.leave(number)
                del pieces[number]
            else:
                texts[number] += piece
    return texts
