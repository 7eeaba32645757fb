"""How `judge` goes about it: base and voice do the same, and what they did is compared and reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from peft import PeftModel
from transformers import PreTrainedModel

from quire.books.book import Split
from quire.errors import RunError
from quire.judging.continuations import Continuation, Prompt, continue_all, first_words, prompts_from
from quire.judging.copying import TrainingText, judge_copying
from quire.judging.held_out import HeldOut, held_out, place_name
from quire.judging.imprint import Pages, judge_imprint
from quire.judging.loss import judge_loss
from quire.judging.report import Facts, Report, result_line, write_report
from quire.model.base import load_base
from quire.model.machine import device_name
from quire.model.scoring import BlockLoss, score_blocks
from quire.planner.bases import find_base
from quire.planner.foreseen import beside, from_json, kept
from quire.planner.schedule import seed_of_stage
from quire.recipe.fresh import FreshBase
from quire.recipe.keys import flatten
from quire.recipe.method import Method
from quire.recipe.resolved import ResolvedRecipe
from quire.recipe.schema import Recipe
from quire.run.events import JSON, Event, read_events
from quire.run.finding import Finding
from quire.run.folder import RunFolder
from quire.tokens.stretches import join_passages
from quire.tokens.tokenizer import Tokenizer
from quire.units import show_duration
from quire.verbs.comparing.line import keep_result
from quire.verbs.stages.decide import OWN_BASE
from quire.verbs.texts.material import Material
from quire.verbs.texts.pages import pages
from quire.verbs.voices import Opened, load_opened, precision_of
from quire.writing.reader import positions_of
from quire.writing.sampler import candidate_seed


@dataclass(frozen=True)
class Task:
    """What base and voice are both asked to do.  `stage` is the one that learned last, counted from 0."""

    recipe: Recipe
    stage: int
    texts: HeldOut
    material: Material
    prompts: Sequence[Prompt]
    tell: Callable[[str, int, int], None]

    @property
    def seed(self) -> int:
        return self.recipe.seed if self.recipe.write.seed is None else self.recipe.write.seed


@dataclass(frozen=True)
class Heard:
    """What one of them did: its scores of the held-out texts, its continuations of the prompts."""

    scores: Sequence[BlockLoss]
    texts: Sequence[str]
    seen: Sequence[BlockLoss]
    unseen: Sequence[BlockLoss]


def set_task(recipe: Recipe, stage: int, material: Material, listener: Callable[[Event], None] | None) -> Task:
    """The held-out texts, and the recipe's prompts or some out of them.  RunError where nothing was held out."""
    texts = held_out(material.shelf, material.passages)
    if not texts.texts and ("loss" in recipe.judge.questions or not recipe.judge.prompts):
        raise RunError(
            "nothing of the text was held out for judging (test: 0%)",
            'train with a test share, or ask only for copying: --set judge.questions=["copying"] with judge.prompts',
        )
    prompts = [Prompt(text) for text in recipe.judge.prompts] or prompts_from(texts.texts, material.language)

    def tell(doing: str, done: int, total: int) -> None:
        if listener is not None:
            listener(Event(time.time(), "judging", values={"doing": doing, "done": done, "total": total}))

    return Task(recipe, stage, texts, material, prompts, tell)


def hold_trial(opened: Opened, folder: RunFolder, resolved: ResolvedRecipe, material: Material, task: Task) -> Report:
    """Let both read and write, compare, and write the report into the run's folder, its line into runs/results.csv."""
    base, voice = _listen(opened, folder, resolved, task)
    samples = _side_by_side(task, base, voice)
    findings = _findings(task, material, base, voice)
    events = read_events(folder.events_file)
    facts = _facts(folder, opened.recipe, resolved, material, events)
    report = write_report(folder.report, findings, events, samples, facts)
    keep_result(folder, result_line(findings, facts))
    return report


