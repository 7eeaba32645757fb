"""The model's view while it writes: the cache changes nothing, and a full view lets the oldest go."""

from __future__ import annotations

import sys

import pytest
import torch
from transformers import PreTrainedModel

from quire.model.adapters import attach
from quire.model.kernels import decode
from quire.model.kernels.native import native
from quire.recipe.method import Lora
from quire.writing import reader as reading
from quire.writing.reader import Reader, positions_of, read_each, side_by_side
from toy import random_ids


@pytest.fixture(params=["native", "plain"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything here holds with the native kernel and without."""
    if request.param == "native" and native() is None:
        pytest.skip("no native kernels here")
    if request.param == "plain":
        monkeypatch.setattr(decode, "native", lambda: None)
    return str(request.param)


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


@torch.no_grad()
def test_a_known_model_is_read_natively(tiny_model: PreTrainedModel, way: str) -> None:
    assert (Reader(tiny_model, None).place is not None) == (way == "native")


@torch.no_grad()
def test_a_long_beginning_is_read_with_the_model_itself(
    tiny_model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, read = ids(reading.MANY + 20), []
    whole = reading.Reader._read_with_model

    def noted(reader: Reader, new: list[int]) -> torch.Tensor:
        read.append(len(new))
        return whole(reader, new)

    monkeypatch.setattr(reading.Reader, "_read_with_model", noted)
    reader = Reader(tiny_model, None)
    begun = reader.read(text[: reading.MANY])
    assert torch.allclose(begun, scores_of(tiny_model, text[: reading.MANY]), atol=1e-4)
    for token in text[reading.MANY :]:
        scores = reader.read([token])
    assert torch.allclose(scores, scores_of(tiny_model, text), atol=1e-4)
    assert read == ([reading.MANY] if reader.place else [reading.MANY, *[1] * 20])


@torch.no_grad()
def test_a_reader_hears_the_adapter_unless_it_is_off(tiny_model: PreTrainedModel) -> None:
    text = ids(12)
    base = scores_of(tiny_model, text)
    model = attach(tiny_model, Lora(rank=4), seed=1).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    heard = Reader(model, None).read(text)
    assert torch.allclose(heard, scores_of(model, text), atol=1e-4)
    assert not torch.allclose(heard, base, atol=1e-2)
    with model.disable_adapter():
        assert torch.allclose(Reader(model, None).read(text), base, atol=1e-4)
        assert torch.allclose(Reader(model.get_base_model(), None).read(text), base, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("start", [None, 5])
@pytest.mark.parametrize("length", [1, 14, 60])
def test_texts_that_are_written_side_by_side_are_told_what_each_would_be_told_alone(
    tiny_model: PreTrainedModel, start: int | None, length: int
) -> None:
    tiny_model.config.max_position_embeddings = 32
    prompt, ways = ids(length), [ids(40, seed) for seed in (1, 2, 3)]
    alone = [Reader(tiny_model, start) for _ in ways]
    together, first = side_by_side(tiny_model, start, prompt, len(ways))
    assert all(torch.equal(reader.read(prompt), first) for reader in alone)
    for step in range(40):
        left = [number for number in range(3) if number != 1 or step < 7]  # the second ends earlier
        scores = read_each([together[number] for number in left], [ways[number][step] for number in left])
        for number, row in zip(left, scores, strict=True):
            assert torch.equal(alone[number].read([ways[number][step]])[0], row)
    assert [reader.text for reader in together] == [
        reader.text[: length + (40, 7, 40)[n]] for n, reader in enumerate(alone)
    ]


def test_a_model_whose_config_knows_no_end_has_none(tiny_model: PreTrainedModel) -> None:
    assert positions_of(tiny_model) == 256
    tiny_model.config.max_position_embeddings = 0
    assert positions_of(tiny_model) == sys.maxsize
