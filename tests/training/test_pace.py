"""The measurement that plans rest on; how near it comes is measured by benchmarks/plan.py."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from quire.planner.bases import find_base
from quire.planner.schedule import choose_batch
from quire.planner.shape import read_shape
from quire.recipe.schema import TrainSettings
from quire.training import pace
from quire.training.pace import Took, measure_pace, pace_or_none
from tiny import FAMILIES, save_base

METHODS: list[dict[str, object]] = [
    {"method": "lora"},
    {"method": "full"},
    {"method": "full", "optimizer": "adafactor"},
    {"method": "full", "optimizer": "adamw_8bit"},
    {"method": "qlora"},
    {"method": "lora", "checkpointing": True},
]


def settings(**train: object) -> TrainSettings:
    return TrainSettings.model_validate({"window": 64, "effective_batch": 2, **train})


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_cut_to_a_few_layers_and_measured(family: str, tmp_path: Path) -> None:
    folder = save_base(tmp_path / family, family)
    made = settings()
    found = measure_pace(folder, made, choose_batch(made), "fp32", run=tmp_path, clock=time.process_time)
    assert found.tokens == 64 * choose_batch(made).batch
    assert min(found.batch, found.row, found.step, found.token, found.save, found.load) > 0
    assert found.row < found.batch


@pytest.mark.parametrize("train", METHODS, ids=str)
def test_every_method_is_measured_as_it_is_trained(train: dict[str, object], tiny_base: Path, tmp_path: Path) -> None:
    made = settings(**train)
    precision = "int8" if made.method.qlora else "fp32"
    found = measure_pace(tiny_base, made, choose_batch(made), precision, made.checkpointing is True, tmp_path)
    assert found.batch > 0


def test_random_numbers_and_threads_are_left_as_they_were(tiny_base: Path, tmp_path: Path) -> None:
    made = settings()
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    measure_pace(tiny_base, made, choose_batch(made), "fp32", run=tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert list(tmp_path.iterdir()) == []


def test_more_tokens_take_longer(tmp_path: Path) -> None:
    """By the time of the processor, which other programs do not lengthen; on one thread."""
    base = find_base("embedded").path
    few, many = (
        measure_pace(base, made, choose_batch(made), "fp32", run=tmp_path, clock=time.process_time)
        for made in (settings(window=32, batch=1), settings(window=256, batch=2))
    )
    assert many.batch > 3 * few.batch


def test_all_layers_and_words_are_reckoned_up_from_a_few() -> None:
    """By hand: 2 of 6 layers take 4 s longer than none, and 512 words 1 s longer than 64."""
    shape = read_shape(find_base("embedded").path)
    none, few, head = Took(1, 1, 1, 1), Took(5, 1, 2, 1), Took(2, 1, 1, 1)
    whole = pace._whole(few, none, head, shape, depth=2, vocabulary=512)
    assert whole.batch == pytest.approx(1 + 4 * 6 / 2 + 1 * (8192 - 64) / (512 - 64))
    assert whole.step == pytest.approx(1 + 1 * 3)
    assert whole.row == whole.token == 1


def test_so_many_layers_are_measured_that_they_leave_the_caches() -> None:
    shape = read_shape(find_base("embedded").path)
    short, long = settings(window=8, batch=1), settings(window=2048, batch=8)
    assert pace._depth(shape, short, choose_batch(short)) == shape.layers
    assert pace._depth(shape, long, choose_batch(long)) == 1


def test_a_base_that_cannot_be_measured_has_no_pace(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    made = settings()
    assert pace_or_none(tmp_path, made, choose_batch(made), "fp32") is None
