"""What a base writes after unpicked beginnings: drawn once and kept beside the texts, for several measurements."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.base.task import Task, tell
from benchmarks.base.texts import LANGUAGES, Texts, Work
from quire.recipe.schema import WriteSettings
from quire.run.atomic import hash_file

if TYPE_CHECKING:
    from quire.model.base import Base

SEED = 7
PROMPT_WORDS = 12
_LEAST_WORDS = 60  # of a paragraph that a prompt is the beginning of
_FOLLOWING = 4000  # characters of the work that are kept after a prompt, to measure people by

WAYS: Mapping[str, WriteSettings] = {
    "Quire's own": WriteSettings(temperature=0.8, top_p=0.95, repetition_penalty=1.1),
    "temperature 0.8": WriteSettings(temperature=0.8, top_p=1.0, repetition_penalty=1.0),
    "greedy": WriteSettings(temperature=0.0, top_p=1.0, repetition_penalty=1.0),
}
"""How is drawn: as `quire write` does unasked, by the model's own chances at temperature 0.8, always the likeliest."""
assert WAYS["Quire's own"] == WriteSettings(), "a default of quire write has changed"


@dataclass(frozen=True)
class Prompt:
    """The first words of a paragraph of a held-out work, and how the work goes on."""

    language: str
    work: str
    text: str
    human: str


@dataclass(frozen=True)
class Drawn:
    """What a base wrote after each prompt, in one of WAYS."""

    way: str
    prompts: tuple[Prompt, ...]
    texts: tuple[str, ...]

    @property
    def languages(self) -> list[str]:
        """Those of the prompts: of a language without held-out works there are none."""
        return list(dict.fromkeys(prompt.language for prompt in self.prompts))

    def of(self, language: str) -> list[tuple[Prompt, str]]:
        both = zip(self.prompts, self.texts, strict=True)
        return [(prompt, text) for prompt, text in both if prompt.language == language]


def prompts_of(texts: Texts, count: int) -> list[Prompt]:
    """`count` in each language, from the held-out works by turns, of each its long paragraphs in a drawn order; fewer
    where there are no more."""
    found = []
    for language in LANGUAGES:
        works = texts.of("test", language=language) or texts.of("validation", language=language)
        orders = [_drawn(_starts(texts.text(work)), f"{SEED} {work.id} {work.title}") for work in works]
        turns = [(work, start) for turn in zip_longest(*orders) for work, start in zip(works, turn, strict=True)]
        there = [(work, start) for work, start in turns if start is not None]
        found += [_prompt(texts, work, start) for work, start in there[:count]]
    return found


def _drawn(starts: Sequence[int], seed: str) -> list[int]:
    return random.Random(seed).sample(starts, len(starts))


def _prompt(texts: Texts, work: Work, start: int) -> Prompt:
    text = texts.text(work)[start : start + _FOLLOWING]
    stop = [match.end() for match in re.finditer(r"\S+", text)][PROMPT_WORDS - 1]
    return Prompt(work.language, work.name, text[:stop], text[stop:])


def _starts(text: str) -> list[int]:
    """Where long paragraphs begin."""
    found = re.finditer(r"(?:\A|\n\n)([^\n]+)", text)
    return [match.start(1) for match in found if len(match[1].split()) >= _LEAST_WORDS]


def drawn(task: Task, ways: Sequence[str], base: Base | None = None, folder: Path | None = None) -> list[Drawn]:
    """What the base writes in these ways; what was written before by the same weights to the same prompts is used.

    With `base` and its `folder`, another one than the task's writes.
    """
    texts = task.texts()
    prompts = prompts_of(texts, task.count)
    base = base or task.load()
    weights = hash_file((folder or base.files.path) / "model.safetensors")
    found = []
    for way in ways:
        settings = WAYS[way].model_copy(update={"max_new_tokens": task.tokens})
        made_of = {
            "weights": weights,
            "settings": settings.model_dump(mode="json"),
            "prompts": [asdict(one) for one in prompts],
        }
        name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
        file = task.home / f"drawn-{name}.json"
        if not file.is_file():
            written = _write(base, prompts, settings, way)
            file.write_text(json.dumps({**made_of, "texts": written}, ensure_ascii=False, indent=1), encoding="utf-8")
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found.append(Drawn(way, tuple(prompts), tuple(told["texts"])))
    return found


def _write(base: Base, prompts: Sequence[Prompt], settings: WriteSettings, way: str) -> list[str]:
    from quire.judging.continuations import continue_all

    tell(f"writing {len(prompts)} texts of {settings.max_new_tokens} tokens, {way}")
    asked = [prompt.text for prompt in prompts]

    def told(number: int) -> None:
        if (number + 1) % 20 == 0:
            tell(f"  {number + 1} of {len(prompts)}")

    return continue_all(base.model, base.tokenizer, asked, settings, SEED, told)
