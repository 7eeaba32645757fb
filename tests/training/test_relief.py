from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from quire.errors import OutOfMemory
from quire.recipe.resolved import StageDecided
from quire.training import relief
from quire.training.loop import Part, train_part
from quire.training.relief import (
    Footing,
    begin_peak,
    is_out_of_memory,
    memory_limit,
    memory_now,
    on_footing,
    peak_memory,
    smaller,
)
from quire.training.state import TrainState
from toy import Told, adapted, digest, make_frame, toy_rows, toy_settings

ROWS = toy_rows((40,) * 8, pack=False)
PART = Part(0, ROWS, toy_rows((40,), seed=9))
SETTINGS = toy_settings(batch=4, accumulate=1, steps=3, method={"lora": {"rank": 4, "dropout": 0}}, pack=False)


def fits(model: PreTrainedModel, rows: int, needs_checkpointing: bool = False) -> None:
    """Let the model run out of memory where its layers are given more than so many rows at once."""

    def allocate(module: nn.Module, _given: object, named: dict[str, torch.Tensor]) -> None:
        kept = not model.is_gradient_checkpointing
        if torch.is_grad_enabled() and (len(named["input_ids"]) > rows or (needs_checkpointing and kept)):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    model.get_decoder().register_forward_pre_hook(allocate, with_kwargs=True)


def trained(base: PreTrainedModel, folder: Path, rows: int = 4, needs_checkpointing: bool = False) -> tuple[str, Told]:
    model = adapted(copy.deepcopy(base), SETTINGS)
    fits(model.get_base_model(), rows, needs_checkpointing)
    told = Told()
    train_part(model, PART, make_frame(folder, SETTINGS, told), Footing(4, False), TrainState(), None)
    return digest(model), told


