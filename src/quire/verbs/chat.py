"""`chat`: a voice or a base answers in turns; what was said is kept in the chat alone, until somebody saves it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from quire.errors import QuireError, RecipeError
from quire.prompts.conversation import Conversation, Turn, shown
from quire.prompts.frames import messages_of
from quire.recipe.schema import WriteSettings
from quire.run.atomic import write_text
from quire.tokens.labels import prompt_ids
from quire.tokens.tokenizer import Tokenizer
from quire.verbs.quiet import hush, hush_bars
from quire.verbs.voices import load_opened, open_run

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from quire.model.adapters import Voice
    from quire.verbs.train import Run

_IDLE = ("write.prompt", "write.num_return_sequences")
_PROBE = Conversation((Turn("user", "One?"), Turn("character", "Two."), Turn("user", "Three?")), "Four.")


def chat(
    run: str | Path | Run,
    persona: str = "",
    *,
    settings: Mapping[str, object] | None = None,
    seed: int | None = None,
) -> Chat:
    """Open a chat with what `run` names: a run folder, the name of one under `runs`, a voice folder, what `train`
    returned, or a base such as `embedded`.

    `persona` is the system message; `settings` are keys such as `write.temperature`.  Without a seed here or in the
    recipe a new one is drawn; `Chat.seed` tells which.  The voice is loaded at once.

        talk = quire.chat("novel", persona="You keep the ferry.")
        for piece in talk.say("How long is the crossing?"):
            print(piece, end="")

    Raises RunError, VoiceError, BaseModelError or RecipeError.
    """
    hush()
    settings = settings or {}
    idle = [key for key in settings if key in _IDLE]
    if idle:
        raise RecipeError(f"{idle[0]} says nothing in a chat, where each turn is asked once", "leave it out")
    opened = open_run(run, settings, ("write",))
    how = opened.recipe.write.model_copy(update={"prompt": "", "num_return_sequences": 1})
    from quire.writing.sampler import check_settings

    check_settings(how)
    if how.num_beams > 1 and (seed is not None or "write.seed" in settings):
        raise RecipeError(
            f"write.num_beams {how.num_beams} searches and draws nothing, so it cannot honour a seed",
            "set write.num_beams=1 to draw, or leave the seed out to search",
        )
    if seed is None:
        seed = how.seed if how.seed is not None else secrets.randbelow(2**31)
    hush_bars()
    return Chat(load_opened(opened), how, seed, persona)


@dataclass(frozen=True)
class Exchange:
    """What the user said and what came back, which is empty where nothing came.

    `tries` counts the answers that were asked for before this one; `seed` drew it.
    """

    said: str
    answer: str
    tries: int
    seed: int


class Chat:
    """A conversation that goes on; `persona` may be changed between two turns.

    The same voice, settings, `seed` and turns give the same answers.  `forgotten` counts the oldest exchanges that the
    last prompt had to leave out, because the model sees only so many tokens at once.
    """

    def __init__(self, voice: Voice, how: WriteSettings, seed: int, persona: str = "") -> None:
        from quire.writing.reader import positions_of

        self.persona, self.seed, self.forgotten = persona, seed, 0
        self._model = cast("PreTrainedModel", voice.model)
        self._tokenizer = EndingAtTurns.of(voice.tokenizer)
        self._how = how
        self._sees = positions_of(self._model)
        self._exchanges: list[Exchange] = []
        self._saved: dict[Path, str] = {}
        self._writing: Generator[str, None, None] | None = None
        if self._room <= 0:
            raise RecipeError(
                f"write.max_new_tokens {how.max_new_tokens} leaves nothing of the {self._sees} tokens that this model "
                "sees at once for what is said",
                f"set write.max_new_tokens={max(1, self._sees // 4)}",
            )

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """What was said so far, the oldest first."""
        return tuple(self._exchanges)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The same as turns of the user and the character, one after the other."""
        return _turns(self._exchanges)

    def say(self, text: str) -> Generator[str, None, None]:
        """Say something, and yield the answer piece by piece.

        Nothing is kept before the first piece is asked for; from then on the exchange is, with as much of the answer
        as came, also when somebody stops listening.  The answer ends where the voice ends it or where it would begin
        another's turn, before a `write.stop`, or after `write.max_new_tokens`.  QuireError where nothing is said, or
        more than the model can see.
        """
        self._cut_off()
        said = text.strip()
        if not said:
            raise QuireError("nothing was said", "say something that can be answered")
        if not _is_unicode(said + self.persona):
            raise QuireError(
                "what was said, or the persona, is not text in UTF-8", "type it again, or save the file as UTF-8"
            )
        return self._answer(len(self._exchanges), said, tries=0)

    def retry(self) -> Generator[str, None, None]:
        """Another answer to what was said last, drawn with the next seed; it takes the place of the earlier one as soon
        as something of it comes."""
        self._cut_off()
        if not self._exchanges:
            raise QuireError("there is no answer yet to ask for again", "say something first")
        if self._how.num_beams > 1 or self._how.temperature == 0:
            raise RecipeError(
                "every answer to this would be the same: nothing is drawn at these settings",
                "set write.temperature=0.8 and write.num_beams=1",
            )
        last = self._exchanges[-1]
        return self._answer(len(self._exchanges) - 1, last.said, last.tries + 1)

    def undo(self) -> str:
        """Take back the last exchange, and return what the user had said in it."""
        self._cut_off()
        if not self._exchanges:
            raise QuireError("there is nothing to take back", "say something first")
        return self._exchanges.pop().said

    def conversation(self) -> Conversation:
        """Persona and turns; what got no answer is left out."""
        return Conversation(_turns(each for each in self._exchanges if each.answer), self.persona.strip())

    def to_json(self) -> dict[str, Any]:
        """The conversation as a line of a data set has it: `{"messages": [{"role": …, "content": …}, …]}`."""
        return {"messages": [dict(message) for message in messages_of(self.conversation())]}

    def save(self, file: str | Path) -> None:
        """Add the conversation to a file of conversations, as a line of JSON that `quire read` and `quire train` take.
        Saved there again, the line is replaced as long as it is the last.

        QuireError where there is nothing to save, or the file is of another kind or cannot be written.
        """
        path = Path(file)
        if path.suffix.lower() != ".jsonl":
            raise QuireError(f"{path} would not be read as conversations", "choose a name that ends in .jsonl")
        if not self.conversation().turns:
            raise QuireError("there is no conversation to save yet", "say something first")
        line = json.dumps(self.to_json(), ensure_ascii=False) + "\n"
        try:
            before = path.read_text(encoding="utf-8") if path.exists() else ""
            before = before.removesuffix(self._saved.get(path.absolute(), ""))
            write_text(path, before + ("\n" if before and not before.endswith("\n") else "") + line)
        except UnicodeDecodeError:
            raise QuireError(f"{path} is not text in UTF-8", "choose another file") from None
        except OSError as error:
            raise QuireError(f"{path} cannot be written: {error.strerror}", "choose another file") from error
        self._saved[path.absolute()] = line

    def _cut_off(self) -> None:
        """Whoever goes on has heard enough of an answer that is still being written."""
        if self._writing is not None:
            self._writing.close()
            self._writing = None

    def _answer(self, at: int, said: str, tries: int) -> Generator[str, None, None]:
        earlier = [each for each in self._exchanges[:at] if each.answer]
        conversation = self._fitting(earlier, said)
        self.forgotten = len(earlier) - len(conversation.answers)
        self._writing = self._write(at, conversation, tries)
        return self._writing

    @property
    def _room(self) -> int:
        """Tokens for persona and turns, start token included."""
        return self._sees - self._how.max_new_tokens

    def _fitting(self, earlier: Sequence[Exchange], said: str) -> Conversation:
        """Persona, as many of the latest exchanges as the model can see, and what is said now."""
        system = self.persona.strip()
        texts = [f"{system}\n{said}", *(f"{each.said}\n{each.answer}" for each in earlier)]
        rest, *sizes = map(len, self._tokenizer.encode_all(texts))
        first = 0
        while first < len(sizes) and rest + sum(sizes[first:]) > self._room:  # for certain: that is without marks
            first += 1
        while True:
            conversation = Conversation((*_turns(earlier[first:]), Turn("user", said)), system)
            taken = len(prompt_ids(conversation, self._tokenizer)) + (self._tokenizer.start is not None)
            if taken <= self._room:
                return conversation
            if first == len(earlier):
                persona = f", {len(self._tokenizer.encode(system))} of them the persona's" if system else ""
                raise QuireError(
                    f"that takes {taken} tokens{persona}; this model sees {self._sees} at once, of which the answer "
                    f"may take {self._how.max_new_tokens} (write.max_new_tokens), so {self._room} are left",
                    "say less at once, shorten the persona, or lower write.max_new_tokens",
                )
            first += 1

    def _write(self, at: int, conversation: Conversation, tries: int) -> Generator[str, None, None]:
        from quire.writing.pieces import cut_at_stops, without_lead
        from quire.writing.sampler import candidate_seed, stream_text

        seed = candidate_seed(candidate_seed(self.seed, at), tries)
        pieces = stream_text(self._model, self._tokenizer, shown(conversation), self._how, seed)
        heard: list[str] = []
        try:
            # The first line of an answer begins a line too, and may be the beginning of another's turn.
            answer = without_lead(cut_at_stops(chain("\n", pieces), self._tokenizer.turn_texts))
            for piece in without_tail(answer):
                heard.append(piece)
                yield piece
        finally:
            new = Exchange(conversation.turns[-1].text, "".join(heard).rstrip(), tries, seed)
            if not new.answer and at < len(self._exchanges):  # another answer that never came: the earlier one stays
                new = replace(self._exchanges[at], tries=tries)
            self._exchanges[at:] = [new]


