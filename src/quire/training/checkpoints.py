"""Checkpoints: whole or not there.

A checkpoint is written to a temporary folder, its manifest with the hash of every file last, then renamed.  Loading
verifies every hash and falls back to the one before where anything is wrong.  Of several processes each writes its own
slices (`shards`) and its random numbers, and any other number of processes can go on from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from quire.errors import RunError
from quire.run.atomic import fresh_folder, named_disk_errors, remove_folder, sync_file, write_text
from quire.run.manifest import flaw, read_manifest, seal
from quire.training.optimizers.optimizer import optimizer_tensors, restore_optimizer, trainable
from quire.training.state import TrainState
from quire.training.together.ranks import ALONE, Ranks
from quire.training.together.shards import SlicedTensors, fill, save_slices

STATE, WEIGHTS, OPTIMIZER, RANDOM = "state.json", "weights.safetensors", "optimizer.safetensors", "random.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """What was read back from a verified folder.

    `random` is empty where another number of processes wrote it: their random numbers are not those of these.
    """

    folder: Path
    state: TrainState
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    random: Mapping[str, Tensor]


def save_checkpoint(
    root: Path, state: TrainState, model: nn.Module, optimizer: torch.optim.Optimizer, ranks: Ranks = ALONE
) -> Path:
    """Write `root/0000120` for step 120 and return it.  Draws no random numbers.  All processes call it alike."""
    target = root / f"{state.step:07d}"
    with ExitStack() as opened:
        made = ranks.lead(lambda: opened.enter_context(fresh_folder(target)))
        folder = root / ranks.told(made.name if made is not None else "")

        def close() -> None:
            write_text(folder / STATE, state.to_json())
            seal(folder, {"processes": ranks.count})
            opened.close()

        ranks.together(lambda: _write_own(folder, model, optimizer, ranks))
        ranks.lead(close)
    return target


def _write_own(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, ranks: Ranks) -> None:
    """What this process has to write of a checkpoint."""
    rank, count = ranks.rank, ranks.count
    weights, memory, random = (folder / _name(name, rank, count) for name in (WEIGHTS, OPTIMIZER, RANDOM))
    with named_disk_errors(folder):
        save_slices(weights, {name: p.detach() for name, p in trainable(model)}, rank, count)
        save_slices(memory, optimizer_tensors(model, optimizer), rank, count)
        save_file(random_state(), random)
        for file in (weights, memory, random) if ranks.several else ():
            sync_file(file)  # whoever closes the folder may sit at another machine


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put weights, optimiser and, where it has them, random numbers back as they were when the checkpoint was taken."""
    restore_weights(checkpoint.weights, model)
    restore_optimizer(model, optimizer, checkpoint.optimizer)
    if checkpoint.random:
        restore_random(checkpoint.random)


def restore_weights(weights: Mapping[str, Tensor], model: nn.Module) -> None:
    """Copy `weights` into the learning parameters, or of them the slices that this process holds; every one must be
    there."""
    parameters = dict(trainable(model))
    if set(parameters) != set(weights):
        odd = sorted(set(parameters) ^ set(weights))[0]
        raise RunError(f"the checkpoint does not fit the model ({odd})", "start a new run with --run NEW", "resume")
    for name, parameter in parameters.items():
        fill(parameter, weights, name)


def load_checkpoint(folder: Path, ranks: Ranks = ALONE) -> Checkpoint:
    """Read and verify one checkpoint.  Raises RunError that names what is wrong."""
    try:
        count = _processes(folder)
        files = {name: [_name(name, rank, count) for rank in range(count)] for name in (WEIGHTS, OPTIMIZER, RANDOM)}
        if (wrong := flaw(folder, (STATE, *(name for names in files.values() for name in names)))) is not None:
            raise RunError(wrong)
        state = TrainState.from_json((folder / STATE).read_text(encoding="utf-8"))
        weights, optimizer = (_tensors([folder / file for file in files[name]]) for name in (WEIGHTS, OPTIMIZER))
        random = load_file(folder / files[RANDOM][ranks.rank]) if count == ranks.count else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{folder} is no whole checkpoint: {error}") from error
    return Checkpoint(folder, state, weights, optimizer, random)


def _processes(folder: Path) -> int:
    """How many processes wrote it; a manifest that cannot be read is told of by `flaw`, which looks at it again."""
    try:
        return int(str(read_manifest(folder).get("processes", 1)))
    except (OSError, ValueError):
        return 1


def _tensors(files: list[Path]) -> Mapping[str, Tensor]:
    """Of one process all at once; of several, slices that are read when they are wanted."""
    return load_file(files[0]) if len(files) == 1 else SlicedTensors(files)


def _name(file: str, rank: int, count: int) -> str:
    """`weights.safetensors`, or of several processes `weights-00001-of-00004.safetensors`."""
    stem, ending = file.rsplit(".", 1)
    return file if count == 1 else f"{stem}-{rank + 1:05d}-of-{count:05d}.{ending}"


def newest(
    root: Path,
    complain: Callable[[str], None],
    ranks: Ranks = ALONE,
    stage: int | None = None,
    returns_to_best: bool = False,
) -> Checkpoint | None:
    """The newest checkpoint that is whole, of any stage or of this one; `complain` hears of each that is not.

    Where training `returns_to_best` in the end, one is of no use without that of the best step so far.
    """
    for folder in reversed(list_checkpoints(root)):
        try:
            found = load_checkpoint(folder, ranks)
        except RunError as error:
            complain(str(error))
            continue
        if stage is not None and found.state.stage != stage:
            continue
        best = found.state.best_step
        if returns_to_best and best not in (None, found.state.step) and (wrong := flaw(root / f"{best:07d}")):
            complain(f"{wrong}, which {folder.name} would return to")
            continue
        return found
    return None


def latest_sound(
    root: Path, state: TrainState, complain: Callable[[str], None], ranks: Ranks = ALONE
) -> Checkpoint | None:
    """The latest checkpoint of the part of `state` that a validation has found sound; `complain` hears of each that is
    not whole.  Of several processes all pass over what any of them cannot read."""
    for folder in reversed(list_checkpoints(root)):
        if state.anchor is None or int(folder.name) > state.anchor:
            continue
        found, problem = None, f"another process cannot read {folder}"
        try:
            found = load_checkpoint(folder, ranks)
        except RunError as error:
            problem = str(error)
        if ranks.any(found is None):
            complain(problem)
        elif found is not None and _is_sound(found.state, state):
            return found
    return None


def _is_sound(found: TrainState, now: TrainState) -> bool:
    return found.anchor == found.step and (found.stage, found.part) == (now.stage, now.part)


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


def restore_random(state: Mapping[str, Tensor]) -> None:
    """The inverse of `random_state`."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
