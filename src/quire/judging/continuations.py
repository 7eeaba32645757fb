"""The same prompts continued by base and voice, beside what the book itself goes on with."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from transformers import PreTrainedModel

from quire.books.sentences import split_sentences
from quire.prompts.conversation import before_last_answer, conversation_in, shown_asking
from quire.recipe.schema import WriteSettings
from quire.tokens.tokenizer import Tokenizer
from quire.writing.sampler import candidate_seed, stream_text

PROMPTS = 4
_PROMPT_WORDS = 30


@dataclass(frozen=True)
class Prompt:
    """A text to go on from; `human` is how the book goes on, where the prompt stands in held-out text."""

    text: str
    human: str = ""


@dataclass(frozen=True)
class Continuation:
    """One prompt as base, voice and, where it is known, the book itself continue it."""

    prompt: str
    seed: int
    base: str
    voice: str
    human: str = ""

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def prompts_from(texts: Sequence[str], language: str = "", count: int = PROMPTS) -> list[Prompt]:
    """Prompts out of held-out texts: the opening words of each, of `count` texts spread over all of them.

    Where there are fewer texts than `count`, further prompts come from within the longest ones.  Of conversations all
    is given up to the last answer.
    """
    said = [conversation for text in texts if (conversation := conversation_in(text)) is not None]
    if said:
        chosen = [said[i * len(said) // count] for i in range(min(count, len(said)))]
        return [Prompt(shown_asking(before_last_answer(one)), one.turns[one.answers[-1]].text) for one in chosen]
    long_enough = [text for text in texts if len(text.split()) >= 3 * _PROMPT_WORDS] or list(texts)
    spread = [long_enough[i * len(long_enough) // count] for i in range(min(count, len(long_enough)))]
    prompts = [_cut(text, language) for text in spread]
    longest = max(long_enough, key=len, default="")
    missing = count - len(prompts)
    starts = _paragraph_starts(longest)
    for number in range(1, missing + 1):
        later = [at for at in starts if at >= number * len(longest) // (missing + 1)]
        if later and later[0] > 0:
            prompts.append(_cut(longest[later[0] :], language))
    return list({prompt.text: prompt for prompt in prompts if prompt.text.strip()}.values())


def continue_all(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    settings: WriteSettings,
    seed: int,
    told: Callable[[int], None] | None = None,
) -> list[str]:
    """One continuation of each prompt; prompt i has seed `candidate_seed(seed, i)`, for every model the same."""
    texts = []
    for number, prompt in enumerate(prompts):
        texts.append("".join(stream_text(model, tokenizer, prompt, settings, candidate_seed(seed, number))))
        if told is not None:
            told(number)
    return texts


def first_words(text: str, words: int) -> str:
    """The beginning of `text`, of at most so many words, its line ends kept."""
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    return text if len(ends) <= words else text[: ends[max(words, 1) - 1]]


def _cut(text: str, language: str) -> Prompt:
    """About _PROMPT_WORDS words, up to the end of a line or sentence where one is near."""
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    if len(ends) <= _PROMPT_WORDS:
        half = max(1, len(ends) // 2)
        return Prompt(text[: ends[half - 1]], text[ends[half - 1] :]) if ends else Prompt("")
    near = range(_PROMPT_WORDS // 2, min(_PROMPT_WORDS * 2, len(ends)))
    beginning = text[: ends[near[-1]]]
    stops = {stop for _, stop in split_sentences(beginning, language)[:-1]}
    stops |= {match.start() for match in re.finditer(r"\n", beginning)}
    good = [i for i in near if ends[i] in stops]
    at = ends[min(good, key=lambda i: abs(i - _PROMPT_WORDS), default=_PROMPT_WORDS)]
    return Prompt(text[:at], text[at:])


def _paragraph_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer(r"\n\n+", text))]