@dataclass(frozen=True)
class EndingAtTurns(Tokenizer):
    """A voice's tokenizer, by which an answer also ends where anybody's next turn would begin.

    Decoding leaves special tokens out: words behind the user's mark would read on as if the character had said them.
    """

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> EndingAtTurns:
        """The same in all else."""
        return cls(**{each.name: vars(tokenizer)[each.name] for each in fields(tokenizer)})

    @cached_property
    def turn_ends(self) -> frozenset[int]:
        """The tokens that end an answer: ends of turns, beginnings of turns, and the start of another text."""
        begin = {self.marked.token_to_id(mark) for mark in self._beginnings if mark in self.specials}
        begin.add(self.start)
        return super().turn_ends | {token for token in begin if token is not None}

    @property
    def turn_texts(self) -> tuple[str, ...]:
        """Where no special token begins a turn, what does, such as `User:` at the beginning of a line."""
        return tuple(mark for mark in self._beginnings if mark not in self.specials)

    @cached_property
    def _beginnings(self) -> tuple[str, ...]:
        """With what turns begin in this base's shape: found between the words of a conversation of four turns."""
        asked = self.builder.prompt(_PROBE)
        stops = [0, *(said.stop for said in asked.said)]
        starts = [*(said.start for said in asked.said), len(asked.text)]
        gaps = [asked.text[stop:start] for stop, start in zip(stops, starts, strict=True)]
        return tuple(dict.fromkeys(mark for gap in gaps if (mark := self._beginning_in(gap))))

    def _beginning_in(self, gap: str) -> str:
        """What begins a turn in the text between two turns' words: a special token, or else its text."""
        around = [self.core.id_to_token(token) for token in (self.start, self.end_of_text) if token is not None]
        for mark in filter(None, (*self.builder.turn_ends(), *self.builder.stop_texts(), *around)):
            gap = gap.replace(mark, "")
        special = [(at, token) for token in self.specials if (at := gap.find(token)) >= 0]
        if special:
            return min(special)[1]
        words = gap.strip()
        return f"\n{words}" if words and "\n" in gap else words


def without_tail(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces without the white space that they end with."""
    held = ""
    for piece in pieces:
        held += piece
        if whole := held.rstrip():
            yield whole
            held = held[len(whole) :]


def _turns(exchanges: Iterable[Exchange]) -> tuple[Turn, ...]:
    return tuple(turn for each in exchanges for turn in (Turn("user", each.said), Turn("character", each.answer)))


def _is_unicode(text: str) -> bool:
    """Whether there are no halves of characters in it, which a terminal or a pipe in another encoding leaves."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
