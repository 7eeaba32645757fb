"""Checkpoints: whole or not there.

A checkpoint is written to a temporary folder, its manifest with the hash of every file last, then renamed.  Loading
verifies every hash and falls back to the one before where anything is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from quire.errors import RunError
from quire.run.atomic import fresh_folder, remove_folder, write_text
from quire.run.manifest import flaw, seal
from quire.training.optimizer import optimizer_tensors, restore_optimizer, trainable
from quire.training.state import TrainState

STATE, WEIGHTS, OPTIMIZER, RANDOM = "state.json", "weights.safetensors", "optimizer.safetensors", "random.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """What was read back from a verified folder."""

    folder: Path
    state: TrainState
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    random: dict[str, Tensor]


def save_checkpoint(root: Path, state: TrainState, model: nn.Module, optimizer: torch.optim.Optimizer) -> Path:
    """Write `root/0000120` for step 120 and return it.  Draws no random numbers."""
    target = root / f"{state.step:07d}"
    with fresh_folder(target) as folder:
        save_file({name: p.detach().contiguous() for name, p in trainable(model)}, folder / WEIGHTS)
        save_file(optimizer_tensors(model, optimizer), folder / OPTIMIZER)
        save_file(random_state(), folder / RANDOM)
        write_text(folder / STATE, state.to_json())
        seal(folder, {"processes": 1})
    return target


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put weights, optimiser and random numbers back as they were when the checkpoint was taken."""
    restore_weights(checkpoint.weights, model)
    restore_optimizer(model, optimizer, checkpoint.optimizer)
    restore_random(checkpoint.random)


def restore_weights(weights: dict[str, Tensor], model: nn.Module) -> None:
    """Copy `weights` into the learning parameters; every one of them must be there."""
    parameters = dict(trainable(model))
    if set(parameters) != set(weights):
        odd = sorted(set(parameters) ^ set(weights))[0]
        raise RunError(f"the checkpoint does not fit the model ({odd})", "start a new run with --run NEW", "resume")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read and verify one checkpoint.  Raises RunError that names what is wrong."""
    if (wrong := flaw(folder, (STATE, WEIGHTS, OPTIMIZER, RANDOM))) is not None:
        raise RunError(wrong)
    try:
        state = TrainState.from_json((folder / STATE).read_text(encoding="utf-8"))
        tensors = [load_file(folder / name) for name in (WEIGHTS, OPTIMIZER, RANDOM)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise RunError(f"{folder} is no whole checkpoint: {error}") from error
    return Checkpoint(folder, state, *tensors)


def newest(root: Path, complain: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint that is whole; `complain` hears of each that is not."""
    for folder in reversed(list_checkpoints(root)):
        try:
            return load_checkpoint(folder)
        except RunError as error:
            complain(str(error))
    return None


def list_checkpoints(root: Path) -> list[Path]:
    """Checkpoint folders by rising step."""
    return sorted(p for p in root.iterdir() if p.is_dir() and p.name.isdigit()) if root.exists() else []


def forget_old(root: Path, step: int, keep: int, *needed: int | None) -> None:
    """After saving at `step`: delete all but the newest `keep` and those of the steps that are `needed`.

    One of a later step was found damaged when the run resumed from an earlier one: it counts for nothing and goes too.
    """
    whole = [folder for folder in list_checkpoints(root) if int(folder.name) <= step]
    kept = {folder.name for folder in whole[-keep:]} | {f"{other:07d}" for other in needed if other is not None}
    for folder in list_checkpoints(root):
        if folder.name not in kept:
            remove_folder(folder)


def random_state() -> dict[str, Tensor]:
    """The state of torch's generators; `dropout` draws from them."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random(state: dict[str, Tensor]) -> None:
    """The inverse of `random_state`."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
