"""quire plan: what a training would take, before anything is loaded or trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from quire.books.book import Shelf
from quire.planner.bases import BasePick, find_base, pick_for
from quire.planner.facts import MachineFacts, TextFacts
from quire.planner.plan import Plan, make_plan
from quire.planner.precision import require_precision
from quire.planner.shape import BaseShape, read_shape, shape_of
from quire.recipe.bases import advice_for
from quire.recipe.explain import Explained, explain
from quire.recipe.load import Loaded
from quire.recipe.schema import Fresh, FreshBase, Recipe, TrainSettings
from quire.run.folder import RUNS
from quire.tokens.tokenizer import Tokenizer, load_tokenizer
from quire.verbs.hardware import look_at_machine
from quire.verbs.material import Material, count_text, cut_shelf, gather, rows_of
from quire.verbs.source import Source, load_source

# Without a tokenizer: English and French need about so many bytes a token with a vocabulary of some thousands.
_BYTES_PER_TOKEN = 3.5


@dataclass(frozen=True)
class PlanReport:
    """The plan of a source, and what it rests on."""

    title: str
    language: str
    loaded: Loaded
    base: BasePick
    shape: BaseShape
    plan: Plan
    machine: MachineFacts

    @property
    def explained(self) -> list[Explained]:
        """Every setting with its origin (`--explain`)."""
        return explain(self.loaded)

    def to_json(self) -> dict[str, Any]:
        """What `quire plan --json` prints; units are in the names."""
        plan = self.plan
        return {
            "title": self.title,
            "language": self.language,
            "base": asdict(self.base),
            "text": asdict(plan.text),
            "parts": [asdict(part) for part in plan.parts],
            "rows": plan.rows,
            "steps": plan.steps,
            "steps_per_epoch": plan.steps_per_epoch,
            "tokens": plan.tokens,
            "batch": asdict(plan.choice),
            "precision": plan.precision,
            "parameters": {"trainable": plan.trainable, "all": plan.parameters, "share": plan.share},
            "memory_bytes": {**asdict(plan.memory), "total": plan.memory.total},
            "disk_bytes": plan.disk_bytes,
            "seconds": plan.seconds,
            "speed": asdict(plan.speed) if plan.speed else None,
            "warnings": [asdict(warned) for warned in plan.warnings],
            "settings": [asdict(row) for row in self.explained],
        }


def plan(
    source: Source,
    *,
    base: str | None = None,
    settings: Mapping[str, object] | None = None,
    download: bool = False,
) -> PlanReport:
    """Say what training on `source` would take: tokens, steps, memory, time, and what to beware of.

    Reads the books and, of the base, its configuration and tokenizer; a base on the hub that the recipe names is asked
    for these small files, never for its weights.  `download` lets `base: auto` choose a base that is not here yet.
    Raises a QuireError for what could not be trained either.
    """
    given = settings or {}
    loaded = load_source(source, base, given)
    material = cut_shelf(loaded.recipe, source) if isinstance(source, Shelf) else gather(loaded.recipe)
    machine = look_at_machine(RUNS)
    require_precision(loaded.recipe.train.precision, machine)
    pick = pick_for(loaded.recipe, material.language, machine, download)
    advice = advice_for(pick.name, loaded.recipe.train.method.kind)
    loaded = load_source(source, base, given, advice)
    material = replace(material, recipe=loaded.recipe)
    shape, text = _measure(loaded.recipe, pick, material)
    train = loaded.recipe.train
    made = make_plan(train, shape, text, machine, _precision(train, machine))
    return PlanReport(material.shelf.title, material.language, loaded, pick, shape, made, machine)


def _precision(settings: TrainSettings, machine: MachineFacts) -> str:
    """The number format that training will most likely choose when it measures."""
    if settings.precision != "auto":
        return settings.precision
    return "bf16" if "bf16" in machine.native else "fp32"


def _measure(recipe: Recipe, pick: BasePick, material: Material) -> tuple[BaseShape, TextFacts]:
    """The base's shape, and the text counted in its tokens (estimated where the tokenizer is still to be made)."""
    if isinstance(recipe.base, FreshBase):
        return fresh_shape(recipe.base.fresh), _estimate(material)
    files = find_base(pick.name, pick.download, weights=False)
    return read_shape(files.path), _count(material, load_tokenizer(files.path))


def fresh_shape(fresh: Fresh) -> BaseShape:
    """The shape of a base that is made from scratch: a Llama with tied embeddings."""
    return shape_of(
        {
            "model_type": "llama",
            "hidden_size": fresh.hidden,
            "num_hidden_layers": fresh.layers,
            "num_attention_heads": fresh.heads,
            "num_key_value_heads": fresh.key_value_heads,
            "intermediate_size": fresh.intermediate,
            "max_position_embeddings": fresh.positions,
            "vocab_size": fresh.vocabulary,
            "tie_word_embeddings": True,
        }
    )


def _count(material: Material, tokenizer: Tokenizer) -> TextFacts:
    parts = range(material.recipe.train.parts)
    rows = [rows_of(material, tokenizer, "train", part) for part in parts]
    return count_text(material, tokenizer, rows)


def _estimate(material: Material) -> TextFacts:
    settings = material.recipe.train
    sizes = {split: [0] * settings.parts for split in ("train", "validation", "test")}
    for passage in material.passages:
        sizes[passage.split][passage.part] += round(len(passage.text.encode()) / _BYTES_PER_TOKEN)
    step = settings.stride or settings.window
    return TextFacts(
        words=material.words("train"),
        tokens_train=sum(sizes["train"]),
        tokens_validation=sum(sizes["validation"]),
        tokens_test=sum(sizes["test"]),
        rows_per_epoch=tuple(max(1, -(-tokens // step)) for tokens in sizes["train"]),
        tokens_per_epoch=tuple(sizes["train"]),
        counted=False,
        leaks=material.leaks,
    )
