"""What is decided for the user before training, each with its reason; kept in recipe.yaml and obeyed on resume."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from quire.errors import BaseModelError, QuireError
from quire.model.fresh import make_base
from quire.model.kernels.native import native, use_native, why_not
from quire.model.lowbit import require_nf4
from quire.model.machine import choose_precision, choose_threads, device_name, measure_machine, set_threads
from quire.planner.bases import BaseFiles, BasePick, find_base
from quire.planner.facts import TextFacts
from quire.planner.plan import Plan, make_plan, require_possible
from quire.planner.schedule import BatchChoice, choose_batch
from quire.planner.shape import read_shape
from quire.recipe.bases import FRESH
from quire.recipe.fresh import FreshBase
from quire.recipe.method import Method
from quire.recipe.resolved import Decided, StageDecided
from quire.recipe.schema import Recipe, Stage
from quire.run.atomic import fresh_folder
from quire.training.learner import Learner, Start, make_learner
from quire.training.pace import pace_or_none

OWN_BASE = "base"  # where a run keeps the base that it made from scratch


def decide(recipe: Recipe, picked: BasePick, earlier: Method | None = None) -> Decided:
    """Precision, threads and batch, by the recipe and by measuring this machine, for the base that was picked;
    `earlier` is the method of the voice that is gone on from.

    Whether activations are computed twice can be settled when the base's files are there (`foresee`).
    """
    threads, threads_reason = choose_threads(torch.get_num_threads())
    return Decided(
        base=picked.name,
        base_revision="",
        prepared=(),
        prompts=(),
        base_reason=picked.reason,
        download=picked.download,
        device=device_name(),
        threads=threads,
        threads_reason=threads_reason,
        kernels="plain" if native() is None else "native",
        kernels_reason=why_not() or "",
        stages=tuple(_decide_stage(recipe, number, earlier) for number in range(len(recipe.curriculum))),
    )


def _decide_stage(recipe: Recipe, number: int, earlier: Method | None) -> StageDecided:
    stage = recipe.carried_out(number, earlier)
    precision = choose_precision(measure_machine(), stage.precision, stage.method.qlora is not None)
    batch = choose_batch(stage)
    return StageDecided(
        precision=precision.value,
        precision_reason=precision.reason,
        batch=batch.batch,
        accumulate=batch.accumulate,
        batch_reason=batch.reason,
        checkpointing=stage.checkpointing is True,
        lr_ratio=stage.method.adapter.lr_ratio if stage.method.adapter is not None else 1.0,
        packs=None,
    )


def base_files(
    recipe: Recipe, decided: Decided, texts: Callable[[], Iterable[str]], run: Path, resumes: bool
) -> BaseFiles:
    """The base that was decided on; a fresh one is made now, of the `texts` that are read for it alone, unless the run
    resumes with it.

    RecipeError where a stage cannot be trained on it, be it the last: nobody should hear of that after the others.
    """
    files = _base_files(recipe, decided, texts, run, resumes)
    if decided.device == "cuda" and any(stage.precision == "nf4" for stage in decided.stages):
        require_nf4()
    try:
        shape = read_shape(files.path)
    except BaseModelError:
        return files  # what the planner does not know training may know
    for number, stage in enumerate(recipe.curriculum):
        section = f"stages.{stage.name}" if recipe.stages else "train"
        require_possible(recipe.carried_out(number), shape, section)
    return files


def _base_files(
    recipe: Recipe, decided: Decided, texts: Callable[[], Iterable[str]], run: Path, resumes: bool
) -> BaseFiles:
    if not isinstance(recipe.base, FreshBase):
        assert decided.base != FRESH
        return find_base(decided.base, decided.download)
    folder = run / OWN_BASE
    if not resumes:
        with fresh_folder(folder) as target:
            make_base(recipe.base.fresh, texts(), target, recipe.seed)
    return BaseFiles(str(folder), folder, "", "run")


def foresee(
    stage: Stage,
    decided: Decided,
    number: int,
    files: BaseFiles,
    text: TextFacts,
    run: Path,
    processes: int,
    written: int,
    melts: bool = False,
) -> Plan | None:
    """What a stage will take on these files, some layers of which are tried for a moment; None where the planner does
    not know such a base or what is asked of it, for training may still know it, or will say itself what is wrong."""
    settled = decided.stages[number]
    try:
        shape, machine = read_shape(files.path), measure_machine()
        plan = make_plan(stage, shape, text, machine, settled.precision, None, processes, written, melts)
        _compute_as(decided)
        choice = BatchChoice(settled.batch, settled.accumulate, settled.batch_reason)
        pace = pace_or_none(files.path, stage, choice, settled.precision, plan.checkpointing, run)
        return make_plan(stage, shape, text, machine, settled.precision, pace, processes, written, melts)
    except QuireError:
        return None


def load_learner(start: Start, stage: Stage, decided: Decided, number: int, seed: int, bases: Path) -> Learner:
    """The model as stage `number` trains it, on the device and with the threads that were decided.  A base that has to
    be made for it, out of an earlier adapter and its base, is kept in `bases`."""
    _compute_as(decided)
    settled = decided.stages[number]
    return make_learner(
        start, stage, settled.precision, decided.device, seed, settled.checkpointing, settled.packs, bases
    )


def _compute_as(decided: Decided) -> None:
    """With the threads and the kernels that were decided, by which numbers round as they did before."""
    set_threads(decided.threads)
    use_native(decided.kernels == "native")