def _listen(opened: Opened, folder: RunFolder, resolved: ResolvedRecipe, task: Task) -> tuple[Heard, Heard]:
    """Base and voice on the same texts and prompts.  One set of weights serves both where the voice is an adapter."""
    voice = load_opened(opened)
    model = cast("PreTrainedModel", voice.model)
    heard = _hear("the voice", model, voice.tokenizer, task)
    if isinstance(voice.model, PeftModel) and voice.base_name == resolved.decided.base:
        with voice.without_adapter() as base:
            return _hear("the base", base, voice.tokenizer, task), heard
    tokenizer = voice.tokenizer
    del voice, model  # two whole models need not fit into memory at once
    return _hear("the base", _load_base(opened, folder, resolved), tokenizer, task), heard


def _load_base(opened: Opened, folder: RunFolder, resolved: ResolvedRecipe) -> PreTrainedModel:
    own = isinstance(opened.recipe.base, FreshBase)
    files = find_base(str(folder.path / OWN_BASE) if own else resolved.decided.base)
    return load_base(files, precision_of(opened), device_name()).model


def _hear(who: str, model: PreTrainedModel, tokenizer: Tokenizer, task: Task) -> Heard:
    scores: list[BlockLoss] = []
    if "loss" in task.recipe.judge.questions:
        total = sum(len(ids) for ids in tokenizer.encode_all(task.texts.texts))
        done = 0

        def scored(tokens: int) -> None:
            nonlocal done
            done += tokens
            task.tell(f"{who} reads held-out text", done, total)

        window = min(task.recipe.train.window, positions_of(model))
        scores = score_blocks(model, tokenizer, task.texts.texts, window, progress=scored)
    prompts = [prompt.text for prompt in task.prompts]
    written = continue_all(
        model,
        tokenizer,
        prompts,
        task.recipe.write,
        task.seed,
        lambda number: task.tell(f"{who} writes", number + 1, len(prompts)),
    )
    seen, unseen = (_score_pages(who, model, tokenizer, task, split) for split in ("train", "test"))
    return Heard(scores, written, seen, unseen)


def _score_pages(
    who: str, model: PreTrainedModel, tokenizer: Tokenizer, task: Task, split: Split
) -> Sequence[BlockLoss]:
    """Scores of pages that the voice has learned from, or of such that it has not."""
    if "imprint" not in task.recipe.judge.questions:
        return []
    texts = pages(task.material, tokenizer, split, seed_of_stage(task.recipe.seed, task.stage))
    doing = f"{who} reads {'trained' if split == 'train' else 'unseen'} pages"
    scores: list[BlockLoss] = []
    for number, text in enumerate(texts):
        task.tell(doing, number, len(texts))
        scores += [replace(block, text=number) for block in score_blocks(model, tokenizer, [text], positions_of(model))]
    task.tell(doing, len(texts), len(texts))
    return scores


def _side_by_side(task: Task, base: Heard, voice: Heard) -> list[Continuation]:
    return [
        Continuation(
            prompt.text,
            candidate_seed(task.seed, number),
            base.texts[number],
            voice.texts[number],
            first_words(prompt.human, len(voice.texts[number].split())),
        )
        for number, prompt in enumerate(task.prompts)
    ]


def _findings(task: Task, material: Material, base: Heard, voice: Heard) -> list[Finding]:
    """The answers to the recipe's questions, in their order."""
    findings: list[Finding] = []
    for question in task.recipe.judge.questions:
        if question == "loss":
            findings += judge_loss(base.scores, voice.scores, task.texts.units, task.texts.kind)
        elif question == "imprint":
            if voice.seen and voice.unseen:
                findings += judge_imprint(Pages(base.seen, voice.seen), Pages(base.unseen, voice.unseen))
        else:
            findings += _copying(task, material, base, voice)
    return findings


