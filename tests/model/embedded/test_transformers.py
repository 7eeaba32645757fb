"""The embedded base in plain transformers: the Auto classes and a folder, nothing of Quire's, nothing from a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

import chats
from quire.prompts.conversation import Conversation, Turn, before_last_answer
from quire.prompts.frames import messages_of
from quire.prompts.shapes import MarkedWriter
from quire.tokens.labels import encode_rendered, prompt_ids
from quire.tokens.tokenizer import Tokenizer, load_tokenizer

VERSE = "Il pleure dans mon cœur\nComme il pleut sur la ville ;\n\nQuelle est cette langueur\r\nQui…"
TEXTS = (
    VERSE,
    "« Où donc ? » dit-il — l’homme, l'autre, aujourd’hui : « Là-bas\u202f! »",
    "“Don’t,” she said; 'tis 1848, or 3.14 — so\u00a0be it.",
    "a lone \r carriage return, a tab\tand\x0bothers\x0c\x85\u2028here",
    "🙂 👩‍👩‍👧 雪 e\u0301 \ufeff\u200b\u2581 \x00",
    "   three spaces before, two behind  \n\n\n",
    "",
)


@pytest.fixture(scope="module")
def ours(embedded: Path) -> Tokenizer:
    return load_tokenizer(embedded)


def test_nothing_in_the_folder_is_a_program(embedded: Path, config: dict[str, Any]) -> None:
    assert "auto_map" not in config
    assert {file.suffix for file in embedded.iterdir()} <= {".json", ".jinja", ".safetensors", ".md"}


def test_it_is_the_model_that_its_config_names(model: PreTrainedModel, config: dict[str, Any]) -> None:
    assert [type(model).__name__] == config["architectures"]
    assert model.dtype == getattr(torch, config["dtype"]) == torch.bfloat16
    assert model.num_parameters() > 0


def test_it_writes(model: PreTrainedModel, theirs: PreTrainedTokenizerFast) -> None:
    asked = theirs("The sea was ", return_tensors="pt")
    written = model.generate(**asked, max_new_tokens=6, do_sample=False)
    assert written[0, : asked.input_ids.shape[1]].tolist() == asked.input_ids[0].tolist()
    assert 1 <= written.shape[1] - asked.input_ids.shape[1] <= 6


def test_tied_weights_stay_tied(model: PreTrainedModel, embedded: Path, tmp_path: Path) -> None:
    """In memory, in the file, and in a copy that transformers saves and loads."""
    assert model.config.tie_word_embeddings
    assert model.get_input_embeddings().weight.data_ptr() == model.get_output_embeddings().weight.data_ptr()
    model.save_pretrained(tmp_path)
    names = []
    for folder in (embedded, tmp_path):
        with safe_open(folder / "model.safetensors", "pt") as weights:
            names.append(set(weights.keys()))
    assert names[0] == names[1]
    assert not any("lm_head" in name for name in names[0])
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert again.get_input_embeddings().weight.data_ptr() == again.get_output_embeddings().weight.data_ptr()
    assert torch.equal(again.get_input_embeddings().weight, model.get_input_embeddings().weight)


@given(st.text())
@example(TEXTS[0])
@example(TEXTS[1])
@example(TEXTS[2])
@example(TEXTS[3])
@example(TEXTS[4])
@example(TEXTS[5])
def test_every_text_comes_back(theirs: PreTrainedTokenizerFast, text: str) -> None:
    ids = theirs(text, add_special_tokens=False).input_ids
    assert theirs.decode(ids) == text
    assert len(ids) == 0 or max(ids) < len(theirs)


@pytest.mark.parametrize("text", TEXTS)
def test_quire_cuts_text_as_transformers_does(theirs: PreTrainedTokenizerFast, ours: Tokenizer, text: str) -> None:
    assert theirs(text, add_special_tokens=False).input_ids == ours.encode(text)
    assert theirs(text).input_ids == [ours.start, *ours.encode(text)]


def test_all_agree_on_the_special_tokens(
    embedded: Path, theirs: PreTrainedTokenizerFast, ours: Tokenizer, model: PreTrainedModel
) -> None:
    """Where two programs read it from different files."""
    known = AutoConfig.from_pretrained(embedded)
    defaults = model.generation_config
    assert known.bos_token_id == defaults.bos_token_id == theirs.bos_token_id == ours.start
    assert known.eos_token_id == defaults.eos_token_id == theirs.eos_token_id == ours.end_of_text
    assert known.pad_token_id == defaults.pad_token_id == theirs.pad_token_id
    assert len(theirs) == ours.size == known.vocab_size == model.get_input_embeddings().weight.shape[0]


def test_its_chat_template_is_what_quire_writes(embedded: Path, theirs: PreTrainedTokenizerFast) -> None:
    written = MarkedWriter(theirs.eos_token, theirs.bos_token).as_template()
    assert (embedded / "chat_template.jinja").read_text(encoding="utf-8") == written
    assert theirs.chat_template == written


@pytest.mark.parametrize(
    ("conversation", "ask"),
    [
        (chats.CHAT, False),
        (chats.WITHOUT_PERSONA, False),
        (before_last_answer(chats.CHAT), True),
        (Conversation((Turn("user", "Who rows?\n\nEt vers où ?"),)), True),
    ],
    ids=["persona", "none", "asked", "one question"],
)
def test_another_program_chats_with_the_same_tokens(
    theirs: PreTrainedTokenizerFast, ours: Tokenizer, conversation: Conversation, ask: bool
) -> None:
    messages = messages_of(conversation)
    ids = theirs.apply_chat_template(messages, add_generation_prompt=ask, return_dict=False)
    assert ids[0] == ours.start
    if ask:
        assert ids[1:] == prompt_ids(conversation, ours)
    else:
        assert ids[1:] == encode_rendered(ours.builder.render(conversation)[-1], ours).ids.tolist()
        assert ids[-1] == ours.end_of_text
