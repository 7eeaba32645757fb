"""What is decided for the user before training, each with its reason; kept in recipe.yaml and obeyed on resume."""

from __future__ import annotations

from pathlib import Path

import torch

from quire.errors import QuireError
from quire.model.fresh import make_base
from quire.model.machine import Precision, choose_precision, choose_threads, device_name, measure_machine, set_threads
from quire.planner.bases import BaseFiles, BasePick, find_base
from quire.planner.facts import TextFacts
from quire.planner.plan import Plan, make_plan
from quire.planner.schedule import choose_batch
from quire.planner.shape import read_shape
from quire.recipe.bases import FRESH
from quire.recipe.resolved import Decided
from quire.recipe.schema import FreshBase, Recipe
from quire.run.atomic import fresh_folder
from quire.training.learner import Learner, make_learner
from quire.verbs.material import Material

OWN_BASE = "base"  # where a run keeps the base that it made from scratch


def decide(recipe: Recipe, picked: BasePick) -> Decided:
    """Precision, threads and batch, by the recipe and by measuring this machine, for the base that was picked.

    Whether activations are computed twice can be settled when the base's files are there (`foresee`).
    """
    machine = measure_machine()
    precision = choose_precision(machine, recipe.train.precision)
    threads, threads_reason = choose_threads(torch.get_num_threads())
    batch = choose_batch(recipe.train)
    return Decided(
        base=picked.name,
        base_revision="",
        base_reason=picked.reason,
        download=picked.download,
        precision=precision.value,
        precision_reason=precision.reason,
        device=device_name(),
        threads=threads,
        threads_reason=threads_reason,
        batch=batch.batch,
        accumulate=batch.accumulate,
        batch_reason=batch.reason,
        checkpointing=recipe.train.checkpointing is True,
        packs=None,
    )


def base_files(recipe: Recipe, decided: Decided, material: Material, run: Path, resumes: bool) -> BaseFiles:
    """The base that was decided on; a fresh one is made now, from the training text, unless the run resumes with it."""
    if not isinstance(recipe.base, FreshBase):
        assert decided.base != FRESH
        return find_base(decided.base, decided.download)
    folder = run / OWN_BASE
    if not resumes:
        with fresh_folder(folder) as target:
            make_base(recipe.base.fresh, material.training_texts(), target, recipe.seed)
    return BaseFiles(str(folder), folder, "", "folder")


def foresee(recipe: Recipe, decided: Decided, files: BaseFiles, text: TextFacts) -> Plan | None:
    """What training on these files will take; None where the planner does not know such a base or what is asked of it,
    for training may still know it, or will say itself what is wrong."""
    try:
        return make_plan(recipe.train, read_shape(files.path), text, measure_machine(), decided.precision)
    except QuireError:
        return None


def load_learner(recipe: Recipe, decided: Decided, files: BaseFiles) -> Learner:
    """The model as this run trains it, on the device and with the threads that were decided."""
    set_threads(decided.threads)
    precision: Precision = decided.precision
    return make_learner(
        files, recipe.train, precision, decided.device, recipe.seed, decided.checkpointing, decided.packs
    )
