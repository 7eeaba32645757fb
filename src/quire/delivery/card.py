"""The model card: what a voice is, what it learned from, how, and what it is not for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from quire.recipe.method import Method
from quire.recipe.schema import Recipe
from quire.training.watching.energy import Energy
from quire.units import show_duration


@dataclass(frozen=True)
class Source:
    """A work that the voice learned from."""

    title: str
    author: str
    words: int


@dataclass(frozen=True)
class CardFacts:
    """What the run knows and the recipe does not.  `adapter`: the voice is one, on a base that may be changed too."""

    name: str
    base: str
    language: str
    sources: Sequence[Source]
    tokens_trained: int
    steps: int
    trainable: int
    parameters: int
    adapter: bool = True
    base_changed: bool = False
    energy: Energy | None = None


MOST_SOURCES = 20
NOT_FOR = (
    "It imitates a manner of writing. It knows no facts, may repeat passages of its book (the run's report says how "
    "much), and carries the prejudices of its texts. Say that a text was generated when you publish it."
)


def model_card(recipe: Recipe, facts: CardFacts) -> str:
    """README.md of a voice, with the front matter that the hub reads."""
    front = {
        "base_model": facts.base,
        "library_name": "peft" if facts.adapter else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["quire", "text-generation"],
        **({"language": [facts.language]} if facts.language else {}),
    }
    sections = [
        f"---\n{yaml.safe_dump(front, sort_keys=True, allow_unicode=True)}---",
        f"# {facts.name}",
        f"A voice made with [Quire]: the base `{facts.base}` taught to write like the text below."
        + (" Its weights were changed too, and lie beside the adapter in `base/`." if facts.base_changed else ""),
        _sources(recipe, facts),
        _training(recipe, facts),
        '## How to use it\n\n```\nquire write THIS-FOLDER "The door opened."\n```',
        "## What it is not for",
        NOT_FOR,
        "[Quire]: a free tool that teaches language models to write like a book",
    ]
    return "\n\n".join(sections) + "\n"


def _sources(recipe: Recipe, facts: CardFacts) -> str:
    lines = [
        f"- {source.title}{f', by {source.author}' if source.author else ''} ({source.words:,} words)"
        for source in facts.sources[:MOST_SOURCES]
    ]
    if len(facts.sources) > MOST_SOURCES:
        lines.append(f"- and {len(facts.sources) - MOST_SOURCES} more")
    rights = sorted(
        {item.rights for item in recipe.shelf if item.rights} | ({recipe.rights} if recipe.rights else set())
    )
    told = "; ".join(rights) if rights else "not stated: ask before you publish this voice"
    return "## What it learned from\n\n" + "\n".join(lines) + f"\n\nRights in the text: {told}."


def _training(recipe: Recipe, facts: CardFacts) -> str:
    stages = recipe.curriculum
    rows: list[tuple[str, list[str]]] = [
        ("method", [_method(stage.method) for stage in stages]),
        ("window", [f"{stage.window} tokens" for stage in stages]),
        ("learning rate", [f"{stage.learning_rate:g}, {stage.schedule}" for stage in stages]),
        ("trainable parameters", [f"{facts.trainable:,} of {facts.parameters:,}"]),
        ("steps", [f"{facts.steps:,}"]),
        ("tokens trained", [f"{facts.tokens_trained:,}"]),
        ("seed", [str(recipe.seed)]),
        *((name, [value]) for name, value in (_energy(facts.energy) if facts.energy else ())),
    ]
    names = [stage.name for stage in stages] if recipe.stages else [""]
    head = f"| | {' | '.join(names)} |\n|---|{'---|' * len(names)}\n"
    # What holds for the run as a whole stands under the last stage, which it ended with.
    lines = [f"| {name} | {' | '.join([''] * (len(names) - len(values)) + values)} |" for name, values in rows]
    return "## How it was trained\n\n" + head + "\n".join(lines)


def _energy(energy: Energy) -> list[tuple[str, str]]:
    """What counters have measured; CO₂ where it is known in which country."""
    rows = [("energy", f"{energy.kilowatt_hours:.3g} kWh in {show_duration(energy.seconds)} ({energy.counted})")]
    if energy.co2_kilograms is not None:
        told = f"{energy.co2_kilograms * 1000:.3g} g, estimated by the electricity of a usual year in {energy.country}"
        rows.append(("CO₂", told))
    return rows


def _method(method: Method) -> str:
    if method.adapter is None:
        return "all weights" if method.full else "going on"
    kind = "LoRA" if method.lora else "QLoRA"
    return f"{kind}, rank {method.adapter.rank}, alpha {method.adapter.alpha:g}, dropout {method.adapter.dropout:g}"
