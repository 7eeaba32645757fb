"""Conversations out of passages."""

from __future__ import annotations

import chats
from quire.prompts.conversation import Conversation, Turn, asked, before_last_answer, conversation_of


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
