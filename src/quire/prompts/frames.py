"""What a base puts around the words of a conversation: found by writing one with signs in place of the words.

Templates do not say which words are whose (those that mark answers are few, and where none are marked others learn
nothing, transformers#34172).  So a conversation is written with a sign for every turn, once for every answer up to its
beginning and once up to its end; what stands around the signs is the base's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from quire.books.book import Role, Said
from quire.prompts.conversation import Conversation
from quire.prompts.templates import Message

Writer = Callable[[Sequence[Message], bool], str]
"""Messages as text; with True up to where the next answer begins."""

SYSTEM = -1
"""The slot of the persona; those of turns are their numbers."""
_SIGN = re.compile(r"qz(\d+)n(\d+)zq")
_STAMP = 7304
_CALLED: dict[Role, str] = {"system": "system", "user": "user", "character": "assistant"}


class Unwritable(Exception):
    """Why a base's shape cannot hold a conversation, in words that go after its name."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Texts of the base around slots for what is said: one more than there are slots."""

    marks: tuple[str, ...]
    slots: tuple[int, ...]

    def fill(self, words: Callable[[int], str]) -> tuple[str, dict[int, tuple[int, int]]]:
        """The text with words in its slots, and where each slot's words stand."""
        pieces = [self.marks[0]]
        at = len(self.marks[0])
        places = {}
        for slot, mark in zip(self.slots, self.marks[1:], strict=True):
            text = words(slot)
            places[slot] = (at, at + len(text))
            pieces += [text, mark]
            at += len(text) + len(mark)
        return "".join(pieces), places

    def begins(self, other: Frame) -> bool:
        """Whether what `other` writes always begins with what this one does."""
        count = len(self.slots)
        same = other.slots[:count] == self.slots and other.marks[:count] == self.marks[:count]
        return same and len(other.marks) > count and other.marks[count].startswith(self.marks[count])


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in its base's shape: what is there when it is asked for, and when it is given.

    `ends` counts characters behind the words that still belong to it: the end of its turn.
    """

    turn: int
    asked: Frame
    given: Frame
    ends: int

    @property
    def lead(self) -> int:
        """Characters between what asks for the answer and its words, which the answer has to write itself."""
        return len(self.given.marks[-2]) - len(self.asked.marks[-1])


@dataclass(frozen=True, slots=True)
class Form:
    """All answers of conversations of one form.  `whole`: each is written the same whatever follows it."""

    answers: tuple[Answer, ...]
    whole: bool


def messages_of(conversation: Conversation) -> list[Message]:
    """What a template is given."""
    said = [{"role": _CALLED[turn.role], "content": turn.text} for turn in conversation.turns]
    return [{"role": "system", "content": conversation.system}, *said] if conversation.system else list(said)


def signed(roles: Sequence[Role], system: bool) -> list[Message]:
    """Messages with a sign in place of every text."""
    said = [{"role": _CALLED[role], "content": _sign(number)} for number, role in enumerate(roles)]
    return [{"role": "system", "content": _sign(SYSTEM)}, *said] if system else list(said)


def _sign(slot: int) -> str:
    # Letters and digits alone, so that no template trims, escapes or splits it.
    return f"qz{_STAMP}n{slot + 1}zq"


def frame_of(text: str, slots: Collection[int]) -> Frame:
    """What stands around the signs.  Raises Unwritable where one is missing, stands twice or is out of order."""
    pieces = _SIGN.split(text)
    marks, found = tuple(pieces[::3]), tuple(int(number) - 1 for number in pieces[2::3])
    missing = set(slots) - set(found)
    if missing:
        raise Unwritable(f"leaves out {_turn(min(missing))}")
    if len(found) != len(set(found)):
        raise Unwritable("writes a turn twice")
    if [slot for slot in found if slot != SYSTEM] != sorted(slot for slot in found if slot != SYSTEM):
        raise Unwritable("changes the order of turns")
    return Frame(marks, found)


def _turn(slot: int) -> str:
    return "the system turn" if slot == SYSTEM else f"turn {slot + 1} of a conversation"


def form_of(write: Writer, roles: Sequence[Role], system: bool, specials: Collection[str], last_only: bool) -> Form:
    """How conversations of these roles are written, answer by answer, or as to the last one alone.

    Raises Unwritable, or what the writer raises.
    """
    turns = [number for number, role in enumerate(roles) if role == "character"]
    answers = [_answer(write, roles, system, turn, specials) for turn in (turns[-1:] if last_only else turns)]
    last = answers[-1].given
    return Form(tuple(answers), all(answer.given.begins(last) for answer in answers))


def _answer(write: Writer, roles: Sequence[Role], system: bool, turn: int, specials: Collection[str]) -> Answer:
    before, upto = signed(roles[:turn], system), signed(roles[: turn + 1], system)
    slots = [SYSTEM, *range(turn)] if system else list(range(turn))
    asked, given = frame_of(write(before, True), slots), frame_of(write(upto, False), [*slots, turn])
    if given.slots[-1] != turn:
        raise Unwritable("writes something that was said after the answer to it")
    if not asked.begins(given):
        raise Unwritable("asks for an answer in another way than it writes it")
    header = given.marks[-2][len(asked.marks[-1]) :]
    if header.strip() and asked == frame_of(write(before, False), slots):
        # It has no way to ask: then what always stands before an answer asks for it.
        asked = Frame((*asked.marks[:-1], given.marks[-2]), asked.slots)
    return Answer(turn, asked, given, _end_of_turn(given.marks[-1], specials))


def _end_of_turn(mark: str, specials: Collection[str]) -> int:
    """How much of what follows an answer ends its turn: up to its first special token; where there is none, all that is
    written there, without the white space behind it."""
    ends = [at + len(token) for token in specials if (at := mark.find(token)) >= 0]
    return min(ends, default=len(mark.rstrip()) or len(mark))


def said_in(places: dict[int, tuple[int, int]], roles: Sequence[Role]) -> tuple[Said, ...]:
    """Whose words stand where, in the order of the text."""
    spans = sorted((start, stop, slot) for slot, (start, stop) in places.items())
    return tuple(Said("system" if slot == SYSTEM else roles[slot], start, stop) for start, stop, slot in spans)
