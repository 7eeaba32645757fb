"""The model's view while it writes: the cache changes nothing, and a full view lets the oldest go."""

from __future__ import annotations

import sys

import pytest
import torch
from transformers import PreTrainedModel

from quire.writing.reader import Reader, positions_of
from toy import random_ids


def scores_of(model: PreTrainedModel, ids: list[int]) -> torch.Tensor:
    """What the model says comes next, computed without a cache."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[:, -1].float()


def ids(length: int, seed: int = 0) -> list[int]:
    return random_ids(length, seed)[0].tolist()


@torch.no_grad()
def test_reading_piece_by_piece_says_what_reading_at_once_says(tiny_model: PreTrainedModel) -> None:
    text = ids(40)
    reader = Reader(tiny_model, None)
    for start in range(0, 40, 10):
        scores = reader.read(text[start : start + 10])
    assert torch.allclose(scores, scores_of(tiny_model, text), atol=1e-4)
    assert reader.text == text


@torch.no_grad()
def test_a_base_with_a_start_token_reads_it_first(tiny_model: PreTrainedModel) -> None:
    text = ids(12)
    reader = Reader(tiny_model, 5)
    first = reader.read(text[:8])
    assert torch.allclose(first, scores_of(tiny_model, [5, *text[:8]]), atol=1e-4)
    assert torch.allclose(reader.read(text[8:]), scores_of(tiny_model, [5, *text]), atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("start", [None, 5])
def test_a_full_view_lets_its_oldest_quarter_go(tiny_model: PreTrainedModel, start: int | None) -> None:
    tiny_model.config.max_position_embeddings = 32
    text = ids(34)
    reader = Reader(tiny_model, start)
    begin = [] if start is None else [start]
    fits = 32 - len(begin)
    reader.read(text[:fits])
    scores = reader.read(text[fits : fits + 1])
    kept = text[: fits + 1][-(24 - len(begin)) :]
    assert torch.allclose(scores, scores_of(tiny_model, begin + kept), atol=1e-4)
    after = reader.read(text[fits + 1 : fits + 2])
    assert torch.allclose(after, scores_of(tiny_model, [*begin, *kept, text[fits + 1]]), atol=1e-4)


@torch.no_grad()
def test_a_prompt_longer_than_the_view_is_read_from_its_end(tiny_model: PreTrainedModel) -> None:
    tiny_model.config.max_position_embeddings = 32
    text = ids(100)
    assert torch.allclose(Reader(tiny_model, None).read(text), scores_of(tiny_model, text[-24:]), atol=1e-4)


def test_a_model_whose_config_knows_no_end_has_none(tiny_model: PreTrainedModel) -> None:
    assert positions_of(tiny_model) == 256
    tiny_model.config.max_position_embeddings = 0
    assert positions_of(tiny_model) == sys.maxsize
