from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from quire.errors import RecipeError, VoiceError
from quire.recipe.schema import WriteSettings
from quire.tokens.labels import opening_of
from quire.tokens.tokenizer import Tokenizer, load_tokenizer
from quire.writing.sampler import candidate_seed, stream_text, write_texts
from tiny import FAMILIES, build_model

PROMPT = "The ferryman opened the door"
GREEDY = WriteSettings(temperature=0, repetition_penalty=1, max_new_tokens=40)
DRAWN = WriteSettings(max_new_tokens=30)


@pytest.fixture(scope="session")
def tokenizer(tiny_base: Path) -> Tokenizer:
    return load_tokenizer(tiny_base)


def generated(model: PreTrainedModel, tokenizer: Tokenizer, prompt: str, **settings: object) -> str:
    """What transformers' own generate writes."""
    ids = torch.tensor([tokenizer.encode(prompt)])
    out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), pad_token_id=0, **settings)
    return tokenizer.decode(out[0, ids.shape[1] :].tolist())


def joined(model: PreTrainedModel, tokenizer: Tokenizer, settings: WriteSettings, seed: int = 1, prompt: str = PROMPT):
    return "".join(stream_text(model, tokenizer, prompt, settings, seed))


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_text_is_that_of_transformers_for_every_family(
    family: str, tokenizer: Tokenizer, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    model = build_model(family, tiny_tokenizer)
    expected = generated(model, tokenizer, PROMPT, do_sample=False, max_new_tokens=40)
    assert joined(model, tokenizer, GREEDY) == expected


def test_penalties_look_at_prompt_and_text_as_transformers_does(
    tiny_model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    settings = GREEDY.model_copy(update={"repetition_penalty": 1.4, "no_repeat_ngram_size": 2})
    expected = generated(
        tiny_model,
        tokenizer,
        PROMPT,
        do_sample=False,
        max_new_tokens=40,
        repetition_penalty=1.4,
        no_repeat_ngram_size=2,
    )
    assert joined(tiny_model, tokenizer, settings) == expected
    assert expected != joined(tiny_model, tokenizer, GREEDY)


def test_the_same_seed_gives_the_same_text_and_another_seed_another(
    tiny_model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    assert joined(tiny_model, tokenizer, DRAWN, seed=5) == joined(tiny_model, tokenizer, DRAWN, seed=5)
    assert joined(tiny_model, tokenizer, DRAWN, seed=5) != joined(tiny_model, tokenizer, DRAWN, seed=6)


@pytest.mark.parametrize("settings", [DRAWN, WriteSettings(num_beams=3, max_new_tokens=8)])
def test_the_global_generator_is_left_alone(
    tiny_model: PreTrainedModel, tokenizer: Tokenizer, settings: WriteSettings
) -> None:
    before = torch.get_rng_state()
    write_texts(tiny_model, tokenizer, PROMPT, settings, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_modules_train_again_afterwards_exactly_where_they_did(
    tiny_model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    tiny_model.train()
    tiny_model.lm_head.eval()
    pieces = stream_text(tiny_model, tokenizer, PROMPT, DRAWN, seed=1)
    next(pieces)
    assert not tiny_model.training
    assert not torch.is_inference_mode_enabled(), "a paused writer must not hold its caller in inference mode"
    pieces.close()
    assert tiny_model.training
    assert tiny_model.model.training
    assert not tiny_model.lm_head.training


def test_an_empty_prompt_starts_from_end_of_text(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    assert tokenizer.start is None
    ids = torch.tensor([[tokenizer.end_of_text]])
    out = tiny_model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40, pad_token_id=0
    )
    assert joined(tiny_model, tokenizer, GREEDY, prompt="") == tokenizer.decode(out[0].tolist())


def test_a_start_token_comes_before_every_prompt(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    start = tokenizer.encode("z")[0]
    with_start = replace(tokenizer, start=start)
    expected = generated(tiny_model, tokenizer, "z" + PROMPT, do_sample=False, max_new_tokens=40)
    assert joined(tiny_model, with_start, GREEDY) == expected


def test_writing_goes_on_when_the_view_is_full(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    """Each token follows from a view of at most 256 tokens: the newest 192, and what came since they were read."""
    settings = GREEDY.model_copy(update={"max_new_tokens": 120})
    ids = tokenizer.encode(PROMPT * 20)[:250]
    prompt = tokenizer.decode(ids)
    assert tokenizer.encode(prompt) == ids
    view, expected = list(ids), []
    for _ in range(120):
        if len(view) > 256:
            view = view[-192:]
        with torch.no_grad():
            expected.append(int(tiny_model(torch.tensor([view])).logits[0, -1].argmax()))
        view.append(expected[-1])
    assert joined(tiny_model, tokenizer, settings, prompt=prompt) == tokenizer.decode(expected)


def test_a_prompt_longer_than_the_view_keeps_its_end(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(PROMPT * 60)
    assert len(ids) > 256
    tail = tokenizer.decode(ids[-192:])
    assert joined(tiny_model, tokenizer, GREEDY, prompt=PROMPT * 60) == joined(
        tiny_model, tokenizer, GREEDY, prompt=tail
    )


def test_writing_ends_at_end_of_text(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    whole = joined(tiny_model, tokenizer, GREEDY)
    fifth = tokenizer.encode(whole)[4]
    ending = replace(tokenizer, start=None, end_of_text=fifth)
    cut = joined(tiny_model, ending, GREEDY)
    assert whole.startswith(cut)
    assert len(tokenizer.encode(cut)) <= 4


def test_a_stop_text_ends_the_writing_and_is_not_shown(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    whole = joined(tiny_model, tokenizer, DRAWN, seed=5)
    stop = whole[9:13]
    text = joined(tiny_model, tokenizer, DRAWN.model_copy(update={"stop": [stop, "never there"]}), seed=5)
    assert text == whole[: whole.index(stop)]


def test_an_empty_stop_text_is_refused(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    with pytest.raises(RecipeError, match=r"write\.stop"):
        joined(tiny_model, tokenizer, WriteSettings(stop=[""]))


def test_candidates_differ_and_the_first_is_the_streamed_text(
    tiny_model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    settings = DRAWN.model_copy(update={"num_return_sequences": 3})
    texts = write_texts(tiny_model, tokenizer, PROMPT, settings, seed=11)
    assert len(set(texts)) == 3
    assert texts[0] == joined(tiny_model, tokenizer, DRAWN, seed=11)
    assert texts == write_texts(tiny_model, tokenizer, PROMPT, settings, seed=11)
    assert set(texts[1:]).isdisjoint(write_texts(tiny_model, tokenizer, PROMPT, settings, seed=12))


def test_candidate_seeds_of_neighbouring_seeds_do_not_meet() -> None:
    seeds = [candidate_seed(seed, number) for seed in range(50) for number in range(20)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_several_candidates_at_temperature_0_are_refused(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    with pytest.raises(RecipeError, match=r"write\.num_return_sequences 2.*temperature 0"):
        write_texts(tiny_model, tokenizer, PROMPT, WriteSettings(temperature=0, num_return_sequences=2), seed=1)


def test_a_broken_voice_is_named_instead_of_writing_noise(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    with torch.no_grad():
        tiny_model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(VoiceError, match="NaN"):
        joined(tiny_model, tokenizer, DRAWN)


def test_writing_ends_where_every_token_is_forbidden(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    settings = WriteSettings(no_repeat_ngram_size=1, max_new_tokens=1000)
    text = joined(tiny_model, tokenizer, settings)
    assert 0 < len(tokenizer.encode(text)) < 1000


def test_a_shown_conversation_is_asked_in_the_shape_of_its_base(
    tiny_model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    """The tiny base has neither template nor marks, so its shape is plain; the answer comes without its first space."""
    asked = joined(tiny_model, tokenizer, GREEDY, prompt="[persona] A ferry.\n\n[user] Who opened the door?")
    plain = joined(tiny_model, tokenizer, GREEDY, prompt="A ferry.\n\nUser: Who opened the door?\n\nCharacter:")
    assert asked == plain.lstrip()
    waiting = "[persona] A ferry.\n\n[user] Who opened the door?\n\n[character] "
    assert joined(tiny_model, tokenizer, GREEDY, prompt=waiting) == asked
    assert write_texts(tiny_model, tokenizer, waiting, GREEDY, 1) == [asked]


@pytest.mark.parametrize("beams", [1, 3])
def test_an_answer_ends_with_its_turn(beams: int, tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    settings = GREEDY.model_copy(update={"num_beams": beams})
    prompt = "[user] Who opened the door?"
    (whole,) = write_texts(tiny_model, tokenizer, prompt, settings, 1)
    opening = opening_of(prompt, tokenizer)
    last = {tokenizer.encode(whole)[2]}
    ending = replace(tokenizer)
    ending.__dict__["turn_ends"] = opening.ends | last
    (cut,) = write_texts(tiny_model, ending, prompt, settings, 1)
    assert cut != whole
    assert not last & set(tokenizer.encode(cut))
    assert beams > 1 or whole.startswith(cut), "beams may go round the token"
    assert write_texts(tiny_model, ending, "Who opened the door?", settings, 1) == write_texts(
        tiny_model, tokenizer, "Who opened the door?", settings, 1
    ), "plain text knows no turns"
