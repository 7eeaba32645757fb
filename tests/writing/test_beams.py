from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from quire.errors import RecipeError
from quire.recipe.schema import WriteSettings
from quire.tokens.tokenizer import Tokenizer, load_tokenizer
from quire.writing.sampler import stream_text, write_texts

PROMPT = "The ferryman opened the door"
SEARCH = WriteSettings(num_beams=4, num_return_sequences=3, temperature=0, repetition_penalty=1.2, max_new_tokens=12)


@pytest.fixture(scope="session")
def tokenizer(tiny_base: Path) -> Tokenizer:
    return load_tokenizer(tiny_base)


def test_beam_search_is_that_of_transformers(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    ids = torch.tensor([tokenizer.encode(PROMPT)])
    out = tiny_model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        num_beams=4,
        num_return_sequences=3,
        repetition_penalty=1.2,
        max_new_tokens=12,
        do_sample=False,
        pad_token_id=tokenizer.end_of_text,
    )
    expected = [tokenizer.decode(row[ids.shape[1] :].tolist()) for row in out]
    assert write_texts(tiny_model, tokenizer, PROMPT, SEARCH, seed=1) == expected


def test_a_base_that_brings_defaults_of_its_own_does_not_change_the_search(
    tiny_model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    before = write_texts(tiny_model, tokenizer, PROMPT, SEARCH, seed=1)
    tiny_model.generation_config.do_sample = True
    tiny_model.generation_config.temperature = 0.1
    tiny_model.generation_config.no_repeat_ngram_size = 1
    tiny_model.generation_config.length_penalty = -3.0
    assert write_texts(tiny_model, tokenizer, PROMPT, SEARCH, seed=1) == before


def test_what_only_a_draw_could_honour_is_refused_by_name(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    settings = WriteSettings(num_beams=4, min_p=0.1, top_k=5)
    with pytest.raises(RecipeError, match=r"write\.num_beams 4 .* write\.top_k 5, write\.min_p 0\.1$"):
        write_texts(tiny_model, tokenizer, PROMPT, settings, seed=1)


def test_beams_draw_nothing_whatever_the_defaults_of_drawing_are(
    tiny_model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    usual = SEARCH.model_copy(update={"temperature": WriteSettings().temperature})
    expected = write_texts(tiny_model, tokenizer, PROMPT, SEARCH, seed=1)
    assert write_texts(tiny_model, tokenizer, PROMPT, usual, seed=2) == expected


def test_the_best_beam_is_streamed_in_one_piece(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    pieces = list(stream_text(tiny_model, tokenizer, PROMPT, SEARCH, seed=1))
    assert pieces == write_texts(tiny_model, tokenizer, PROMPT, SEARCH, seed=1)[:1]


def test_a_stop_text_ends_a_beam(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    whole = write_texts(tiny_model, tokenizer, PROMPT, SEARCH, seed=1)[0]
    stop = whole[4:6]
    texts = write_texts(tiny_model, tokenizer, PROMPT, SEARCH.model_copy(update={"stop": [stop]}), seed=1)
    assert all(stop not in text for text in texts)


def test_a_long_prompt_keeps_its_end(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(PROMPT * 60)
    tail = tokenizer.decode(ids[-(256 - 12) :])
    assert write_texts(tiny_model, tokenizer, PROMPT * 60, SEARCH, seed=1) == write_texts(
        tiny_model, tokenizer, tail, SEARCH, seed=1
    )


def test_beams_longer_than_the_model_sees_are_refused_by_name(
    tiny_model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    with pytest.raises(RecipeError, match=r"write\.max_new_tokens 256 .* write\.num_beams"):
        write_texts(tiny_model, tokenizer, PROMPT, SEARCH.model_copy(update={"max_new_tokens": 256}), seed=1)


def test_no_library_grumbles(
    tiny_model: PreTrainedModel,
    tokenizer: Tokenizer,
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    logging.getLogger("transformers").propagate = True
    write_texts(tiny_model, tokenizer, PROMPT, SEARCH, seed=1)
    assert [record.getMessage() for record in caplog.records] == []
    assert [str(warning.message) for warning in recwarn] == []
