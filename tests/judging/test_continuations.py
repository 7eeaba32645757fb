from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedModel

import chats
from quire.judging.continuations import continue_all, first_words, prompts_from
from quire.prompts.conversation import before_last_answer, conversation_in, shown
from quire.recipe.schema import WriteSettings
from quire.tokens.tokenizer import load_tokenizer
from quire.writing.sampler import candidate_seed, stream_text

SENTENCE = "The clerk of the river wrote down every word that the water said to him that day. "
CHAPTER = "\n\n".join(SENTENCE * 4 for _ in range(12)).strip()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("ab. \n", max_size=400), max_size=5))
def test_prompt_and_continuation_are_the_held_out_text(texts: list[str]) -> None:
    for prompt in prompts_from(texts):
        assert prompt.text.strip()
        assert any(prompt.text + prompt.human in text for text in texts)


def test_prompts_are_spread_over_the_texts_and_end_with_a_sentence() -> None:
    texts = [f"Chapter {number}. {CHAPTER}" for number in range(8)]
    prompts = prompts_from(texts)
    assert [prompt.text[:10] for prompt in prompts] == ["Chapter 0.", "Chapter 2.", "Chapter 4.", "Chapter 6."]
    assert all(prompt.text.endswith(".") and 15 <= len(prompt.text.split()) <= 60 for prompt in prompts)


def test_a_title_before_a_name_does_not_end_a_prompt() -> None:
    text = "Nobody " * 25 + "thanked old Mr. Pottle for it. Then all of them went home. " + SENTENCE * 9
    assert prompts_from([text], "en")[0].text.endswith("for it.")


def test_one_long_text_gives_prompts_from_its_paragraphs() -> None:
    text = "\n\n".join(f"{number} {SENTENCE * 4}" for number in range(12))
    prompts = prompts_from([text])
    assert len(prompts) == 4
    assert len({prompt.text for prompt in prompts}) == 4
    assert all(prompt.text[0].isdigit() for prompt in prompts)


def test_a_short_poem_is_cut_in_half() -> None:
    (prompt,) = prompts_from(["O rose,\nthou art sick"])
    assert (prompt.text, prompt.human) == ("O rose,", "\nthou art sick")


def test_first_words_keep_their_line_ends() -> None:
    assert first_words("a b\nc d", 3) == "a b\nc"
    assert first_words("a b", 9) == "a b"


def test_each_prompt_has_a_seed_of_its_own_that_any_model_gets(tiny_model: PreTrainedModel, tiny_base: Path) -> None:
    tokenizer = load_tokenizer(tiny_base)
    how = WriteSettings(max_new_tokens=6)
    texts = continue_all(tiny_model, tokenizer, ["The door", "The door"], how, seed=4)
    assert texts[0] != texts[1]
    assert texts[1] == "".join(stream_text(tiny_model, tokenizer, "The door", how, candidate_seed(4, 1)))


def test_a_conversation_is_asked_for_its_last_answer() -> None:
    (prompt,) = prompts_from([shown(chats.CHAT)])
    assert conversation_in(prompt.text) == before_last_answer(chats.CHAT)
    assert prompt.human == "Then we walk."
    assert len(prompts_from([shown(chats.CHAT)] * 9)) == 4
