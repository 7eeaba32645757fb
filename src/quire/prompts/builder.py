"""The one builder of prompts: training, chat, judging and serving all write conversations by it.

What is trained on is by construction what a chat would be asked with, followed by the answer and the end of its turn:
both come out of the same frame, and every conversation is written a second time by the base's own template to see that
nothing differs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from quire.books.book import Role, Said
from quire.errors import BaseModelError
from quire.prompts.conversation import Conversation, Turn
from quire.prompts.frames import SYSTEM, Answer, Form, Frame, Unwritable, Writer, form_of, messages_of, said_in
from quire.prompts.templates import WITHOUT, Refusal

COMPLETION_GAP = "\n\n"
"""Between a prompt and its completion, where neither brings white space of its own."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation as a base reads it.

    `said` are the words of each turn, all else are marks of the base; `answers` are the character's own words, each
    with the end of its turn, which a voice must learn as well; `learned` are those of them that are learned here.
    """

    text: str
    said: tuple[Said, ...]
    answers: tuple[tuple[int, int], ...]
    learned: tuple[tuple[int, int], ...]


class Builder:
    """Writes conversations in the shape of one base, whose `name` is told where that cannot be done.

    `specials` are the special tokens of its tokenizer.
    """

    def __init__(self, name: str, write: Writer, specials: Collection[str]) -> None:
        self.name, self.write, self.specials = name, write, frozenset(specials)
        self._forms: dict[tuple[tuple[Role, ...], bool, bool], Form] = {}
        self._knows_system: bool | None = None

    def render(self, conversation: Conversation, first: int = 0) -> list[Rendered]:
        """The conversation with its answers to learn, from number `first` on.

        One text where the base writes an answer the same whatever follows; where it does not (it moves the persona to
        the last turn, or forgets what was thought), one for each answer, as a chat would have been asked for it.
        Raises BaseModelError where the base's template cannot write it, or would write something else.
        """
        if conversation.completes:
            return [render_completion(conversation)]
        given = self._plain(conversation)
        form = self._form(given, last_only=False)
        if form.whole:
            return [self._text(given, form.answers[-1].given, form.answers, first)]
        return [self._text(given, answer.given, [answer], 0) for answer in form.answers[first:]]

    def prompt(self, conversation: Conversation) -> Rendered:
        """What a chat asks with for the next answer, to a conversation that the user spoke last in."""
        given = self._plain(conversation)
        form = self._form(replace(given, turns=(*given.turns, Turn("character", ""))), last_only=False)
        text, places = form.answers[-1].asked.fill(_words(given))
        written = self._write(given, ask=True)
        if not text.startswith(written):
            raise self._refused("changes what was said in it")
        earlier = _spans(form.answers[:-1], places) if form.whole else ()
        return Rendered(text, said_in(places, [turn.role for turn in given.turns]), earlier, ())

    def turn_ends(self) -> tuple[str, ...]:
        """The special tokens by which an answer can end."""
        mark = self._end_mark()
        return tuple(token for token in self.specials if mark.endswith(token))

    def stop_texts(self) -> tuple[str, ...]:
        """The text by which an answer ends, where no special token does it."""
        mark = self._end_mark().strip()
        return (mark,) if mark and not self.turn_ends() else ()

    def _end_mark(self) -> str:
        probe = Conversation((Turn("user", ""), Turn("character", "")))
        (answer,) = self._form(probe, last_only=True).answers
        return answer.given.marks[-1][: answer.ends]

    def _plain(self, conversation: Conversation) -> Conversation:
        """As all templates take it: no white space around words; the persona before the first words where the base
        knows no system turn."""
        turns = tuple(Turn(turn.role, turn.text.strip()) for turn in conversation.turns)
        system = conversation.system.strip()
        if system and not self._knows():
            turns = (Turn(turns[0].role, f"{system}\n\n{turns[0].text}"), *turns[1:])
            system = ""
        return Conversation(turns, system)

    def _knows(self) -> bool:
        """Whether the base has a place for a system turn."""
        if self._knows_system is None:
            try:
                form_of(self.write, ("user", "character"), True, self.specials, last_only=True)
                self._knows_system = True
            except (Refusal, Unwritable):
                self._knows_system = False
        return self._knows_system

    def _form(self, conversation: Conversation, last_only: bool) -> Form:
        roles = tuple(turn.role for turn in conversation.turns)
        key = (roles, bool(conversation.system), last_only)
        if key not in self._forms:
            try:
                self._forms[key] = form_of(self.write, roles, key[1], self.specials, last_only)
            except Unwritable as error:
                raise self._refused(str(error)) from None
            except Refusal as error:
                raise self._refused(f"refuses such a conversation: {error}") from None
        return self._forms[key]

    def _text(self, conversation: Conversation, frame: Frame, answers: Sequence[Answer], first: int) -> Rendered:
        """The text of a frame, checked against what the base's own template writes; `answers` from `first` on are
        learned."""
        turns = conversation.turns[: max(frame.slots) + 1]
        upto = replace(conversation, turns=turns)
        text, places = frame.fill(_words(upto))
        if text != self._write(upto, ask=False):
            raise self._refused("changes what was said in it")
        spans = tuple(
            (places[answer.turn][0] - answer.lead, places[answer.turn][1] + answer.ends) for answer in answers
        )
        return Rendered(text, said_in(places, [turn.role for turn in turns]), spans, spans[first:])

    def _write(self, conversation: Conversation, ask: bool) -> str:
        try:
            return self.write(messages_of(conversation), ask)
        except Refusal as error:
            raise self._refused(f"refuses such a conversation: {error}") from None

    def _refused(self, what: str) -> BaseModelError:
        return BaseModelError(f"the chat template of {self.name} {what}", WITHOUT, "chat-templates")


def _spans(answers: Sequence[Answer], places: dict[int, tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Each answer with what it writes before its words and with the end of its turn."""
    return tuple((places[each.turn][0] - each.lead, places[each.turn][1] + each.ends) for each in answers)


def render_completion(conversation: Conversation) -> Rendered:
    """A prompt and its completion, of which the completion is learned: plain text, whatever the base is."""
    prompt, completion = (turn.text for turn in conversation.turns)
    prompt = prompt.rstrip()
    answer = completion if completion[:1].isspace() else COMPLETION_GAP + completion
    text = prompt + answer
    start = len(text) - len(completion.lstrip())
    said = (Said("user", 0, len(prompt)), Said("character", start, len(text)))
    answer_span = ((len(prompt), len(text)),)
    return Rendered(text, said, answer_span, answer_span)


def _words(conversation: Conversation) -> Callable[[int], str]:
    return {SYSTEM: conversation.system, **{n: t.text for n, t in enumerate(conversation.turns)}}.__getitem__
