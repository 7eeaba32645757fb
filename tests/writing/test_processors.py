from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig, PreTrainedModel

from quire.recipe.schema import WriteSettings
from quire.writing.processors import choose, make_processors

VOCABULARY = 384


@pytest.mark.parametrize(
    "given_settings",
    [
        {"temperature": 0.7, "top_k": 5, "top_p": 1.0, "repetition_penalty": 1.0},
        {"temperature": 1.0, "top_k": 0, "top_p": 0.6, "repetition_penalty": 1.0},
        {"temperature": 1.3, "top_k": 0, "top_p": 1.0, "min_p": 0.2, "repetition_penalty": 1.0},
        {
            "temperature": 0.8,
            "top_k": 40,
            "top_p": 0.9,
            "min_p": 0.05,
            "repetition_penalty": 1.3,
            "no_repeat_ngram_size": 2,
        },
    ],
)
def test_the_distribution_is_the_one_transformers_samples_from(
    tiny_model: PreTrainedModel, given_settings: dict[str, float]
) -> None:
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn((1, VOCABULARY), generator=generator) * 3
    ids = torch.randint(0, VOCABULARY, (1, 50), generator=generator)
    config = GenerationConfig(do_sample=True, **given_settings)
    theirs = tiny_model._get_logits_processor(config, input_ids_seq_length=50, device="cpu")
    ours = make_processors(WriteSettings(**given_settings))
    torch.testing.assert_close(ours(ids, scores.clone()), theirs(ids, scores.clone()), rtol=0, atol=0)


def test_at_temperature_0_nothing_that_shapes_the_draw_is_asked() -> None:
    assert list(make_processors(WriteSettings(temperature=0, top_k=3, top_p=0.5, repetition_penalty=1))) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(0, 10_000))
def test_only_what_top_k_leaves_is_drawn(top_k: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn((1, 60), generator=generator)
    processors = make_processors(WriteSettings(top_k=top_k, top_p=1, temperature=1, repetition_penalty=1))
    token = choose(processors(torch.zeros((1, 1), dtype=torch.long), scores), generator)
    assert token in scores[0].topk(top_k).indices.tolist()


def test_draws_follow_the_probabilities() -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.tensor([[0.5, 0.3, 0.2]]).log()
    drawn = [choose(scores, generator) for _ in range(4000)]
    for token, chance in enumerate((0.5, 0.3, 0.2)):
        assert drawn.count(token) / 4000 == pytest.approx(chance, abs=0.03)


def test_without_a_generator_the_likeliest_is_taken() -> None:
    assert choose(torch.tensor([[0.1, 2.0, -1.0]]), None) == 1


def test_none_is_left_where_all_are_forbidden() -> None:
    assert choose(torch.full((1, 5), -math.inf), torch.Generator()) is None