@pytest.mark.parametrize("rows", [1, 2])
def test_fewer_rows_at_once_make_the_same_steps(rows: int, tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    _, plenty = trained(tiny_model, tmp_path / "plenty")
    _, tight = trained(tiny_model, tmp_path / "tight", rows)
    assert tight.footings[-1] == Footing(rows, False)
    assert tight.of("recovered", "batch") == [2, 1][: len(tight.footings)]
    assert tight.of("recovered", "accumulate") == [2, 4][: len(tight.footings)]
    assert tight.steps("step") == plenty.steps("step") == [1, 2, 3]
    assert tight.of("step", "tokens") == plenty.of("step", "tokens")
    assert tight.of("step", "loss") == pytest.approx(plenty.of("step", "loss"), rel=1e-5)
    assert tight.of("step", "grad_norm") == pytest.approx(plenty.of("step", "grad_norm"), rel=1e-4)


def test_at_last_activations_are_computed_twice(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    _, plenty = trained(tiny_model, tmp_path / "plenty")
    _, tight = trained(tiny_model, tmp_path / "tight", 1, needs_checkpointing=True)
    assert tight.footings == [Footing(2, False), Footing(1, False), Footing(1, True)]
    assert tight.of("step", "loss") == pytest.approx(plenty.of("step", "loss"), rel=1e-5)


def test_a_single_row_that_does_not_fit_ends_with_what_would(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory, match="a single row does not fit") as caught:
        trained(tiny_model, tmp_path, rows=0)
    assert "train.window" in caught.value.then


def test_what_was_drawn_for_a_step_is_drawn_again(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    """With dropout, a step begun again must not go on in the middle of the random numbers."""
    dropping = SETTINGS.model_copy(update={"method": toy_settings(method={"lora": {"dropout": 0.5}}).method})

    def run(folder: Path, rows: int) -> Told:
        model = adapted(copy.deepcopy(tiny_model), dropping)
        fits(model.get_base_model(), rows)
        told = Told()
        train_part(model, PART, make_frame(folder, dropping, told), Footing(2, False), TrainState(), None)
        return told

    begun_small = run(tmp_path / "a", 2)
    recovered = run(tmp_path / "b", 1)
    again = run(tmp_path / "c", 1)
    assert recovered.of("step", "loss") == again.of("step", "loss")
    assert recovered.of("step", "loss") != begun_small.of("step", "loss"), "other batches draw other masks"


@pytest.mark.parametrize(
    ("footing", "rows", "expected"),
    [
        (Footing(8, False), 8, Footing(4, False)),
        (Footing(6, False), 12, Footing(3, False)),
        (Footing(5, False), 15, Footing(1, False)),  # 2 does not divide 15
        (Footing(1, False), 8, Footing(1, True)),
        (Footing(4, True), 8, Footing(2, True)),
    ],
)
def test_the_step_keeps_its_rows_whatever_the_footing(footing: Footing, rows: int, expected: Footing) -> None:
    found = smaller(footing, rows)
    assert found == expected
    settled = on_footing(StageDecided(batch=footing.batch, accumulate=rows // footing.batch), found, rows)
    assert settled.batch * settled.accumulate == rows
    assert settled.checkpointing == found.checkpointing
    assert f"{rows} rows make a step as before" in settled.batch_reason


def test_what_allocators_say_is_told_from_other_mistakes() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("can't allocate memory"))
    assert peak_memory("cpu") > 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone lets a process begin its peak anew")
def test_a_peak_counts_from_where_it_was_begun() -> None:
    large = torch.ones(2**26)
    before = peak_memory("cpu")
    assert before > 2**28
    del large
    assert begin_peak("cpu") <= before
    if peak_memory("cpu") == before:
        pytest.skip("this kernel does not forget a peak")
    assert peak_memory("cpu") < before - 2**27


HEAP = """
from quire.training.relief import begin_peak, peak_memory
kept, freed = [], []
for _ in range(200_000):  # small pieces side by side: what is freed lies between what is kept
    kept.append(bytearray(40)), freed.append(bytearray(1000))
before = peak_memory("cpu")
del freed
print(before - begin_peak("cpu"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can give its heap back")
def test_what_was_freed_is_not_held() -> None:
    """200 MB in pieces of a thousand bytes, freed: they go back to the system."""
    done = subprocess.run([sys.executable, "-c", HEAP], capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) > 150 * 10**6


SCRIPT = """
import resource, sys, torch
from quire.training.relief import is_out_of_memory
kept = torch.ones(4)
limit = 2**30
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    torch.ones(2**29)
except RuntimeError as error:
    sys.exit(0 if is_out_of_memory(error) else 3)
sys.exit(4)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of this kind are Linux's")
def test_the_real_allocator_of_this_machine_is_understood() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_files_that_the_system_keeps_in_memory_take_none_of_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container of 8 GiB that has read 7 GiB of files: all but a few MiB can be had."""
    given = {"memory.max": str(8 * 2**30), "memory.current": str(7 * 2**30 + 5 * 2**20)}
    given["memory.stat"] = f"anon {5 * 2**20}\nfile {7 * 2**30}\ninactive_file {6 * 2**30}\nactive_file {2**30}\n"
    for name, text in given.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "meminfo").write_text(f"MemAvailable: {2**26} kB\n")
    monkeypatch.setattr(relief, "_GROUP", tmp_path)
    monkeypatch.setattr(relief, "_MEMINFO", tmp_path / "meminfo")
    limit = memory_limit("cpu")
    assert limit is not None
    assert limit > 8 * 2**30 - 5 * 2**20
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_limit("cpu") > limit  # type: ignore[operator]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_limit_of_memory_is_what_is_held_and_what_is_free() -> None:
    limit, all_there_is = memory_limit("cpu"), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert limit is not None
    assert 50 * 2**20 < limit <= all_there_is
    now = memory_now("cpu")
    assert now["memory_limit_bytes"] == pytest.approx(limit, rel=0.3)
    assert 0 < float(str(now["memory_bytes"])) <= all_there_is
