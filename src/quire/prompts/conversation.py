"""A conversation: what is said in turn between a user and a character, under a persona."""

from __future__ import annotations

from dataclasses import dataclass

from quire.books.book import Passage, Role


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says; the words alone, without marks of any base."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns of user and character, by turns; `system` is the persona, empty where there is none."""

    turns: tuple[Turn, ...]
    system: str = ""

    @property
    def answers(self) -> tuple[int, ...]:
        """The numbers of the turns that are the character's."""
        return tuple(number for number, turn in enumerate(self.turns) if turn.role == "character")


def conversation_of(passage: Passage) -> Conversation:
    """The conversation, or the prompt and its completion, that a passage holds."""
    said = [Turn(turn.role, passage.text[turn.start : turn.stop]) for turn in passage.turns]
    system = "\n\n".join(turn.text for turn in said if turn.role == "system")
    return Conversation(tuple(turn for turn in said if turn.role != "system"), system)


def before_last_answer(conversation: Conversation) -> Conversation:
    """What is there when the last answer is asked for."""
    last = conversation.answers[-1]
    return Conversation(conversation.turns[:last], conversation.system)


def asked(text: str, system: str = "") -> Conversation:
    """A single turn of the user, which waits for its answer."""
    return Conversation((Turn("user", text),), system)
