from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel
from transformers.generation.logits_process import TopPLogitsWarper

from quire.errors import VoiceError
from quire.recipe.schema import WriteSettings
from quire.writing.processors import Nucleus, choose, make_processors

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


def drawn_scores(words: int, spread: float, seed: int, *, rounded: bool) -> Tensor:
    """(1, words); as a bf16 model gives them, with many equals, where `rounded`."""
    scores = torch.randn((1, words), generator=torch.Generator().manual_seed(seed)) * spread
    return scores.bfloat16().float() if rounded else scores


def cut_exactly(scores: Tensor, top_p: float) -> Tensor:
    """Top-p as transformers writes it, with a stable sort and sums in float64."""
    order = scores[0].sort(stable=True).indices
    sums = scores.softmax(dim=-1)[0][order].double().cumsum(0)
    gone = order[:-1][sums[:-1] <= sums[-1] * (1 - top_p)]
    return scores.index_fill(1, gone, -math.inf)


@settings(max_examples=200, deadline=None)
@given(
    words=st.sampled_from([1, 2, 7, 384, 5000]),
    spread=st.sampled_from([0.0, 0.01, 0.3, 3.0, 30.0]),
    top_p=st.one_of(st.floats(1e-12, 1, exclude_max=True), st.sampled_from([1e-12, 0.5, 0.95, 1 - 1e-9])),
    rounded=st.booleans(),
    forbidden=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_the_nucleus_is_what_a_stable_sort_finds(
    words: int, spread: float, top_p: float, rounded: bool, forbidden: bool, seed: int
) -> None:
    scores = drawn_scores(words, spread, seed, rounded=rounded)
    if forbidden:
        scores[0, 1::3] = -math.inf
    before = scores.clone()
    found, wanted = Nucleus(top_p)(torch.zeros((1, 1), dtype=torch.long), scores), cut_exactly(scores, top_p)
    assert torch.equal(scores, before)
    # Two orders of summing may part where a sum meets the limit to the last of 53 bits.
    parted = (found != wanted)[0].nonzero()[:, 0].tolist()
    assert len(parted) <= 1
    if parted:
        chances = before.softmax(dim=-1)[0].double()
        sums = chances[before[0].sort(stable=True).indices].cumsum(0)
        assert float((sums - sums[-1] * (1 - top_p)).abs().min()) < 1e-13
    assert (found > -math.inf).any()


@pytest.mark.parametrize("spread", [0.3, 3.0, 8.0])
@pytest.mark.parametrize("rounded", [False, True])
def test_of_a_large_vocabulary_the_nucleus_keeps_what_transformers_keeps(spread: float, rounded: bool) -> None:
    scores, ids = drawn_scores(49152, spread, 5, rounded=rounded), torch.zeros((1, 1), dtype=torch.long)
    ours, theirs = (warper(ids, scores) for warper in (Nucleus(0.95), TopPLogitsWarper(0.95)))
    if not rounded:
        assert torch.equal(ours, theirs)
    # Which of equals stay is chance where the sort is not stable.
    assert torch.equal(ours.sort().values, theirs.sort().values)


def test_scores_that_are_no_numbers_stay_visible() -> None:
    scores = torch.tensor([[0.5, math.nan, 0.2]])
    processed = make_processors(WriteSettings(repetition_penalty=1))(torch.zeros((1, 1), dtype=torch.long), scores)
    with pytest.raises(VoiceError, match="NaN"):
        choose(processed, torch.Generator())


def test_where_all_are_forbidden_the_nucleus_is_empty() -> None:
    processed = Nucleus(0.5)(torch.zeros((1, 1), dtype=torch.long), torch.full((1, 5), -math.inf))
    assert choose(processed, torch.Generator()) is None


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


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 400), st.floats(0, 10), st.integers(0, 10_000))
def test_a_draw_is_the_word_whose_share_of_the_line_the_number_falls_into(words: int, spread: float, seed: int) -> None:
    """Shares lie end to end, so with even numbers each word is as likely as its share is long."""
    scores = drawn_scores(words, spread, seed, rounded=False)
    scores[0, 1::2] = -math.inf
    chances = scores.softmax(dim=-1)[0].tolist()
    place = torch.rand(1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).item() * math.fsum(
        chances
    )
    token = choose(scores, torch.Generator().manual_seed(seed))
    assert token is not None
    assert chances[token] > 0
    assert math.fsum(chances[:token]) - 1e-12 <= place <= math.fsum(chances[: token + 1]) + 1e-12


def test_without_a_generator_the_likeliest_is_taken() -> None:
    assert choose(torch.tensor([[0.1, 2.0, -1.0]]), None) == 1


def test_none_is_left_where_all_are_forbidden() -> None:
    assert choose(torch.full((1, 5), -math.inf), torch.Generator()) is None
