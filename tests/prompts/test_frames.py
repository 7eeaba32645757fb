"""Frames: what stands around the words, and that the signs for them cannot be mistaken."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import chats
from quire.prompts.frames import SYSTEM, Frame, Unwritable, form_of, frame_of, messages_of, said_in, signed
from quire.prompts.templates import Message

ROLES = ("user", "character", "user", "character")


def write(messages: Sequence[Message], ask: bool) -> str:
    return "".join(f"[{m['role'][0]}]{m['content']};" for m in messages) + ("[a]" if ask else "")


def test_a_frame_has_a_mark_more_than_slots_and_fills_them() -> None:
    frame = frame_of(write(signed(ROLES[:2], system=True), False), [SYSTEM, 0, 1])
    assert frame == Frame(("[s]", ";[u]", ";[a]", ";"), (SYSTEM, 0, 1))
    text, places = frame.fill({SYSTEM: "P", 0: "Why?", 1: ""}.__getitem__)
    assert text == "[s]P;[u]Why?;[a];"
    assert {slot: text[a:b] for slot, (a, b) in places.items()} == {SYSTEM: "P", 0: "Why?", 1: ""}
    assert [said.role for said in said_in(places, ROLES)] == ["system", "user", "character"]


def test_words_that_look_like_a_sign_are_words() -> None:
    frame = frame_of(write(signed(ROLES[:2], system=False), False), [0, 1])
    sign = signed(ROLES, system=False)[1]["content"]
    text, places = frame.fill({0: sign, 1: "x"}.__getitem__)
    assert text == f"[u]{sign};[a]x;"
    assert places[1] == (len(text) - 2, len(text) - 1)


def test_each_answer_has_what_asks_for_it_and_its_end() -> None:
    form = form_of(write, ROLES, True, (), last_only=False)
    assert form.whole
    assert [answer.turn for answer in form.answers] == [1, 3]
    assert [(answer.asked.marks[-1], answer.lead, answer.ends) for answer in form.answers] == [(";[a]", 0, 1)] * 2
    assert [answer.turn for answer in form_of(write, ROLES, True, (), last_only=True).answers] == [3]


def test_the_end_of_a_turn_is_its_first_special_token_or_all_that_is_there() -> None:
    def closing(messages: Sequence[Message], ask: bool) -> str:
        return write(messages, ask).replace(";", "<e>\n<f>")

    assert form_of(closing, ROLES, False, ("<e>", "<f>"), last_only=True).answers[0].ends == 3
    assert form_of(closing, ROLES, False, (), last_only=True).answers[0].ends == 7
    assert form_of(write, ROLES, False, (), last_only=True).answers[0].ends == 1

    def breaking(messages: Sequence[Message], ask: bool) -> str:
        return write(messages, ask).replace(";", "<e>\n").replace("[a]", "\n\n[a]")

    assert form_of(breaking, ROLES, False, (), last_only=True).answers[0].ends == 3


@pytest.mark.parametrize(
    ("text", "why"),
    [("{0}", "leaves out turn 2"), ("{0}{1}{0}", "writes a turn twice"), ("{1}{0}", "changes the order of turns")],
)
def test_what_no_frame_can_be_made_of(text: str, why: str) -> None:
    signs = [message["content"] for message in signed(ROLES[:2], system=False)]
    with pytest.raises(Unwritable, match=why):
        frame_of(text.format(*signs), [0, 1])


def test_messages_have_the_roles_that_templates_know() -> None:
    assert [message["role"] for message in messages_of(chats.CHAT)] == ["system", *("user", "assistant") * 3]
    assert messages_of(chats.WITHOUT_PERSONA)[0]["role"] == "user"
