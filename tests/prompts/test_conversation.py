"""Conversations out of passages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import chats
from quire.prompts.conversation import (
    Conversation,
    Turn,
    asked,
    before_last_answer,
    conversation_in,
    conversation_of,
    shown,
    shown_asking,
)


def test_a_passage_gives_back_the_conversation_that_it_holds() -> None:
    assert conversation_of(chats.passage_of(chats.CHAT)) == chats.CHAT
    assert conversation_of(chats.passage_of(chats.WITHOUT_PERSONA)) == chats.WITHOUT_PERSONA


def test_answers_and_what_was_there_before_the_last_one() -> None:
    assert chats.CHAT.answers == (1, 3, 5)
    before = before_last_answer(chats.CHAT)
    assert before.turns == chats.CHAT.turns[:5]
    assert before.system == chats.PERSONA


def test_a_question_alone() -> None:
    assert asked("Who?", "A ghost.") == Conversation((Turn("user", "Who?"),), "A ghost.")


TEXTS = st.text(alphabet=st.sampled_from("ab \n\\[]é"), max_size=30) | st.sampled_from(
    ["[user] no", "\\[character] x", "\\\\[persona]", "a\n\n[user] b", "[prompt]", "x\n\n", "\n\n[completion]"]
)


@given(st.lists(TEXTS, min_size=1, max_size=5), TEXTS, st.booleans())
def test_what_is_shown_is_read_again_exactly(texts: list[str], system: str, completes: bool) -> None:
    turns = [Turn("character" if n % 2 else "user", text) for n, text in enumerate(texts)]
    if len(turns) % 2 == 0 and not texts[-1]:
        turns[-1] = Turn("character", "x")  # an answer without a word is one that is still to come
    conversation = Conversation(tuple(turns), "" if completes else system, completes)
    assert conversation_in(shown(conversation)) == conversation
    if turns[-1].role == "user":
        assert conversation_in(shown_asking(conversation)) == conversation


def test_people_read_and_write_what_is_shown() -> None:
    first = Conversation(chats.CHAT.turns[:1], chats.PERSONA)
    text = f"[persona] {chats.PERSONA}\n\n[user] How long is the crossing?"
    assert shown(first) == text
    assert shown_asking(first) == f"{text}\n\n[character] "
    assert conversation_in("[user]Who?\n[character]\n") is not None
    assert conversation_in("He said:\n[user] no") is None
    assert conversation_in("") is None