def _copying(task: Task, material: Material, base: Heard, voice: Heard) -> tuple[Finding, ...]:
    """The voice's texts, the base's, and as much held-out text, against the text that was trained on."""
    spare = iter(prompts_from(task.texts.texts, material.language, len(task.prompts)))
    humans = [prompt.human or next(spare, Prompt("")).human for prompt in task.prompts]
    human = [first_words(text, len(own.split())) for text, own in zip(humans, voice.texts, strict=True)]
    training = TrainingText(
        [
            [(passage.text, place_name(material.shelf, passage.book, passage.chapter)) for passage in stretch]
            for stretch in join_passages(material.passages, "train")
        ]
    )
    return judge_copying(training, voice.texts, base.texts, human)


def _facts(
    folder: RunFolder, recipe: Recipe, resolved: ResolvedRecipe, material: Material, events: Sequence[Event]
) -> Facts:
    decided = next((event.values for event in reversed(events) if event.kind == "decided"), {})
    dropped: dict[str, int] = {}
    for book in material.shelf:
        for drop in book.dropped:
            dropped[drop.reason] = dropped.get(drop.reason, 0) + len(drop.text.split())
    authors = {book.author for book in material.shelf if book.author}
    return Facts(
        run=folder.name,
        title=material.shelf.title,
        base=_base_name(resolved.decided.base),
        method=_methods(resolved.recipe),
        author=", ".join(sorted(authors)) if len(authors) <= 3 else "",
        language=material.language,
        words=_counts(decided.get("words")),
        tokens=_counts(decided.get("tokens")),
        dropped=sorted(dropped.items(), key=lambda pair: -pair[1]),
        made=_made(decided, events),
        settings=flatten(recipe),
    )


def _made(decided: Mapping[str, JSON], events: Sequence[Event]) -> list[tuple[str, str]]:
    """What the run's events tell of the training, in words."""
    steps = [event for event in events if event.kind == "step"]
    rows = [(name, str(value)) for name, value in decided.items() if isinstance(value, str | int)]
    if steps:
        spent = [event.values.get("seconds") for event in steps]
        seconds = sum(value for value in spent if isinstance(value, int | float))
        rows.append(("optimiser steps", f"{steps[-1].step:,}"))
        rows.append(("time spent in steps", show_duration(seconds)))
    rows += _foreseen(events)
    return rows


def _foreseen(events: Sequence[Event]) -> list[tuple[str, str]]:
    """What was foreseen of each stage, beside what was measured."""
    ends = {event.stage: event.values for event in events if event.kind == "stage_end"}
    told = {event.stage: from_json(event.values) for event in events if event.kind == "foreseen"}
    rows = []
    for stage, foreseen in told.items():
        memory, seconds = (ends.get(stage, {}).get(name) for name in ("memory_bytes", "seconds"))
        measured = memory if isinstance(memory, int) else None, seconds if isinstance(seconds, float) else None
        promised = {True: ": within what a plan promises", False: ": not within what a plan promises", None: ""}
        name = f"memory and time of {stage}" if len(told) > 1 else "memory and time"
        rows.append((name, beside(foreseen, *measured) + promised[kept(foreseen, *measured)]))
    return rows


def _counts(value: JSON) -> dict[str, int]:
    if not isinstance(value, dict):
        return {}
    return {name: number for name, number in value.items() if isinstance(number, int)}


def _methods(recipe: Recipe) -> str:
    """What was done to the base, stage after stage."""
    return ", then ".join(_method(stage.method) for stage in recipe.curriculum)


def _method(method: Method) -> str:
    if method.adapter is None:
        return "training all its weights" if method.full else "going on with it"
    name = "LoRA" if method.lora else "QLoRA"
    return f"{name} of rank {method.adapter.rank}, alpha {method.adapter.alpha:g}"


def _base_name(base: str) -> str:
    """A hub id as it is, of a folder its name: where it lies is nobody's business but its owner's."""
    return Path(base).name if Path(base).is_dir() else base
