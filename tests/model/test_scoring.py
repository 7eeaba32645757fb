from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from quire.model.scoring import score_blocks
from quire.tokens.tokenizer import Tokenizer, load_tokenizer
from tiny import FAMILIES, build_model

TEXT = "“Où donc est passée la rivière ?” she said, and 🦉 looked at the water for a long time.\n\n" * 6


@pytest.fixture(scope="session")
def tokenizer(tiny_base: Path) -> Tokenizer:
    return load_tokenizer(tiny_base)


@torch.no_grad()
def nats(model: PreTrainedModel, context: list[int], token: int) -> float:
    """The loss of one token after its context, by the definition."""
    logits = model(torch.tensor([context])).logits[0, -1].double()
    return -float(logits.log_softmax(-1)[token])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_that_of_each_token_after_all_text_before_it(
    family: str, tokenizer: Tokenizer, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    model = build_model(family, tiny_tokenizer)
    text = TEXT[:90]
    ids = [tokenizer.end_of_text, *tokenizer.encode(text)]
    expected = sum(nats(model, ids[:at], ids[at]) for at in range(1, len(ids)))
    (block,) = score_blocks(model, tokenizer, [text], window=200)
    assert block.tokens == len(ids) - 1
    assert block.nats == pytest.approx(expected, rel=1e-5)


def test_longer_texts_are_read_through_windows_that_overlap_by_half(
    tiny_model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    """With a window of 10: tokens 1 to 10 from all before them, then 5 new ones at a time, seen with 5 to 9 before."""
    ids = [tokenizer.end_of_text, *tokenizer.encode(TEXT[:60])]
    spans = [(0, at) for at in range(1, 11)]
    for first in range(11, len(ids), 5):
        last = min(first + 5, len(ids))
        spans += [(last - 11, at) for at in range(first, last)]
    expected = sum(nats(tiny_model, ids[begin:at], ids[at]) for begin, at in spans)
    (block,) = score_blocks(tiny_model, tokenizer, [TEXT[:60]], window=10)
    assert block.tokens == len(spans)
    assert block.nats == pytest.approx(expected, rel=1e-5)


def test_a_start_token_opens_every_text(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    start = 5
    with_start = replace(tokenizer, start=start)
    token = tokenizer.encode("z")[0]
    (block,) = score_blocks(tiny_model, with_start, ["z"], window=100)
    assert block.nats == pytest.approx(nats(tiny_model, [start], token), rel=1e-5)


def test_scores_do_not_depend_on_how_blocks_are_cut(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    whole = score_blocks(tiny_model, tokenizer, [TEXT], window=64, block_tokens=10_000)
    small = score_blocks(tiny_model, tokenizer, [TEXT], window=64, block_tokens=20)
    assert len(whole) == 1
    assert len(small) > 5
    assert sum(block.tokens for block in small) == whole[0].tokens == len(tokenizer.encode(TEXT))
    assert math.fsum(block.nats for block in small) == pytest.approx(whole[0].nats, rel=1e-9)


def test_blocks_have_about_the_size_asked_for(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    sizes = [b.tokens for b in score_blocks(tiny_model, tokenizer, [TEXT, TEXT[:30]], window=64, block_tokens=50)]
    *whole, last, short = sizes
    assert all(50 <= size <= 53 for size in whole)
    assert 25 < last <= 75
    assert short == len(tokenizer.encode(TEXT[:30]))


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=60), max_size=4), block=st.integers(1, 9))
def test_every_byte_and_every_token_is_counted_once(
    built_once: PreTrainedModel, tokenizer: Tokenizer, texts: list[str], block: int
) -> None:
    blocks = score_blocks(built_once, tokenizer, texts, window=16, block_tokens=block)
    for number, text in enumerate(texts):
        own = [one for one in blocks if one.text == number]
        assert sum(one.bytes for one in own) == len(text.encode("utf-8"))
        assert sum(one.tokens for one in own) == len(tokenizer.encode(text))
        assert all(one.tokens > 0 for one in own)


@pytest.fixture(scope="module")
def built_once(tiny_tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    return build_model("llama", tiny_tokenizer)


def test_a_model_in_training_is_scored_without_dropout_and_trains_on(tokenizer: Tokenizer, tiny_tokenizer) -> None:
    model = build_model("gpt2", tiny_tokenizer)
    expected = score_blocks(model, tokenizer, [TEXT], window=64)
    model.train()
    assert score_blocks(model, tokenizer, [TEXT], window=64) == expected
    assert model.training


def test_half_precision_is_summed_in_single_precision(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    exact = score_blocks(tiny_model, tokenizer, [TEXT], window=64)[0].nats
    rounded = score_blocks(tiny_model.to(torch.bfloat16), tokenizer, [TEXT], window=64)[0].nats
    assert rounded == pytest.approx(exact, rel=2e-3)


def test_progress_adds_up_to_all_tokens(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    told: list[int] = []
    score_blocks(tiny_model, tokenizer, [TEXT, "a"], window=32, progress=told.append)
    assert sum(told) == len(tokenizer.encode(TEXT)) + 1


def test_of_a_conversation_the_words_of_the_answers_are_scored(
    tiny_model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    """By the definition: each token of an answer after all that stands before it, without the ends of turns."""
    text = "[user] Where is it?\n\n[character] Où donc, sir?\n\n[user] There?\n\n[character] Yes."
    (block,) = score_blocks(tiny_model, tokenizer, [text], window=200)
    written = "User: Where is it?\n\nCharacter: Où donc, sir?<|end|>\n\nUser: There?\n\nCharacter: Yes.<|end|>"
    encoding = tokenizer.marked.encode(written, add_special_tokens=False)
    spans = [(written.index(answer), written.index(answer) + len(answer)) for answer in (" Où donc, sir?", " Yes.")]
    answers = [at for at, (a, _) in enumerate(encoding.offsets) if any(start <= a < stop for start, stop in spans)]
    ids = [tokenizer.end_of_text, *encoding.ids]
    assert block.tokens == len(answers)
    assert block.nats == pytest.approx(sum(nats(tiny_model, ids[: at + 1], ids[at + 1]) for at in answers), rel=1e-5)
    assert block.bytes == len("Où donc, sir?Yes.".encode())


def test_of_a_completion_what_completes_is_scored(tiny_model: PreTrainedModel, tokenizer: Tokenizer) -> None:
    text = "[prompt] It was\n\n[completion]  not there."
    (block,) = score_blocks(tiny_model, tokenizer, [text], window=200)
    ids = [tokenizer.end_of_text, *tokenizer.encode("It was"), *tokenizer.encode(" not there.")]
    first = 1 + len(tokenizer.encode("It was"))
    expected = sum(nats(tiny_model, ids[:at], ids[at]) for at in range(first, len(ids)))
    assert block.nats == pytest.approx(expected, rel=1e-5)
