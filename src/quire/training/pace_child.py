"""The process that measures for `quire plan`, which itself loads no torch: a question on stdin, an answer on stdout.

It decides threads, precision and checkpointing by the functions that training decides them by.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from quire.model.machine import choose_precision, choose_threads, device_name, measure_machine, set_threads
from quire.planner.memory import needs_checkpointing
from quire.planner.schedule import choose_batch
from quire.planner.shape import read_shape
from quire.recipe.schema import TrainSettings
from quire.training.pace import pace_or_none


def main() -> None:
    """Answer the one question that comes.  What libraries print goes to stderr: stdout carries the answer alone."""
    answers = os.dup(1)
    os.dup2(2, 1)
    question = sys.stdin.readline()
    if question:
        with os.fdopen(answers, "w", encoding="utf-8") as out:
            out.write(json.dumps(answer(json.loads(question))) + "\n")


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """What training would decide for each of the stages that are asked for, and how fast it would be.

    The question: `folder` holds the base's config.json, `run` is where the run will lie, `stages` are trainings as a
    recipe writes them.
    """
    machine = measure_machine()
    threads, why = choose_threads(torch.get_num_threads())
    set_threads(threads)
    folder, run = Path(question["folder"]), Path(question["run"])
    stages = [_stage(folder, run, TrainSettings.model_validate(one)) for one in question["stages"]]
    return {
        "rates": machine.rates,
        "native": machine.native,
        "device": device_name(),
        "threads": threads,
        "threads_reason": why,
        "stages": stages,
    }


def _stage(folder: Path, run: Path, settings: TrainSettings) -> dict[str, Any]:
    machine, shape, choice = measure_machine(), read_shape(folder), choose_batch(settings)
    lora = settings.method.adapter
    decision = choose_precision(machine, settings.precision, settings.method.qlora is not None)
    trainable = shape.lora_parameters(lora) if lora else shape.parameters
    twice = needs_checkpointing(settings, shape, choice, decision.value, trainable, machine)
    pace = pace_or_none(folder, settings, choice, decision.value, twice, run)
    return {
        "precision": decision.value,
        "precision_reason": decision.reason,
        "pace": pace.to_json() if pace is not None else None,
    }


if __name__ == "__main__":
    main()
    gc.freeze()  # not all that the libraries made is looked through once more, as in `quire.cli.main`
