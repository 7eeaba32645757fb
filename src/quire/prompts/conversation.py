"""A conversation: what is said in turn between a user and a character, under a persona; and how it is shown.

Shown, it is text that people read and write too, in a recipe's prompts and beside samples:

    [persona] You keep the ferry.

    [user] How long is the crossing?

    [character] Six hours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from quire.books.book import BLOCK_GAP, Passage, Role
from quire.errors import RecipeError

_MARKS = {"persona": "system", "user": "user", "character": "character", "prompt": "user", "completion": "character"}
_MARK = re.compile(rf"^\[({'|'.join(_MARKS)})\] ?", re.MULTILINE)
# A line of somebody's words that looks like a mark has a backslash before it, and one that has has one more.
_LOOKS_LIKE_MARK = re.compile(rf"^(\\*\[(?:{'|'.join(_MARKS)})\])", re.MULTILINE)
_HIDDEN_MARK = re.compile(rf"^\\(\\*\[(?:{'|'.join(_MARKS)})\])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says; the words alone, without marks of any base."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns of user and character, by turns; `system` is the persona, empty where there is none.

    With `completes` it is a prompt and its completion, which are plain text in any base.
    """

    turns: tuple[Turn, ...]
    system: str = ""
    completes: bool = False

    @property
    def answers(self) -> tuple[int, ...]:
        """The numbers of the turns that are the character's."""
        return tuple(number for number, turn in enumerate(self.turns) if turn.role == "character")


def conversation_of(passage: Passage) -> Conversation:
    """The conversation, or the prompt and its completion, that a passage holds."""
    said = [Turn(turn.role, passage.text[turn.start : turn.stop]) for turn in passage.turns]
    system = "\n\n".join(turn.text for turn in said if turn.role == "system")
    completes = passage.kind == "completions"
    return Conversation(tuple(turn for turn in said if turn.role != "system"), system, completes)


def before_last_answer(conversation: Conversation) -> Conversation:
    """What is there when the last answer is asked for."""
    last = conversation.answers[-1]
    return Conversation(conversation.turns[:last], conversation.system, conversation.completes)


def asked(text: str, system: str = "") -> Conversation:
    """A single turn of the user, which waits for its answer."""
    return Conversation((Turn("user", text),), system)


def shown(conversation: Conversation) -> str:
    """The conversation as text, each turn after a mark that says whose it is; `conversation_in` undoes it exactly."""
    names = {"user": "prompt", "character": "completion"} if conversation.completes else {}
    turns = [Turn("system", conversation.system)] if conversation.system else []
    turns += conversation.turns
    called = {"system": "persona"} | names
    return BLOCK_GAP.join(
        f"[{called.get(turn.role, turn.role)}] " + _LOOKS_LIKE_MARK.sub(r"\\\1", turn.text) for turn in turns
    )


def shown_asking(conversation: Conversation) -> str:
    """The conversation as text that goes on with the answer to its last turn."""
    return f"{shown(conversation)}{BLOCK_GAP}[{'completion' if conversation.completes else 'character'}] "


def conversation_in(text: str) -> Conversation | None:
    """The conversation that a text shows; None where it is plain text, which does not begin with a mark.

    An answer that is still to come is no turn.
    """
    marks = list(_MARK.finditer(text))
    if not marks or marks[0].start() != 0:
        return None
    stops = [mark.start() for mark in marks[1:]]
    system, turns = "", []
    for mark, stop in zip(marks, [*stops, len(text)], strict=True):
        words = text[mark.end() : stop]
        words = _HIDDEN_MARK.sub(r"\1", words.removesuffix(BLOCK_GAP) if stop < len(text) else words)
        if mark[1] == "persona":
            system = words
        else:
            turns.append(Turn("user" if _MARKS[mark[1]] == "user" else "character", words))
    if turns and turns[-1] == Turn("character", ""):
        turns.pop()
    return Conversation(tuple(turns), system, marks[0][1] == "prompt")


def asked_in(text: str) -> Conversation | None:
    """The conversation that a text shows, as far as the next answer is asked for; None where there are no turns, and it
    is plain text.  RecipeError where there is an answer and nobody has asked."""
    conversation = conversation_in(text)
    if conversation is None or not conversation.turns:
        return None
    if conversation.turns[-1].role == "character" and not conversation.completes:
        conversation = before_last_answer(conversation)
    if not conversation.turns:
        raise RecipeError("the prompt asks nothing", "add a [user] turn before the [character]'s", "chat-templates")
    return conversation
