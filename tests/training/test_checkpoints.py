from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from quire.errors import DiskFull, RunError
from quire.run.manifest import MANIFEST
from quire.training.checkpoints import (
    OPTIMIZER,
    RANDOM,
    STATE,
    WEIGHTS,
    forget_old,
    list_checkpoints,
    load_checkpoint,
    newest,
    restore,
    restore_weights,
    save_checkpoint,
)
from quire.training.optimizers.optimizer import make_optimizer
from quire.training.state import TrainState
from quire.training.together import shards
from toy import digest, toy_settings


def make(seed: int = 0) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A small model with dropout and a frozen layer, and its optimiser."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5), nn.Linear(6, 6))
    model[0].bias.requires_grad_(False)
    return model, make_optimizer(model, toy_settings())


def go_on(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        loss = model(torch.rand(3, 6)).square().sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def test_training_goes_on_from_it_bit_for_bit(tmp_path: Path) -> None:
    model, optimizer = make()
    go_on(model, optimizer, 3)
    state = TrainState(step=3, part_step=3, rows=9, best_loss=0.1)
    folder = save_checkpoint(tmp_path, state, model, optimizer)
    expected = go_on(model, optimizer, 3)

    again, fresh = make(seed=99)
    with torch.no_grad():
        again[0].bias.copy_(model[0].bias)
    found = load_checkpoint(folder)
    assert (folder.name, found.state) == ("0000003", state)
    restore(found, again, fresh)
    assert go_on(again, fresh, 3) == expected
    assert digest(again) == digest(model)


def test_saving_draws_no_random_numbers_and_keeps_only_what_learns(tmp_path: Path) -> None:
    model, optimizer = make()
    before = torch.get_rng_state()
    folder = save_checkpoint(tmp_path, TrainState(), model, optimizer)
    assert torch.equal(torch.get_rng_state(), before)
    assert set(load_file(folder / WEIGHTS)) == {"0.weight", "2.weight", "2.bias"}
    restore(load_checkpoint(folder), model, optimizer)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    model, optimizer = make()
    for step in (10, 20):
        go_on(model, optimizer, 1)
        save_checkpoint(tmp_path, TrainState(step=step), model, optimizer)
    return tmp_path


@pytest.mark.parametrize("name", [MANIFEST, STATE, WEIGHTS, OPTIMIZER, RANDOM])
@pytest.mark.parametrize("damage", ["flipped", "torn", "empty", "gone"])
def test_any_damage_to_any_file_is_found_and_the_one_before_is_used(two: Path, name: str, damage: str) -> None:
    file = two / "0000020" / name
    data = bytearray(file.read_bytes())
    match damage:
        case "flipped":
            data[len(data) // 2] ^= 1
            file.write_bytes(data)
        case "torn":
            file.write_bytes(data[: len(data) // 2])
        case "empty":
            file.write_bytes(b"")
        case "gone":
            file.unlink()
    complaints: list[str] = []
    found = newest(two, complaints.append)
    assert found is not None
    assert found.state.step == 10
    assert len(complaints) == 1
    assert "0000020" in complaints[0]


def test_a_manifest_that_leaves_a_file_out_vouches_for_nothing(two: Path) -> None:
    (two / "0000020" / MANIFEST).write_text('{"files": {}}')
    with pytest.raises(RunError, match="0000020"):
        load_checkpoint(two / "0000020")


def test_without_a_whole_checkpoint_there_is_none(two: Path, tmp_path: Path) -> None:
    for folder in list_checkpoints(two):
        (folder / STATE).unlink()
    assert newest(two, lambda problem: None) is None
    assert newest(tmp_path / "nothing", lambda problem: None) is None


def test_the_newest_is_the_one_of_the_highest_step_whenever_it_was_written(two: Path) -> None:
    model, optimizer = make()
    save_checkpoint(two, TrainState(step=5), model, optimizer)
    (two / "notes").mkdir()
    assert [folder.name for folder in list_checkpoints(two)] == ["0000005", "0000010", "0000020"]
    found = newest(two, lambda problem: None)
    assert found is not None
    assert found.state.step == 20


def test_a_step_saved_again_replaces_its_checkpoint_as_a_whole(two: Path) -> None:
    model, optimizer = make()
    save_checkpoint(two, TrainState(step=20, worse=4), model, optimizer)
    assert load_checkpoint(two / "0000020").state.worse == 4
    assert len(list_checkpoints(two)) == 2


def test_one_that_would_return_to_a_damaged_best_one_is_passed_over(two: Path) -> None:
    model, optimizer = make()
    save_checkpoint(two, TrainState(step=30, best_step=20), model, optimizer)
    (two / "0000020" / WEIGHTS).write_bytes(b"damaged")
    complaints: list[str] = []
    found = newest(two, complaints.append, returns_to_best=True)
    assert found is not None
    assert found.state.step == 10
    assert "0000030 would return to" in complaints[0]
    plain = newest(two, pytest.fail)  # who does not return to it goes on
    assert plain is not None
    assert plain.state.step == 30


def fill(root: Path, *steps: int) -> None:
    for step in steps:
        (root / f"{step:07d}").mkdir()


def left(root: Path) -> list[int]:
    return [int(folder.name) for folder in list_checkpoints(root)]


def test_the_newest_and_the_best_stay(tmp_path: Path) -> None:
    fill(tmp_path, 10, 20, 30, 40, 50)
    forget_old(tmp_path, 50, 2, 20)
    assert left(tmp_path) == [20, 40, 50]
    forget_old(tmp_path, 50, 1, None)
    assert left(tmp_path) == [50]


def test_a_damaged_one_of_a_later_step_does_not_push_out_whole_ones(tmp_path: Path) -> None:
    """60 was damaged, so the run went on from 40 and has now saved 50: 60 is no newer checkpoint."""
    fill(tmp_path, 30, 40, 50, 60)
    forget_old(tmp_path, 50, 1, None)
    assert left(tmp_path) == [50]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("I/O error")])
def test_a_full_disk_leaves_the_earlier_checkpoints_whole(
    two: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = make()

    def fail(tensors: object, path: Path) -> None:
        if path.name == OPTIMIZER:
            path.write_bytes(b"half")
            raise error
        path.write_bytes(b"whole")

    monkeypatch.setattr(shards, "save_file", fail)
    for step in (20, 30):
        with pytest.raises(DiskFull if isinstance(error, OSError) else RuntimeError):
            save_checkpoint(two, TrainState(step=step), model, optimizer)
    assert sorted(path.name for path in two.iterdir()) == ["0000010", "0000020"]
    found = newest(two, pytest.fail)
    assert found is not None
    assert found.state.step == 20


def test_a_checkpoint_of_another_model_is_refused(two: Path) -> None:
    found = load_checkpoint(two / "0000020")
    with pytest.raises(RunError, match="does not fit"):
        restore_weights(found.weights, nn.Linear(6, 6))
