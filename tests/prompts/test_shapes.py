"""The two shapes that need no template; what other programs make of them is the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

import chats
from quire.prompts.conversation import before_last_answer
from quire.prompts.frames import messages_of
from quire.prompts.shapes import MARKS, MarkedWriter, PlainWriter
from quire.tokens.make import SPECIAL
from quire.tokens.tokenizer import load_tokenizer


def test_the_embedded_base_has_all_the_marks() -> None:
    assert set(MARKS.values()) <= set(SPECIAL)


def test_a_marked_conversation_by_hand() -> None:
    written = MarkedWriter("<|end|>")(messages_of(chats.CHAT)[:3], ask=False)
    assert written == (
        f"<|system|>{chats.PERSONA}<|user|>How long is the crossing?"
        "<|character|>Six hours, sir — and you may thank your own boots for it.<|end|>"
    )


def test_a_plain_conversation_by_hand() -> None:
    written = PlainWriter("</s>")(messages_of(chats.WITHOUT_PERSONA)[:3], ask=True)
    assert written == (
        "User: How long is the crossing?\n\n"
        "Character: Six hours, sir — and you may thank your own boots for it.</s>\n\n"
        "User: Et la rivière, où est-elle ?\n\nCharacter:"
    )


@pytest.mark.parametrize("name", ["embedded", "plain", "plain-spaces"])
def test_the_template_for_other_programs_writes_the_same(name: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(chats.save_shape(name, tmp_path))
    write = tokenizer.conversation_writer()
    assert isinstance(write, MarkedWriter | PlainWriter)
    other = AutoTokenizer.from_pretrained(tmp_path)
    other.chat_template = write.as_template()
    start = other.bos_token or ""
    for conversation, ask in (
        (chats.CHAT, False),
        (chats.WITHOUT_PERSONA, False),
        (before_last_answer(chats.CHAT), True),
    ):
        messages = messages_of(conversation)
        theirs = other.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask, bos_token=start)
        assert theirs == write(messages, ask)
