"""quire plan: what a training would take, before anything is loaded or trained."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from quire.books.book import Shelf
from quire.planner.bases import BasePick, find_base, pick_for
from quire.planner.enough import Enough, enough
from quire.planner.facts import MachineFacts, TextFacts
from quire.planner.fitting import Rung, ladder, usual_precision
from quire.planner.pace import tokens_written
from quire.planner.plan import Plan, make_plan
from quire.planner.precision import require_precision
from quire.planner.shape import BaseShape, read_shape, shape_of
from quire.recipe.advice import advice_on
from quire.recipe.explain import Explained, explain
from quire.recipe.fresh import Fresh, FreshBase
from quire.recipe.load import Loaded
from quire.recipe.schema import Recipe, Stage
from quire.run.folder import RUNS
from quire.tokens.tokenizer import Tokenizer, load_tokenizer
from quire.verbs.hardware import look_at_machine
from quire.verbs.measuring import Measured, Measurer
from quire.verbs.source import Source, load_source
from quire.verbs.stages.passed_on import base_of_voice, method_of_earlier
from quire.verbs.texts.estimate import LOOK_SECONDS, estimate_stage
from quire.verbs.texts.library import Library
from quire.verbs.texts.material import require_rows
from quire.verbs.texts.opening import open_texts


@dataclass(frozen=True)
class StagePlan:
    """One stage: its plan, whether there is text enough, why this number format, and, where it does not fit into this
    machine, what would."""

    stage: Stage
    plan: Plan
    enough: Enough
    precision_reason: str
    would_fit: tuple[Rung, ...]

    def to_json(self) -> dict[str, Any]:
        """One of `stages` in what `quire plan --json` prints."""
        plan = self.plan
        return {
            "name": self.stage.name,
            "method": self.stage.method.kind,
            "window": self.stage.window,
            **facts_of(plan),
            "enough": asdict(self.enough),
            "precision_reason": self.precision_reason,
            "would_fit": [{**asdict(rung), "changes": _plain(rung.changes)} for rung in self.would_fit],
            "warnings": [asdict(warned) for warned in plan.warnings],
        }


@dataclass(frozen=True)
class PlanReport:
    """The plan of a source, and what it rests on.  `measured` is None where nothing was measured beforehand."""

    title: str
    language: str
    loaded: Loaded
    base: BasePick
    shape: BaseShape
    stages: tuple[StagePlan, ...]
    machine: MachineFacts
    measured: Measured | None = None
    processes: int = 1

    @property
    def plan(self) -> Plan:
        """The plan of the last stage, which is the only one of most recipes."""
        return self.stages[-1].plan

    @property
    def memory_bytes(self) -> int:
        """Of each device, at the peak of the whole run."""
        return max(stage.plan.memory.total for stage in self.stages)

    @property
    def disk_bytes(self) -> int:
        """What each stage leaves, its base where one was made for it, and the checkpoints of the largest."""
        plans = [stage.plan for stage in self.stages]
        largest = max(plan.disk_bytes - plan.melted_bytes for plan in plans)
        return largest + sum(4 * plan.trainable for plan in plans[:-1]) + sum(plan.melted_bytes for plan in plans)

    @property
    def seconds(self) -> float | None:
        """Of all stages together; None where one of them is not known."""
        seconds = [stage.plan.seconds for stage in self.stages]
        known = [one for one in seconds if one is not None]
        return sum(known) if len(known) == len(seconds) else None

    @property
    def explained(self) -> list[Explained]:
        """Every setting with its origin (`--explain`)."""
        return explain(self.loaded)

    def to_json(self) -> dict[str, Any]:
        """What `quire plan --json` prints; units are in the names.  What stands outside `stages` is of the whole run,
        or, where it has no sum, of the last stage."""
        plans = [stage.plan for stage in self.stages]
        warnings = [asdict(warned) for plan in plans for warned in plan.warnings]
        return {
            "title": self.title,
            "language": self.language,
            "base": asdict(self.base),
            **facts_of(self.plan),
            "steps": sum(plan.steps for plan in plans),
            "tokens": sum(plan.tokens for plan in plans),
            "memory_bytes": {**asdict(self.plan.memory), "total": self.memory_bytes},
            "disk_bytes": self.disk_bytes,
            "seconds": self.seconds,
            "processes": self.processes,
            "stages": [stage.to_json() for stage in self.stages],
            "warnings": [warned for number, warned in enumerate(warnings) if warned not in warnings[:number]],
            "settings": [asdict(row) for row in self.explained],
        }


def facts_of(plan: Plan) -> dict[str, Any]:
    """The numbers of one stage."""
    return {
        "text": asdict(plan.text),
        "parts": [asdict(part) for part in plan.parts],
        "rows": plan.rows,
        "steps": plan.steps,
        "steps_per_epoch": plan.steps_per_epoch,
        "tokens": plan.tokens,
        "batch": asdict(plan.choice),
        "precision": plan.precision,
        "checkpointing": plan.checkpointing,
        "parameters": {"trainable": plan.trainable, "all": plan.parameters, "share": plan.share},
        "memory_bytes": {**asdict(plan.memory), "total": plan.memory.total, "needed": plan.memory.needed},
        "disk_bytes": plan.disk_bytes,
        "seconds": plan.seconds,
        "times": asdict(plan.times) if plan.times else None,
        "speed": asdict(plan.speed) if plan.speed else None,
    }


def plan(
    source: Source,
    *,
    base: str | None = None,
    settings: Mapping[str, object] | None = None,
    download: bool = False,
    measure: bool = False,
    processes: int = 1,
    tell: Callable[[str], None] = lambda _text: None,
) -> PlanReport:
    """Say what training on `source` would take: tokens, steps, memory, time, and what to beware of.

    Reads the books and, of the base, its configuration and tokenizer; a base on the hub that the recipe names is asked
    for these small files, never for its weights.  `download` lets `base: auto` choose a base that is not here yet.
    With `measure` a process of its own computes a few layers of the base for some seconds, so that the time rests on
    the very computation (`tell` hears when that begins, and whether it failed); otherwise it is reckoned from the rate
    of matrix products.  `processes` share the work.
    Raises a QuireError for what could not be trained either.
    """
    given = settings or {}
    with ExitStack() as stack:
        measurer = stack.enter_context(Measurer()) if measure else None
        loaded = load_source(source, base, given)
        library = _open(source, loaded.recipe)
        book = library.material(len(loaded.recipe.curriculum) - 1)
        machine = look_at_machine(RUNS)
        for stage in loaded.recipe.curriculum:
            require_precision(stage.precision, machine)
        pick = _pick(loaded.recipe, book.language, machine, download)
        earlier = method_of_earlier(loaded.recipe)
        advice = advice_on(loaded, pick.name, earlier) | pick.advice([stage.name for stage in loaded.recipe.stages])
        loaded = load_source(source, base, given, advice)
        folder, shape, tokenizer = _base(loaded.recipe, pick, stack)
        library = library.for_recipe(loaded.recipe)
        stages = [loaded.recipe.carried_out(number, earlier) for number in range(len(loaded.recipe.curriculum))]
        texts = [estimate_stage(loaded.recipe, number, tokenizer, library)[1] for number in range(len(stages))]
        measured = _measured(measurer, folder, stages, tell) if measurer is not None else None
    if measured is not None:
        machine = replace(machine, rates=measured.rates, native=measured.native)
    written = tokens_written(loaded.recipe)
    plans = [
        _plan_stage(
            stage,
            shape,
            text,
            machine,
            measured,
            number,
            processes,
            written,
            book.language or None,
            loaded.recipe.melts(number, earlier),
        )
        for number, (stage, text) in enumerate(zip(stages, texts, strict=True))
    ]
    return PlanReport(book.shelf.title, book.language, loaded, pick, shape, tuple(plans), machine, measured, processes)


def _measured(
    measurer: Measurer, folder: Path, stages: Sequence[Stage], tell: Callable[[str], None]
) -> Measured | None:
    tell("measuring this machine for a few seconds; --quick leaves that out")
    measured = measurer.ask(folder, RUNS, stages)
    if measured is None:
        tell("nothing could be measured: the time is a guess")
    return measured


def _plan_stage(
    stage: Stage,
    shape: BaseShape,
    text: TextFacts,
    machine: MachineFacts,
    measured: Measured | None,
    number: int,
    processes: int,
    written: int,
    language: str | None,
    melts: bool,
) -> StagePlan:
    found = measured.stages[number] if measured is not None else None
    precision, reason = (found.precision, found.precision_reason) if found else _precision(stage, machine)
    pace = found.pace if found else None
    require_rows(stage.name, text.rows_per_epoch)
    made = make_plan(stage, shape, text, machine, precision, pace, processes, written, melts)
    own = machine.shared(processes)
    fits = made.memory.needed <= own.room
    rungs = () if fits else tuple(ladder(stage, shape, precision, own, language, melts))
    return StagePlan(stage, made, enough(text), reason, rungs)


def _precision(stage: Stage, machine: MachineFacts) -> tuple[str, str]:
    """The number format that training will most likely choose when it measures, and why."""
    if stage.precision != "auto":
        return stage.precision, "as the recipe says"
    if stage.method.qlora is not None:
        return ("nf4", "qlora on a GPU") if machine.gpu else ("int8", "qlora on a processor")
    usual = usual_precision(machine)
    return usual, "this machine multiplies it itself" if usual == "bf16" else "this machine lacks bf16"


def _open(source: Source, recipe: Recipe) -> Library:
    """All texts of the recipe and of the run that it goes on from, cut; a stream is only looked into."""
    shelf = source if isinstance(source, Shelf) else None
    return open_texts(recipe, None, shelf, lambda _text: None, LOOK_SECONDS).library


def _pick(recipe: Recipe, language: str, machine: MachineFacts, download: bool) -> BasePick:
    """The base: of an earlier voice its own, otherwise by the recipe, the book's language and this machine."""
    if recipe.earlier is None:
        return pick_for(recipe, language, machine, download)
    return BasePick(base_of_voice(recipe.earlier), f"the base of {recipe.earlier}", True)


def _base(recipe: Recipe, pick: BasePick, stack: ExitStack) -> tuple[Path, BaseShape, Tokenizer | None]:
    """Where the base's config.json lies, its shape, and its tokenizer unless that is still to be made."""
    if isinstance(recipe.base, FreshBase):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quire-plan-")))
        config = json.dumps(fresh_config(recipe.base.fresh))
        (folder / "config.json").write_text(config, encoding="utf-8")
        return folder, fresh_shape(recipe.base.fresh), None
    files = find_base(pick.name, pick.download, weights=False)
    return files.path, read_shape(files.path), load_tokenizer(files.path)


def fresh_shape(fresh: Fresh) -> BaseShape:
    """The shape of a base that is made from scratch: a Llama with tied embeddings."""
    return shape_of(fresh_config(fresh))


def fresh_config(fresh: Fresh) -> dict[str, object]:
    """Its config.json, as far as a plan needs it."""
    return {
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


def _plain(changes: Mapping[str, object]) -> dict[str, object]:
    return dict(changes)
